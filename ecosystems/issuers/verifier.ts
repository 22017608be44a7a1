/** Whether an identity token (a JWT of OpenID Connect) is one of its issuer, and what it claims. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { IssuerUnavailable } from "../errors.ts";
import type { IssuerKeys } from "./keys.ts";

/** Signatures by public keys alone. */
const ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"];
const SKEW_S = 60;
/** A verified token is believed this long without looking at its issuer's keys again. */
const REMEMBERED_MS = 5 * 60_000;
const MAX_REMEMBERED = 2_000;
/** Of what is meant to be a token for somebody's access or identity. */
const TYPES = new Set(["jwt", "at+jwt", "application/at+jwt"]);

export type Claims = Readonly<Record<string, unknown>>;

/** The token is none of its issuer's, or not now. The message is for its bearer. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
}

interface Remembered {
  /** Unix ms. */
  readonly until: number;
  readonly from: number;
  readonly claims: Claims;
}

export class TokenVerifier {
  readonly #keys: IssuerKeys;
  readonly #now: () => number;
  readonly #known = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED });

  /** @param now Unix ms */
  constructor({ keys, now }: { keys: IssuerKeys; now: () => number }) {
    this.#keys = keys;
    this.#now = now;
  }

  /**
   * The claims of a token that this issuer has signed and that holds now; its
   * audience is the caller's to look at. Throws TokenRefused, IssuerUnavailable.
   */
  async verify(token: string, issuer: string): Promise<Claims> {
    const key = createHash("sha256").update(issuer).update("\n").update(token).digest("base64");
    const now = this.#now();
    const known = this.#known.get(key);
    if (known !== undefined && now >= known.from && now < known.until) return known.claims;
    const claims = await this.#verify(token, issuer, now);
    const expires = typeof claims.exp === "number" ? claims.exp * 1_000 : 0;
    const until = Math.min(expires, now + REMEMBERED_MS);
    this.#known.set(key, { from: now, until, claims });
    return claims;
  }

  async #verify(token: string, issuer: string, now: number): Promise<Claims> {
    const { jwtVerify } = await import("jose");
    let verified: Awaited<ReturnType<typeof jwtVerify>>;
    try {
      verified = await jwtVerify(token, this.#keys.of(issuer), {
        issuer,
        algorithms: ALGORITHMS,
        clockTolerance: SKEW_S,
        currentDate: new Date(now),
        requiredClaims: ["iss", "aud", "exp", "iat"],
      });
    } catch (error) {
      if (error instanceof IssuerUnavailable) throw error;
      throw new TokenRefused(reasonOf(error), { cause: error });
    }
    const { payload, protectedHeader: { typ } } = verified;
    if (typ !== undefined && !TYPES.has(typ.toLowerCase())) {
      throw new TokenRefused("it is a token of another kind");
    }
    if (payload.iat === undefined || payload.iat > now / 1_000 + SKEW_S) {
      throw new TokenRefused("it was issued in the future");
    }
    return payload;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: "it has expired",
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: "its signature is wrong",
  ERR_JWKS_NO_MATCHING_KEY: "its issuer has no such key",
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: "it does not say which key of its issuer signed it",
  ERR_JOSE_ALG_NOT_ALLOWED: "its signature is of a kind that is not accepted",
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "it cannot be read";
  const { code } = error;
  if (code === "ERR_JWT_CLAIM_VALIDATION_FAILED" && "claim" in error) {
    const { claim } = error;
    const known = ["nbf", "iat", "exp", "iss", "aud"].find((name) => name === claim);
    return known === undefined ? "a claim does not hold" : `its claim ${known} does not hold`;
  }
  return REASONS[String(code)] ?? "it cannot be read";
}
