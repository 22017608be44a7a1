/** When a message that failed is tried again. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** After the first failure, the second and so on; the last one from then on. */
const DELAYS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR] as const;
/** However long a receiver wants to be left alone. */
const MAX_RETRY_AFTER = HOUR;
/** Nothing is put off for longer: what is was dated by a clock that was ahead. */
const LONGEST_DELAY = 2 * HOUR;
/** News this old is given up, once it was tried for a while. */
export const GIVE_UP_MS = 24 * HOUR;
/** Also when the proxy itself was asleep for a day. */
const MIN_ATTEMPTS = DELAYS.length;

/**
 * How long to wait, a fifth more or less, so that receivers which failed
 * together are not asked together.
 * @param failures how often it has failed, this time included
 * @param random from 0 to 1
 */
export function retryDelay(
  failures: number,
  { random, retryAfterMs }: { random: number; retryAfterMs: number | null },
): number {
  const delay = DELAYS[Math.min(failures, DELAYS.length) - 1] ?? DELAYS[0];
  const jittered = Math.round(delay * (0.8 + 0.4 * random));
  return Math.max(jittered, Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER));
}

/** Whether a message waits for its time; both are Unix ms. */
export function isPutOff(retryAt: number, now: number): boolean {
  return retryAt > now && retryAt <= now + LONGEST_DELAY;
}

/** Whether a message is given up after another failure; times are Unix ms. */
export function isHopeless(failures: number, newest: number, now: number): boolean {
  return failures >= MIN_ATTEMPTS && now - newest >= GIVE_UP_MS;
}
