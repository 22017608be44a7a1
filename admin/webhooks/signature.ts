/** Headers by which a receiver knows a message: https://www.standardwebhooks.com */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

/**
 * @param id the same at every attempt, so that a receiver notices a repetition
 * @param at of this attempt (Unix ms)
 * @param secret the key as text; `whsec_...`: the key in Base64
 */
export function signedHeaders(
  body: string,
  { id, at, secret }: { id: string; at: number; secret: string | undefined },
): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp };
  if (secret === undefined) return headers;
  const signature = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.${body}`)
    .digest("base64");
  return { ...headers, "webhook-signature": `v1,${signature}` };
}

function keyOf(secret: string): Uint8Array {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret);
  return encoded === null ? new TextEncoder().encode(secret) : Buffer.from(encoded[1], "base64");
}
