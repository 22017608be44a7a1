import type { Deps } from "./deps.ts";
import { NOT_FOUND, type Problem } from "./errors.ts";
import { DEFAULT_ORG, type Identified } from "./identity.ts";

/**
 * Whether nothing is served for this org: with ORGS=closed, one that has neither
 * a policy nor a token. Throws StoreUnavailable, PolicyUnreadable.
 */
export async function isUnknownOrg(
  { settings, policies }: Pick<Deps, "settings" | "policies">,
  { org, tokenId }: Pick<Identified, "org" | "tokenId">,
): Promise<boolean> {
  // A valid token was made for this org by somebody who may. An identity token says nothing of it:
  // the policy that admits it may be inherited.
  if (settings.orgs === "open" || org === DEFAULT_ORG || tokenId !== null) return false;
  return !await policies.has(org);
}

export function noSuchOrg({ org }: Pick<Identified, "org">): Problem {
  return { ...NOT_FOUND, message: `There is no org "${org}".` };
}
