import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { isDeepStrictEqual } from "node:util";
import { committed } from "./committed.ts";
import { StoreUnavailable } from "./errors.ts";

/** What is stored together or not at all. */
export interface Entry {
  /** The first is its own (nobody else ever writes this key): by it a commit is recognised. */
  readonly sets: readonly { readonly key: Deno.KvKey; readonly value: unknown }[];
  /** Each goes up by one. */
  readonly counters: readonly Deno.KvKey[];
  /** Upper bound on the serialised size of all values. */
  readonly valueBytes: number;
}

export interface GroupCommitOptions {
  /** Time-to-live of the sets, whole milliseconds. */
  readonly expireIn: number;
  readonly timeoutMs: number;
}

interface Waiting {
  readonly entry: Entry;
  readonly again: boolean;
  readonly since: number;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Below KV's limits of an atomic: 1,000 mutations, 81,920 bytes of keys, 819,200 bytes in all. */
const MAX_MUTATIONS = 950;
const MAX_KEY_BYTES = 75_000;
const MAX_BYTES = 700_000;
/** More than this waiting means that KV does not keep up; memory is bounded by refusing. */
const MAX_WAITING = 20_000;

/**
 * Stores entries in as few atomics as possible: one is under way at a time, and
 * all that arrive meanwhile go into the next, in order of arrival. A local KV
 * syncs its file once an atomic.
 */
export class GroupCommit {
  #queue: Waiting[] = [];
  #draining = false;

  constructor(readonly kv: Deno.Kv, readonly options: GroupCommitOptions) {}

  /**
   * Resolves when the entry is durable. Throws StoreUnavailable.
   * @param again whether it goes to `addAlone` then
   */
  add(entry: Entry, { again = false } = {}): Promise<void> {
    if (this.#queue.length >= MAX_WAITING) {
      const message = `Cannot store a record: ${MAX_WAITING} are waiting already`;
      return Promise.reject(new StoreUnavailable(message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ entry, again, since: performance.now(), resolve, reject });
    if (!this.#draining) {
      this.#draining = true;
      // Not at once: what comes in the same turn of the event loop shares the first atomic.
      setImmediate(() => this.#drain());
    }
    return promise;
  }

  /**
   * The same in an atomic of its own, so that an entry whose fate is not known
   * takes effect once, however often it is added. Throws StoreUnavailable.
   */
  addAlone(entry: Entry): Promise<void> {
    return this.#commit([entry]);
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const waiting = this.#queue;
      this.#queue = [];
      for (const group of split(waiting)) await this.#store(group);
    }
    this.#draining = false;
  }

  async #store(group: readonly Waiting[]): Promise<void> {
    const patient = group.filter((one) => {
      const late = performance.now() - one.since > this.options.timeoutMs;
      if (late) one.reject(new StoreUnavailable("Cannot store a record: Deno KV does not keep up"));
      return !late;
    });
    if (patient.length === 0) return;
    // What fails may still take effect late, but not once its first entry is there by itself.
    const order = patient.toSorted((a, b) => Number(b.again) - Number(a.again));
    try {
      await this.#commit(order.map((one) => one.entry));
      for (const one of patient) one.resolve();
    } catch (error) {
      for (const one of patient) one.reject(error);
    }
  }

  /**
   * The check on the first entry's own key makes repeating harmless: of all
   * attempts, KV Connect's own ones included, one at most takes effect, so that
   * no counter counts twice.
   */
  async #commit(entries: readonly Entry[]): Promise<void> {
    const attempt = async () =>
      (await this.#atomic(entries).commit()).ok || await this.#landed(entries[0]);
    const { timeoutMs } = this.options;
    if (await committed("store records", timeoutMs, attempt, { always: true })) return;
    throw new StoreUnavailable("Cannot store records: their id is taken");
  }

  /** An atomic refused by its check was either committed by an earlier attempt, or somebody else has the key. */
  async #landed(entry: Entry): Promise<boolean> {
    const { key, value } = entry.sets[0];
    return isDeepStrictEqual((await this.kv.get<unknown>(key)).value, value);
  }

  #atomic(entries: readonly Entry[]): Deno.AtomicOperation {
    const { expireIn } = this.options;
    const atomic = this.kv.atomic().check({ key: entries[0].sets[0].key, versionstamp: null });
    const sums = new Map<string, { key: Deno.KvKey; count: bigint }>();
    for (const entry of entries) {
      for (const { key, value } of entry.sets) atomic.set(key, value, { expireIn });
      for (const key of entry.counters) {
        const sum = sums.get(nameOf(key)) ?? { key, count: 0n };
        sums.set(nameOf(key), { key, count: sum.count + 1n });
      }
    }
    for (const { key, count } of sums.values()) atomic.sum(key, count);
    return atomic;
  }
}

/** Cuts what is waiting into groups that fit an atomic each. */
function* split(waiting: readonly Waiting[]): Generator<Waiting[]> {
  let group: Waiting[] = [];
  let counters = new Set<string>();
  let mutations = 0;
  let keyBytes = 0;
  let bytes = 0;
  for (const one of waiting) {
    const { sets, valueBytes } = one.entry;
    let fresh = one.entry.counters.filter((key) => !counters.has(nameOf(key)));
    let cost = costOf(sets, fresh);
    const full = mutations + cost.mutations > MAX_MUTATIONS ||
      keyBytes + cost.keyBytes > MAX_KEY_BYTES ||
      bytes + cost.keyBytes + valueBytes > MAX_BYTES;
    if (full && group.length > 0) {
      yield group;
      group = [];
      counters = new Set();
      mutations = keyBytes = bytes = 0;
      fresh = [...one.entry.counters];
      cost = costOf(sets, fresh);
    }
    group.push(one);
    for (const key of fresh) counters.add(nameOf(key));
    mutations += cost.mutations;
    keyBytes += cost.keyBytes;
    bytes += cost.keyBytes + valueBytes;
  }
  if (group.length > 0) yield group;
}

function costOf(sets: Entry["sets"], counters: readonly Deno.KvKey[]) {
  let keyBytes = 0;
  for (const { key } of sets) keyBytes += sizeOf(key);
  for (const key of counters) keyBytes += sizeOf(key);
  return { mutations: sets.length + counters.length, keyBytes };
}

/** Bytes of a key: KV puts two bytes around each part. */
export function sizeOf(key: Deno.KvKey): number {
  let bytes = 0;
  for (const part of key) bytes += Buffer.byteLength(String(part)) + 2;
  return bytes;
}

function nameOf(key: Deno.KvKey): string {
  return key.map(String).join("\0");
}
