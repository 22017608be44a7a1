import { guarded } from "./timeout.ts";

/** First pause after a commit that found the database locked; each further one is up to twice as long. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;
/** After other failures. */
const OTHER_PAUSES_MS = [20, 100];

export interface Repeating {
  /**
   * Whether to repeat, twice, what has failed for another reason and may have
   * taken effect all the same: where `commit` bears to find that it has.
   */
  readonly always?: boolean;
}

/**
 * Commits, and goes on trying for `timeoutMs` while another process has the
 * database locked: of those that share a file, a commit with checks or sums is
 * turned away at once. What was turned away has not taken effect, so repeating
 * it is harmless. Throws StoreUnavailable.
 * @param what completes the sentence "Cannot ...", for the log
 */
export async function committed<T>(
  what: string,
  timeoutMs: number,
  commit: () => Promise<T>,
  { always = false }: Repeating = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let pause = FIRST_PAUSE_MS;
  let others = 0;
  while (true) {
    const left = Math.max(1, Math.round(deadline - performance.now()));
    try {
      return await guarded(what, left, commit);
    } catch (error) {
      let delay: number | undefined;
      if (isLocked(error)) {
        // At random, so that those who wait do not meet again.
        delay = pause * (0.5 + Math.random() / 2);
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      } else if (always) delay = OTHER_PAUSES_MS[others++];
      if (delay === undefined || performance.now() + delay >= deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}

/** SQLite's words; KV has no class of its own for it. */
function isLocked(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /\b(?:locked|busy)\b/i.test(error.message) || isLocked(error.cause);
}
