/**
 * Whether something happened within the last so many milliseconds. What lies
 * ahead happened while a clock was wrong, nobody knows how long ago: no.
 * @param at Unix ms, as `now`
 */
export function isWithin(at: number, now: number, ms: number): boolean {
  return now >= at && now - at < ms;
}
