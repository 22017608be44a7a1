/** The root administrator's token: given in the settings, or made at first start. */
import * as v from "valibot";
import { committed } from "./committed.ts";
import { StoreUnavailable } from "./errors.ts";
import { keys } from "./keys.ts";
import { hashSecret, newSecret } from "./secrets.ts";
import { STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock } from "./types.ts";

export interface RootToken {
  /** Made just now, to be shown once; null: configured, or made earlier. */
  readonly secret: string | null;
  /** SHA-256 of the secret in hex, for `openTokens`. */
  readonly sha256: string;
}

const WHAT = "read the root token's hash";

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
  const { value } = await committed(WHAT, STORE_TIMEOUT_MS, async () => {
    const entry = await kv.get(key);
    if (entry.value !== null) return entry;
    await kv.atomic().check(entry)
      .set(key, { sha256, at: new Date(now()).toISOString() }).commit();
    return await kv.get(key);
  }, { always: true });
  const stored = v.safeParse(Stored, value);
  if (!stored.success) throw new StoreUnavailable(`Cannot ${WHAT}: something else is stored there`);
  // Also if the commit took effect without saying so.
  return { secret: stored.output.sha256 === sha256 ? secret : null, sha256: stored.output.sha256 };
}
