/** Work that one instance does at a time, however many share the database. */
import * as v from "valibot";
import { committed } from "./committed.ts";
import { keys } from "./keys.ts";
import { guarded, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock } from "./types.ts";

const leaseSchema = v.object({
  holder: v.string(),
  /** Unix ms. */
  until: v.number(),
});

/** One of somebody else that has longer to go was made by a clock that was wrong. */
const MAX_LEASE_MS = 3_600_000;

export interface LeaseOptions {
  readonly now: Clock;
  /** Who works, for people who look into the database. */
  readonly holder: string;
  /**
   * How long others wait after the holder has vanished. The lease is renewed
   * while the work lasts, so this need not be as long as the work.
   */
  readonly ms: number;
  /** How long KV is waited for; 5 s by default. */
  readonly timeoutMs?: number;
}

export interface Lease {
  /** Aborted when the lease was lost to somebody else, or could not be renewed in time. */
  readonly signal: AbortSignal;
}

/**
 * Does the work unless somebody else is at it, who is not waited for.
 *
 * A lease keeps two from doing the same at once; it cannot stop a process that
 * was asleep for longer than `ms`. Where twice would be wrong, the work's own
 * commits check that nothing has changed.
 *
 * @returns what the work returned; null: somebody else holds the lease
 * Throws StoreUnavailable and what the work throws.
 */
export async function withLease<T>(
  kv: Deno.Kv,
  name: string,
  options: LeaseOptions,
  work: (lease: Lease) => Promise<T>,
): Promise<{ readonly value: T } | null> {
  const held = new HeldLease(kv, keys.lease(name), options);
  if (!await held.take()) return null;
  try {
    return { value: await work(held) };
  } finally {
    await held.release();
  }
}

class HeldLease implements Lease {
  readonly #lost = new AbortController();
  readonly signal = this.#lost.signal;
  #versionstamp: string | null = null;
  #until = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #renewing: Promise<void> | null = null;

  constructor(
    readonly kv: Deno.Kv,
    readonly key: Deno.KvKey,
    readonly options: LeaseOptions,
  ) {}

  /** False: somebody else has it. */
  async take(): Promise<boolean> {
    const { now, ms } = this.options;
    const stored = await guarded(
      "read a lease",
      this.#timeoutMs,
      () => this.kv.get<unknown>(this.key),
    );
    const lease = v.safeParse(leaseSchema, stored.value);
    const left = lease.success ? lease.output.until - now() : 0;
    if (left > 0 && left <= Math.max(ms, MAX_LEASE_MS)) return false;
    if (!await this.#write(stored.versionstamp)) return false;
    this.#timer = setInterval(() => this.#renew(), ms / 3);
    return true;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    if (this.signal.aborted) return;
    const { key, kv } = this;
    const mine = { key, versionstamp: this.#versionstamp };
    try {
      await this.#commit("release a lease", kv.atomic().check(mine).delete(key));
    } catch {
      // It ends by itself, and the work is done all the same.
    }
  }

  /** False: somebody was faster. */
  async #write(expected: string | null): Promise<boolean> {
    const { now, holder, ms } = this.options;
    const until = now() + ms;
    const result = await this.#commit(
      "take a lease",
      this.kv.atomic()
        .check({ key: this.key, versionstamp: expected })
        .set(this.key, { holder, until }, { expireIn: ms }),
    );
    if (!result.ok) return false;
    this.#versionstamp = result.versionstamp;
    this.#until = until;
    return true;
  }

  #renew(): void {
    if (this.#renewing !== null || this.signal.aborted) return;
    this.#renewing = this.#write(this.#versionstamp)
      .then((ok) => ok || this.#lose(), () => this.options.now() >= this.#until && this.#lose())
      .then(() => void (this.#renewing = null));
  }

  #lose(): void {
    clearInterval(this.#timer);
    this.#lost.abort(new DOMException("the lease was lost", "AbortError"));
  }

  #commit(what: string, atomic: Deno.AtomicOperation) {
    return committed(what, this.#timeoutMs, () => atomic.commit());
  }

  get #timeoutMs(): number {
    return this.options.timeoutMs ?? STORE_TIMEOUT_MS;
  }
}
