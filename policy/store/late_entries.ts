import { StoreUnavailable } from "./errors.ts";
import type { LateRecords } from "./types.ts";

/** About a kilobyte each. */
const MAX_WAITING = 20_000;
const RETRY_MS = 2_000;
/** Stored at once: new ones come meanwhile, and a store may be far away. */
const AT_ONCE = 64;

/** Entries that KV did not take, kept in memory until it does. A process that ends before loses them. */
export class LateEntries<T> {
  readonly #waiting: T[] = [];
  #ever = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<boolean> | null = null;

  /**
   * @param write stores an entry once, however often it is called; rejects where KV fails
   * @param changed told when the first begins to wait, and when the last is stored
   */
  constructor(
    readonly write: (entry: T) => Promise<void>,
    readonly changed: (state: LateRecords) => void = () => {},
  ) {}

  /** Throws StoreUnavailable. */
  keep(entry: T): void {
    if (this.#waiting.length >= MAX_WAITING) {
      throw new StoreUnavailable(`Cannot keep a record: ${MAX_WAITING} wait already`);
    }
    this.#waiting.push(entry);
    this.#ever++;
    this.#arm();
    if (this.#waiting.length === 1) this.changed(this.state);
  }

  get state(): LateRecords {
    return { waiting: this.#waiting.length, ever: this.#ever };
  }

  /** Stores what waits, the oldest first, until some fails; true: nothing waits any more. */
  flush(): Promise<boolean> {
    return this.#flushing ??= this.#flush().finally(() => this.#flushing = null);
  }

  async #flush(): Promise<boolean> {
    if (this.#waiting.length === 0) return true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, AT_ONCE);
      const results = await Promise.allSettled(batch.map((entry) => this.write(entry)));
      const failed = batch.filter((_, i) => results[i].status === "rejected");
      this.#waiting.splice(0, batch.length, ...failed);
      if (failed.length > 0) {
        this.#arm();
        return false;
      }
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.changed(this.state);
    return true;
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, RETRY_MS);
    // What waits is no reason for the process to stay.
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }
}
