import { keys } from "./keys.ts";

/** How long it is taken for granted that what could be written can be. */
const WRITABLE_MS = 30_000;

/** Rejects where KV cannot be read, or has not been written for a while and cannot be. */
export function openProbe(kv: Deno.Kv, { now }: { now: () => number }): () => Promise<void> {
  let writtenAt = -Infinity;
  return async () => {
    const begin = now();
    if (begin - writtenAt < WRITABLE_MS) return void await kv.get(keys.meta("probe"));
    await kv.set(keys.meta("probe"), new Date(begin).toISOString());
    writtenAt = begin;
  };
}
