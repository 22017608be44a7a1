/** The root administrator's token: given in the settings, or made at first start. */
import * as v from "valibot";
import { StoreUnavailable } from "./errors.ts";
import { keys } from "./keys.ts";
import { hashSecret, newSecret } from "./secrets.ts";
import type { Clock } from "./types.ts";

export interface RootToken {
  /** Made just now, to be shown once; null: configured, or made earlier. */
  readonly secret: string | null;
  /** SHA-256 of the secret in hex, for `openTokens`. */
  readonly sha256: string;
}

/** Processes that share a database file find it locked by each other. */
const RETRY_DELAYS_MS = [20, 100, 500];

const Stored = v.object({ sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), at: v.string() });

/**
 * The hash of the root token. Without a configured one it is made at the first
 * start of all, whichever instance comes first; only its hash is kept.
 * Throws StoreUnavailable.
 * @param configured `ADMIN_TOKEN`; empty counts as absent
 */
export async function ensureRootToken(
  kv: Deno.Kv,
  { configured, now }: { configured: string | undefined; now: Clock },
): Promise<RootToken> {
  if (configured) return { secret: null, sha256: hashSecret(configured) };
  const key = keys.meta("root_token");
  const secret = newSecret();
  const sha256 = hashSecret(secret);
  for (let attempt = 0;; attempt++) {
    try {
      const entry = await kv.get(key);
      if (entry.value === null) {
        await kv.atomic().check(entry)
          .set(key, { sha256, at: new Date(now()).toISOString() }).commit();
      }
      const stored = v.parse(Stored, (await kv.get(key)).value);
      // Also if the commit took effect without saying so.
      return { secret: stored.sha256 === sha256 ? secret : null, sha256: stored.sha256 };
    } catch (cause) {
      const delay = RETRY_DELAYS_MS[attempt];
      if (delay === undefined || cause instanceof v.ValiError) {
        throw new StoreUnavailable("Cannot read the root token's hash", { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}
