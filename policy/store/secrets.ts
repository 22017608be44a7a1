import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";

/** What every token of the proxy begins with, so that secret scanners and people know it. */
export const SECRET_PREFIX = "pp_";

/** `pp_` and 32 random bytes as base64url. */
export function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return SECRET_PREFIX + bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * SHA-256 in hex. A fast hash is enough for 256 random bits; and since only
 * hashes are looked up, the time a look-up takes tells nothing about a secret.
 */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Whether two such hashes are the same; how long it takes says nothing of where they differ. */
export function isSameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
