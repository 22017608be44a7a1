/** Signed addresses at which one request is decided on: they can be passed on, but neither made up nor changed. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { committed } from "./committed.ts";
import { StoreUnavailable } from "./errors.ts";
import { keys } from "./keys.ts";
import { guarded } from "./timeout.ts";
import type { Clock } from "./types.ts";

const KEY_BYTES = 32;
const ATTEMPTS = 5;

export interface Links {
  /**
   * The address of a request's page.
   * @param origin without trailing slash
   * @param expires Unix ms
   */
  address(origin: string, org: string, id: string, expires: number): Promise<string>;
  check(
    org: string,
    id: string,
    link: { expires: string; signature: string },
  ): Promise<"good" | "forged" | "expired">;
}

/** The key is made once for the database, whichever instance comes first. */
export function openLinks(
  kv: Deno.Kv,
  { now, timeoutMs }: { now: Clock; timeoutMs: number },
): Links {
  let key: Uint8Array | null = null;
  const sign = async (org: string, id: string, expires: string) => {
    key ??= await guarded("read the key of links", timeoutMs, () => ensureKey(kv, timeoutMs));
    return createHmac("sha256", key).update(JSON.stringify([org, id, expires])).digest();
  };
  return {
    async address(origin, org, id, until) {
      const expires = String(Math.floor(until / 1000));
      const signature = (await sign(org, id, expires)).toString("base64url");
      const query = new URLSearchParams({ expires, signature });
      return `${origin}/admin/v1/orgs/${org}/requests/${id}/decide?${query}`;
    },

    async check(org, id, { expires, signature }) {
      const wanted = await sign(org, id, expires);
      const given = new Uint8Array(wanted.length);
      const decoded = decode(signature);
      given.set(decoded.subarray(0, wanted.length));
      if (decoded.length !== wanted.length || !timingSafeEqual(given, wanted)) return "forged";
      return now() < Number(expires) * 1000 ? "good" : "expired";
    },
  };
}

function decode(signature: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(signature, { alphabet: "base64url" });
  } catch {
    return new Uint8Array();
  }
}

async function ensureKey(kv: Deno.Kv, timeoutMs: number): Promise<Uint8Array> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const entry = await kv.get<unknown>(keys.meta("link_key"));
    if (entry.value instanceof Uint8Array && entry.value.length === KEY_BYTES) return entry.value;
    if (entry.versionstamp !== null) break;
    const made = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
    const atomic = kv.atomic().check(entry).set(entry.key, made);
    await committed("store the key of links", timeoutMs, () => atomic.commit());
  }
  throw new StoreUnavailable("Cannot read the key of links: something else is stored in its place");
}
