/**
 * What an attempt to sign in has to remember until the provider sends the
 * browser back. It travels in a cookie, encrypted, so that strangers who only
 * begin leave nothing in the database.
 */
import * as v from "valibot";
import { ATTEMPT_MS } from "../../policy/store/sessions.ts";

const schema = v.strictObject({
  state: v.string(),
  nonce: v.string(),
  verifier: v.string(),
  redirectUri: v.string(),
  returnTo: v.string(),
  /** Unix ms. */
  at: v.number(),
});

export type Attempt = v.InferOutput<typeof schema>;

/** An attempt that may still come back, as it travels and as it is. */
export interface Pending {
  readonly sealed: string;
  readonly attempt: Attempt;
}

/** Of one browser, each in a tab of its own. */
const MAX_PENDING = 4;
/** Characters; browsers drop a cookie of more than 4,096 with its name. */
const MAX_COOKIE = 4_000;
/** base64url has none. */
const BETWEEN = ".";

/** The cookie for these attempts, newest first; the oldest go where there are too many. */
export function cookieOf(sealed: readonly string[]): string {
  const kept = sealed.slice(0, MAX_PENDING);
  while (kept.length > 1 && kept.join(BETWEEN).length > MAX_COOKIE) kept.pop();
  return kept.join(BETWEEN);
}

const IV_BYTES = 12;
const URL_SAFE = { alphabet: "base64url", omitPadding: true } as const;
const PURPOSE = new TextEncoder().encode("package-proxy sign-in attempt 1");

export class AttemptBox {
  readonly #key: Promise<CryptoKey>;

  /** @param secret the client's secret: all instances have it, and browsers do not */
  constructor(secret: string) {
    this.#key = deriveKey(secret);
  }

  async seal(attempt: Attempt): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const text = new TextEncoder().encode(JSON.stringify(attempt));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await this.#key, text);
    return new Uint8Array([...iv, ...new Uint8Array(sealed)]).toBase64(URL_SAFE);
  }

  /** The attempts in a cookie, newest first, but for those not sealed here or too long ago. */
  async pending(cookie: string, now: number): Promise<Pending[]> {
    const all = await Promise.all(
      cookie.split(BETWEEN, MAX_PENDING)
        .map(async (sealed) => ({ sealed, attempt: await this.#open(sealed, now) })),
    );
    return all.flatMap(({ sealed, attempt }) => attempt === null ? [] : [{ sealed, attempt }]);
  }

  /** null: not sealed here, or too long ago. */
  async #open(sealed: string, now: number): Promise<Attempt | null> {
    try {
      const bytes = Uint8Array.fromBase64(sealed, { alphabet: "base64url" });
      const [iv, rest] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES)];
      const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await this.#key, rest);
      const attempt = v.parse(schema, JSON.parse(new TextDecoder().decode(text)));
      const age = now - attempt.at;
      return age >= 0 && age < ATTEMPT_MS ? attempt : null;
    } catch {
      return null;
    }
  }
}

async function deriveKey(secret: string): Promise<CryptoKey> {
  const bytes = new TextEncoder().encode(secret);
  const base = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey"]);
  return await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: PURPOSE },
    base,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}
