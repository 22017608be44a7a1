import { monotonicFactory } from "ulid";

/** Clocks that are set right go back by less; one that goes back further was wrong before. */
const MAX_BACK_MS = 60_000;

/**
 * Makes ids (ULIDs) of the time they are given, Unix ms. Each is greater than
 * the one before, unless the clock has gone back by more than a minute: ids
 * follow it then, so that one wrong tick does not date all that comes after it.
 */
export function idMaker(): (now: number) => string {
  let next = monotonicFactory();
  let last = -Infinity;
  return (now) => {
    if (now < last - MAX_BACK_MS) {
      next = monotonicFactory();
      last = now;
    }
    last = Math.max(last, now);
    return next(now);
  };
}
