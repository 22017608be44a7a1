/** When the advisory database last answered anybody, as far as this process and KV can say. */
import { isWithin } from "../../policy/clock.ts";
import type { AdvisoryStore } from "../../policy/store/advisories.ts";
import type { AdvisoryState } from "../../policy/types.ts";

/** How long an answer is used while the database fails. */
export const STALE_MS = 24 * 3600_000;
/** How often KV learns that the database answers. */
const NOTE_MS = 60_000;

/** Its methods throw nothing. */
export class LastAnswer {
  #at: number | null | undefined;
  #notedAt = -Infinity;

  constructor(readonly store: AdvisoryStore) {}

  /** Unix ms; null: never; undefined: KV has not said. */
  get at(): number | null | undefined {
    return this.#at;
  }

  /** Asks KV until it has said. */
  async read(): Promise<void> {
    if (this.#at !== undefined) return;
    try {
      const at = await this.store.lastAnswer();
      this.#at ??= at; // the database may have answered meanwhile
    } catch {
      return; // it is asked again with the next package
    }
  }

  /** @param at Unix ms: it has just answered */
  async note(at: number): Promise<void> {
    this.#at = at;
    if (isWithin(this.#notedAt, at, NOTE_MS)) return;
    this.#notedAt = at;
    try {
      await this.store.noteAnswer(at);
    } catch {
      return; // KV that fails learns it from a later answer
    }
  }

  /** What that makes of a package of which nothing is known. While KV cannot say, nobody vouches for it. */
  stateAt(now: number): AdvisoryState {
    if (this.#at === null) return "never";
    return this.#at !== undefined && isWithin(this.#at, now, STALE_MS) ? "late" : "silent";
  }
}
