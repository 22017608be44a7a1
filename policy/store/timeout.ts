import { StoreUnavailable } from "./errors.ts";

/** How long one answer of KV is waited for, unless told otherwise: KV Connect retries for ever. */
export const STORE_TIMEOUT_MS = 5_000;

/**
 * Calls KV; a failure or a silence becomes StoreUnavailable. A call that timed
 * out may still take effect afterwards.
 * @param what completes the sentence "Cannot ...", for the log
 */
export async function guarded<T>(
  what: string,
  timeoutMs: number,
  call: () => Promise<T>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StoreUnavailable(`Cannot ${what}: Deno KV is silent for ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([call(), silence]);
  } catch (cause) {
    if (cause instanceof StoreUnavailable) throw cause;
    throw new StoreUnavailable(`Cannot ${what}: Deno KV failed`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * `kv.list`, a batch of it at a time, each waited for at most `timeoutMs`: a
 * timer for every entry would cost more than the entry. Throws StoreUnavailable.
 */
export async function* guardedList(
  kv: Deno.Kv,
  selector: Deno.KvListSelector,
  options: Deno.KvListOptions & { readonly batchSize: number },
  timeoutMs: number,
): AsyncGenerator<Deno.KvEntry<unknown>, void, undefined> {
  let entries: Deno.KvListIterator<unknown> | null = null;
  const nextBatch = async () => {
    entries ??= kv.list<unknown>(selector, options);
    const batch: Deno.KvEntry<unknown>[] = [];
    while (batch.length < options.batchSize) {
      const next = await entries.next();
      if (next.done) break;
      batch.push(next.value);
    }
    return batch;
  };
  while (true) {
    const batch = await guarded("list entries", timeoutMs, nextBatch);
    yield* batch;
    if (batch.length < options.batchSize) return;
  }
}
