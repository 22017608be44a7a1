/** Jobs that show the identity token of their platform (GitHub Actions, GitLab) instead of a token of ours. */
import { statedIssuer } from "../ecosystems/issuers/token_text.ts";
import { TokenRefused, type TokenVerifier } from "../ecosystems/issuers/verifier.ts";
import type { Policies } from "../policy/store/types.ts";
import { IdentityError } from "./identity_error.ts";

export interface Workloads {
  /**
   * The user name of whoever an identity token stands for in an org, such as
   * `gha:acme/site`; null: the org's policy knows no such issuer, so the token is
   * not for us. Rejects with IdentityError, IssuerUnavailable, and what the
   * policy's store throws.
   */
  find(token: string, org: string): Promise<string | null>;
}

export function openWorkloads(
  { policies, verifier }: {
    policies: Pick<Policies, "get">;
    verifier: Pick<TokenVerifier, "verify">;
  },
): Workloads {
  return {
    async find(token, org) {
      const issuer = statedIssuer(token);
      if (issuer === null) return null;
      const { identities } = await policies.get(org);
      const known = identities.filter((identity) => identity.issuer === issuer);
      if (known.length === 0) return null;
      const claims = await verified(verifier.verify(token, issuer));
      const meant = known.filter(({ audience }) => isFor(claims.aud, audience));
      if (meant.length === 0) {
        throw new IdentityError(
          "identity_invalid",
          "This identity token is not accepted: it is for another audience.",
        );
      }
      const admitting = meant.find((identity) => identity.admits(claims));
      if (admitting === undefined) {
        throw new IdentityError(
          "identity_refused",
          `The policy of the org "${org}" does not admit this identity.`,
        );
      }
      const user = admitting.userOf(claims);
      if (user !== null) return user;
      throw new IdentityError(
        "identity_refused",
        `This identity token's claims make no user name in the org "${org}".`,
      );
    },
  };
}

async function verified<T>(claims: Promise<T>): Promise<T> {
  try {
    return await claims;
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    const message = `This identity token is not accepted: ${error.message}.`;
    throw new IdentityError("identity_invalid", message);
  }
}

function isFor(given: unknown, audience: string): boolean {
  return Array.isArray(given) ? given.includes(audience) : given === audience;
}
