/** `POST <base>/why/<purl>`: a developer asks that a withheld release be let through. */
import { isVersion } from "../policy/pattern.ts";
import { isUnknownOrg, noSuchOrg } from "./orgs.ts";
import { type ExceptionRequest, TooManyRequests } from "../policy/store/request.ts";
import { type Askable, askable } from "./askable.ts";
import { answerAsked, answerFailed } from "./ask_answers.ts";
import { approversOrigin, refuseOtherSites } from "./ask_origin.ts";
import { readWish, type Wish } from "./ask_wish.ts";
import type { Deps } from "./deps.ts";
import { problemOf, RequestError } from "./errors.ts";
import { type Client, whyAddress } from "./exchange.ts";
import type { Explanation } from "./explanation.ts";
import { demand, type Identified } from "./identity.ts";
import { NameRefused } from "./sources.ts";
import { explainWanted, noSuchRelease, readPurl, type Wanted } from "./why.ts";

export interface AskRequest {
  /** What follows `/why/`, percent-encoded. */
  readonly path: string;
  readonly identity: Identified;
  readonly client: Client;
  readonly request: Request;
}

/** 201 with the new request, 200 with one that is open already; throws nothing. */
export async function serveAsk(deps: Deps, asked: AskRequest): Promise<Response> {
  const { path, identity, request } = asked;
  try {
    refuseOtherSites(request, identity);
    const { explanation, state } = await askedFor(deps, asked);
    const wish = await readWish(request);
    const made = await store(deps, asked, { explanation, state, wish });
    const { id, org, user, purl } = made.request;
    if (made.created) deps.log({ event: "exception_asked", org, user, purl, id });
    const look = whyAddress(asked, purl);
    return await answerAsked(request, made.request, { status: made.created ? 201 : 200, look });
  } catch (error) {
    const problem = problemOf(publicly(error));
    if (problem.status >= 500) {
      const { code } = problem;
      deps.log({
        event: "failure",
        code,
        org: identity.org,
        path: `/why/${path}`,
        error: String(error),
      });
    }
    return await answerFailed(request, problem);
  }
}

/** The release, provided that an exception would let it through. */
async function askedFor(
  deps: Deps,
  { path, identity, client }: AskRequest,
): Promise<{ explanation: Explanation; state: Askable & { can: true } }> {
  if (await isUnknownOrg(deps, identity)) throw new RequestError(noSuchOrg(identity));
  const policy = await deps.policies.get(identity.org);
  const missing = demand(policy.auth, identity);
  if (missing !== null) throw missing;
  const wanted = readPurl(deps.ecosystems, path);
  if (wanted?.version === undefined) {
    const message = "Ask for one release, such as /why/pkg:npm/lodash@4.17.21.";
    throw new RequestError({ status: 400, code: "purl_invalid", message });
  }
  if (identity.before !== null) {
    const message = "This address shows an earlier day: ask at the one without /before/.";
    throw new RequestError({ status: 409, code: "not_withheld", message });
  }
  const found = await explainWanted(deps, wanted, { policy, identity, client });
  if (found === null) throw new RequestError(noSuchRelease(wanted));
  const state = askable(found.explanation);
  if (!state.can) {
    throw new RequestError({ status: state.status, code: state.code, message: state.why });
  }
  demandNameable(wanted, state.version);
  return { explanation: found.explanation, state };
}

/** An exception names exactly this version, so there has to be a way to write that. */
function demandNameable({ ecosystem }: Wanted, version: string): void {
  if (isVersion(version, ecosystem.versions)) return;
  const message = `No exception can name the version ${JSON.stringify(version.slice(0, 100))}.`;
  throw new RequestError({ status: 422, code: "not_waivable", message });
}

function store(
  deps: Deps,
  { identity, client }: AskRequest,
  { explanation, state, wish }: {
    explanation: Explanation;
    state: Askable & { can: true };
    wish: Wish;
  },
): Promise<{ request: ExceptionRequest; created: boolean }> {
  return deps.requests.ask({
    org: client.org,
    user: client.user,
    authenticated: identity.role !== null,
    ip: client.ip,
    ecosystem: explanation.ecosystem,
    package: explanation.package,
    version: state.version,
    purl: explanation.purl,
    rules: [...state.rules],
    codes: [...state.codes],
    message: state.message,
    reason: wish.reason,
    ticket: wish.ticket,
    origin: approversOrigin(deps.settings, identity),
  });
}

function publicly(error: unknown): unknown {
  if (error instanceof TooManyRequests) {
    return new RequestError({
      status: 429,
      code: "too_many_requests",
      message: `${error.message}: try again later.`,
      headers: { "retry-after": String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) },
    }, { cause: error });
  }
  if (error instanceof NameRefused) {
    const message = `${error.message}. That goes by the name: no exception for one release ` +
      "can lift it.";
    return new RequestError({ status: 422, code: "not_waivable", message }, { cause: error });
  }
  return error;
}
