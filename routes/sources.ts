import { createHash } from "node:crypto";
import type { Ecosystem, Source } from "../ecosystems/ecosystem.ts";
import { UpstreamError } from "../ecosystems/errors.ts";
import type { Policy, PrivateRegistry, Verdict } from "../policy/types.ts";
import type { Deps, RouteSettings } from "./deps.ts";
import type { Identified } from "./identity.ts";
import type { TokenUse } from "./registry_tokens.ts";

/** A package that the policy refuses by its name: no registry may be asked for it. */
export class NameRefused extends Error {
  override readonly name = "NameRefused";

  constructor(readonly packageName: string, readonly verdict: Verdict) {
    super(`${packageName} is withheld by policy (${verdict.code}): ${verdict.message}`);
  }
}

/** For whom, and with which credentials of their own. */
type Asking = Pick<Identified, "org" | "registryCredential" | "basicCredential">;

/**
 * Where a package is asked for: the org's private registry if its policy names
 * one for the package, and that one alone; else the public upstream. What came
 * with a credential is kept apart by org, registry and credential. Throws
 * NameRefused, so that no way to a registry goes around it, and UpstreamError.
 */
export function sourceFor(
  deps: Deps,
  { ecosystem, name, policy, identity }: {
    ecosystem: Ecosystem;
    name: string | null;
    policy: Policy;
    identity: Asking;
  },
): Source {
  const { id } = ecosystem;
  if (name !== null && policy.judgeName !== null) {
    const verdict = policy.judgeName(id, name, deps.now());
    if (verdict.action === "deny") throw new NameRefused(name, verdict);
  }
  const registry = policy.registries.length === 0 ? undefined : registryOf(policy, ecosystem, name);
  if (registry === undefined) {
    const source = deps.publicSources.get(id);
    if (source === undefined) throw new TypeError(`Cannot ask for ${id}: it has no upstream`);
    return source;
  }
  const authorization = registry.tokenEnv === null
    ? clientCredential(ecosystem, policy, identity)
    : withScheme(
      ecosystem,
      ownToken(deps, registry.tokenEnv, { org: policy.org, url: registry.url }),
    );
  const { fileOrigins } = registry;
  // An index is read for the places that its files may be at.
  const partition = createHash("sha256")
    .update(JSON.stringify([identity.org, registry.url, authorization, ...fileOrigins]))
    .digest("base64url");
  const given = new URL(registry.url.endsWith("/") ? registry.url : `${registry.url}/`);
  const url = (ecosystem.upstreamBase?.(given) ?? given).href;
  return { ecosystem: id, url, authorization, partition, fileOrigins, namedByPolicy: true };
}

function registryOf(
  policy: Policy,
  { id, versions }: Ecosystem,
  name: string | null,
): PrivateRegistry | undefined {
  const normal = name === null ? null : versions.normalizeName(name);
  if (normal === null) return undefined;
  return policy.registries.find((entry) => entry.ecosystem === id && entry.matches(normal));
}

/** The public upstream of each ecosystem, by its id. */
export function publicSources(
  upstreams: RouteSettings["upstreams"],
): ReadonlyMap<string, Source> {
  return new Map(
    [...upstreams].map(([id, setting]) => [
      id,
      { ecosystem: id, authorization: null, partition: "", ...setting },
    ]),
  );
}

function clientCredential(
  ecosystem: Ecosystem,
  policy: Policy,
  { registryCredential, basicCredential }: Asking,
): string | null {
  if (registryCredential !== null) return withScheme(ecosystem, registryCredential);
  return policy.auth === "token" ? null : basicCredential;
}

/** PyPI's registries mostly want Basic: a token may be written with its scheme. */
function withScheme({ bareTokens }: Ecosystem, token: string): string {
  return bareTokens === true || /^[\w-]+ \S/.test(token) ? token : `Bearer ${token}`;
}

function ownToken(deps: Deps, variable: string, use: TokenUse): string {
  const token = deps.settings.registryToken(variable, use);
  if (token === undefined || token === "") {
    throw new UpstreamError(
      "unreachable",
      `Cannot ask the private registry: ${variable} is not set, or may not be sent there`,
    );
  }
  if (!/^[\x20-\x7e]+$/.test(token) || token !== token.trim()) {
    throw new UpstreamError(
      "unreachable",
      `Cannot ask the private registry: ${variable} holds characters that no header can carry`,
    );
  }
  return token;
}
