/** What many keys begin with, found by leaps from one to the next instead of reading all of them. */
import { guarded } from "./timeout.ts";

/** The orgs that come behind a prefix, sorted. Throws StoreUnavailable. */
export async function listOrgs(
  kv: Deno.Kv,
  prefix: Deno.KvKey,
  timeoutMs: number,
): Promise<string[]> {
  const orgs: string[] = [];
  while (true) {
    const last = orgs.at(-1);
    // `true` sorts after every string, so this begins behind the last org's keys.
    const selector = last === undefined ? { prefix } : { prefix, start: [...prefix, last, true] };
    const key = await firstKey(kv, selector, { timeoutMs });
    if (key === null) return orgs;
    orgs.push(String(key[prefix.length]));
  }
}

/** The last one where it is `reverse`; null: there is none. Throws StoreUnavailable. */
export async function firstKey(
  kv: Deno.Kv,
  selector: Deno.KvListSelector,
  { timeoutMs, reverse = false }: { timeoutMs: number; reverse?: boolean },
): Promise<Deno.KvKey | null> {
  return await guarded("list keys", timeoutMs, async () => {
    for await (const { key } of kv.list(selector, { limit: 1, reverse })) return key;
    return null;
  });
}
