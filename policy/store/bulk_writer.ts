import { committed } from "./committed.ts";
import { sizeOf } from "./group_commit.ts";

/**
 * Bounds of an atomic: KV allows 1,000 mutations and 819,200 bytes, 81,920 of them
 * in keys. Others cannot write to a file meanwhile, so less is kinder.
 */
const ATOMIC = { mutations: 200, bytes: 250_000, keyBytes: 70_000 } as const;
/** What a mutation takes besides its key and its data. */
const FRAME_BYTES = 200;
const TIMEOUT_MS = 30_000;

/** Many writes in few commits. All methods throw StoreUnavailable. */
export class BulkWriter {
  #atomic: Deno.AtomicOperation;
  #mutations = 0;
  #bytes = 0;
  #keyBytes = 0;

  constructor(readonly kv: Deno.Kv) {
    this.#atomic = kv.atomic();
  }

  async set(key: Deno.KvKey, value: { readonly data: Uint8Array }): Promise<void> {
    this.#atomic.set(key, value);
    await this.#count(key, value.data.length);
  }

  async delete(key: Deno.KvKey): Promise<void> {
    this.#atomic.delete(key);
    await this.#count(key, 0);
  }

  async flush(): Promise<void> {
    if (this.#mutations === 0) return;
    const atomic = this.#atomic;
    this.#atomic = this.kv.atomic();
    this.#mutations = this.#bytes = this.#keyBytes = 0;
    const begun = performance.now();
    await committed("store an import", TIMEOUT_MS, () => atomic.commit());
    // As long again is left to those who share the database's file.
    await new Promise((resolve) => setTimeout(resolve, performance.now() - begun));
  }

  async #count(key: Deno.KvKey, bytes: number): Promise<void> {
    const keyBytes = sizeOf(key);
    this.#mutations++;
    this.#keyBytes += keyBytes;
    this.#bytes += keyBytes + bytes + FRAME_BYTES;
    const full = this.#mutations >= ATOMIC.mutations || this.#bytes >= ATOMIC.bytes ||
      this.#keyBytes >= ATOMIC.keyBytes;
    if (full) await this.flush();
  }
}
