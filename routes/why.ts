/** `/why/<purl>`: every version's verdict under this org's policy, for people, terminals and programs. */
import type { Ecosystem, Index } from "../ecosystems/ecosystem.ts";
import { loadWith } from "../ecosystems/indexes.ts";
import { endInstant, instant } from "../ecosystems/refusal.ts";
import { parsePurl, purl } from "../policy/purl.ts";
import { StoreUnavailable } from "../policy/store/errors.ts";
import type { ExceptionRequest } from "../policy/store/request.ts";
import type { Facts, Judgement, Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";
import { NOT_FOUND, type Problem, problemOf, respond } from "./errors.ts";
import { askable } from "./askable.ts";
import { type Client, staleHeaders, whyAddress } from "./exchange.ts";
import {
  type Explained,
  type Explanation,
  EXPLANATION_TYPES,
  present,
  requestState,
} from "./explanation.ts";
import { demand, type Identified } from "./identity.ts";
import { judgeIndex } from "./judgements.ts";
import { isUnknownOrg, noSuchOrg } from "./orgs.ts";
import { preferredType } from "./prefers.ts";
import { NameRefused, sourceFor } from "./sources.ts";

/**
 * Explains a package, or one version of it.
 * @param path what follows `/why/`, percent-encoded
 * @param search with its `?`; `withheld` in it means a client was sent here instead of a file: 403
 */
export async function serveWhy(
  deps: Deps,
  { path, search, identity, client, request }: {
    path: string;
    search: string;
    identity: Identified;
    client: Client;
    request: Request;
  },
): Promise<Response> {
  const type = preferredType(request.headers.get("accept"), EXPLANATION_TYPES, "text/plain");
  const json = type === "application/json";
  try {
    if (await isUnknownOrg(deps, identity)) return respond(noSuchOrg(identity), { json });
    const standing = await deps.policies.get(identity.org);
    const policy = identity.before === null ? standing : standing.asOf(identity.before);
    const wanted = readPurl(deps.ecosystems, path);
    if (wanted === null) {
      const message =
        "Ask for a PURL, such as /why/pkg:npm/lodash or /why/pkg:pypi/requests@2.32.0.";
      return respond({ status: 400, code: "purl_invalid", message }, { json });
    }
    const withheld = new URLSearchParams(search).get("withheld");
    const asked = demand(policy.auth, identity);
    // A client that was sent here does not sign in again; it learns what the address says already.
    if (asked !== null && withheld === null) return respond(problemOf(asked), { json });
    if (asked !== null) return refusedInShort(wanted, { withheld: withheld ?? "", json });
    const found = await explainWanted(deps, wanted, { policy, identity, client });
    if (found === null) return respond(noSuchRelease(wanted), { json });
    const { explanation, staleMs } = found;
    const exception = wanted.version === undefined
      ? undefined
      : await exceptionOf(deps, explanation, { identity, client });
    return await present({ ...explanation, exception }, {
      type,
      status: withheld === null ? 200 : 403,
      extra: staleHeaders(staleMs),
      curl: curlFlags(policy, identity),
      addressOf: identity.before !== null ? null : (version) =>
        whyAddress(
          { identity },
          purl(wanted.ecosystem.versions.purlType, explanation.package, version),
        ),
    });
  } catch (error) {
    if (error instanceof NameRefused) {
      const code = error.verdict.code ?? "policy";
      return respond({ status: 403, code, message: `${error.message}.` }, { json });
    }
    const problem = problemOf(error);
    deps.log({
      event: "failure",
      code: problem.code,
      org: identity.org,
      path: `/why/${path}`,
      error: String(error),
    });
    return respond(problem, { json });
  }
}

/** A package, or one version of it, that somebody wants explained. */
export interface Wanted {
  readonly ecosystem: Ecosystem;
  readonly name: string;
  readonly version: string | undefined;
}

/** What the part of an address behind `/why/` names; null: no PURL of a known ecosystem. */
export function readPurl(ecosystems: readonly Ecosystem[], path: string): Wanted | null {
  try {
    // Written whole into a path, or percent-encoded once more as one segment, or without its scheme.
    const text = (/^pkg%3a/i.test(path) ? decodeURIComponent(path) : path)
      // Only a scope begins with `@`; within a name it can but stand before the version.
      .replace(/(?<=[^/:])%40(?=[^/]*$)/i, "@");
    const { type, name, version } = parsePurl(text.startsWith("pkg:") ? text : `pkg:${text}`);
    const ecosystem = ecosystems.find((entry) => entry.versions.purlType === type);
    if (ecosystem === undefined || ecosystem.versions.normalizeName(name) === null) return null;
    return { ecosystem, name, version };
  } catch {
    return null;
  }
}

/** Where `explainWanted` finds nothing. */
export function noSuchRelease({ ecosystem, name, version }: Wanted): Problem {
  const what = version === undefined ? "package" : "package or version";
  const wanted = purl(ecosystem.versions.purlType, name, version);
  return { ...NOT_FOUND, message: `${ecosystem.title} has no such ${what}: ${wanted}` };
}

/** null: there is no such package or version. Throws what `sourceFor` and the index throw. */
export async function explainWanted(
  deps: Deps,
  { ecosystem, name, version }: Wanted,
  { policy, identity, client }: { policy: Policy; identity: Identified; client: Client },
): Promise<{ explanation: Explanation; staleMs: number | null } | null> {
  const source = sourceFor(deps, { ecosystem, name, policy, identity });
  deps.facts.expect(ecosystem, name, { policy, source });
  const { compare } = ecosystem.versions;
  const kept = await loadWith(deps.indexes, {
    ecosystem,
    name,
    source,
    has: ({ releases }) =>
      version === undefined || releases.some((release) => compare(release.version, version) === 0),
  });
  if (kept === null) return null;
  const judgement = await judgeIndex(deps, { kept, policy, client });
  const explanation = explain(kept.value, judgement, {
    ecosystem,
    version,
    org: identity.org,
    revision: policy.revision,
    facts: deps.facts.peek(kept.value, policy),
  });
  if (version !== undefined && explanation.versions.length === 0) return null;
  return { explanation, staleMs: kept.staleMs };
}

/** Whether and how an exception can be asked for, and what became of the last request. */
async function exceptionOf(
  deps: Deps,
  explanation: Explanation,
  { identity, client }: { identity: Identified; client: Client },
): Promise<Explanation["exception"]> {
  const state = askable(explanation);
  const ask = state.can && identity.before === null
    ? whyAddress({ identity }, explanation.purl)
    : null;
  let request: ExceptionRequest | null = null;
  try {
    const { org, user, ip } = client;
    const asker = { org, user, ip, authenticated: identity.role !== null };
    request = await deps.requests.last(asker, explanation.purl);
  } catch (error) {
    // Why something is withheld can be said without the store.
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  return { ask, request: request === null ? null : requestState(request) };
}

/** What `curl` has to say to be taken for the same client. */
function curlFlags({ auth }: Policy, { user, base }: Identified): string {
  if (auth === "token") return ` -H "authorization: Bearer $PROXY_TOKEN"`;
  return user === "" || base.prefix.includes("/u-") ? "" : ` -u ${user}:`;
}

function refusedInShort(
  { ecosystem, name, version }: Wanted,
  { withheld, json }: { withheld: string; json: boolean },
): Response {
  const code = /^[a-z_]{1,40}$/.test(withheld) ? withheld : "policy";
  const text = purl(ecosystem.versions.purlType, name, version);
  return respond({ status: 403, code, message: `${text} is withheld by policy (${code}).` }, {
    json,
  });
}

function explain(
  index: Index,
  judgement: Judgement,
  { ecosystem, version, org, revision, facts }: {
    ecosystem: Ecosystem;
    version: string | undefined;
    org: string;
    revision: string;
    facts: Facts | undefined;
  },
): Explanation {
  const { compare, purlType } = ecosystem.versions;
  const perFile = new Set(index.releases.map((release) => release.version)).size <
    index.releases.length;
  const versions = index.releases.map((release, position): Explained => {
    const verdict = judgement.verdicts[position];
    return {
      version: release.version,
      ...(perFile ? { filename: release.files[0]?.filename } : {}),
      verdict: verdict.action,
      code: verdict.code,
      reason: verdict.code === null ? null : verdict.message,
      until: verdict.until === null ? null : endInstant(verdict.until),
      published: release.publishedAt === null ? null : instant(release.publishedAt),
      findings: verdict.findings,
    };
  });
  const wanted = versions
    .filter((entry) => version === undefined || compare(entry.version, version) === 0)
    .toSorted((a, b) => compare(b.version, a.version));
  return {
    // As the registry spells the version: `1.0` may be asked for as `1.0.0`.
    purl: purl(purlType, index.name, version === undefined ? version : wanted[0]?.version),
    ecosystem: ecosystem.id,
    package: index.name,
    org,
    policy: revision,
    advisories: advisoriesOf(facts),
    versions: wanted,
  };
}

function advisoriesOf(facts: Facts | undefined): Explanation["advisories"] {
  if (facts === undefined) return null;
  const { state, asOf } = facts.advisories;
  return { state, as_of: asOf === null ? null : instant(asOf) };
}
