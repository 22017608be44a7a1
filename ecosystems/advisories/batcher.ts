/** Questions that arrive together travel together. */
import type { RecordVersion } from "../../policy/store/advisory_pack.ts";
import type { BatchResult, OsvQuery } from "./client.ts";

/** A batch leaves when nobody has joined it for this long, */
const WINDOW_MS = 5;
/** or for this long while another is under way, since that keeps more from coming; */
const BUSY_WINDOW_MS = 15;
/** and at the latest after so many times that. */
const LONGEST = 4;
/** OSV takes twice as many. */
const MAX_PACKAGES = 500;
/** What arrives while these are under way becomes the next batch. */
const AT_ONCE = 2;

type Ask = (packages: readonly OsvQuery[]) => Promise<BatchResult[]>;

interface Waiting {
  readonly query: OsvQuery;
  resolve(found: RecordVersion[]): void;
  reject(error: unknown): void;
}

export class Batcher {
  readonly #ask: Ask;
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the batch leaves that the timer is for, on `performance.now()`'s clock. */
  #latest = 0;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  ask(query: OsvQuery): Promise<RecordVersion[]> {
    const { promise, resolve, reject } = Promise.withResolvers<RecordVersion[]>();
    this.#waiting.push({ query, resolve, reject });
    this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#waiting.length === 0 || this.#running >= AT_ONCE) return;
    const now = performance.now();
    const window = this.#running === 0 ? WINDOW_MS : BUSY_WINDOW_MS;
    if (this.#timer === undefined) this.#latest = now + window * LONGEST;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send(this.#waiting.splice(0, MAX_PACKAGES));
    }, Math.min(window, this.#latest - now));
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    this.#running++;
    this.#schedule();
    try {
      const answers = await this.#ask(batch.map(({ query }) => query));
      batch.forEach(({ resolve, reject }, i) => {
        const answer = answers[i];
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#running--;
      this.#schedule();
    }
  }
}
