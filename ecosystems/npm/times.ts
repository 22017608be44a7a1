/** `time` of a packument: when each version was published, read where it stands. */
import { Members, skipValue, stringAt } from "./json_scan.ts";

const ZERO = 0x30;
const QUOTE = 0x22;
const DASH = 0x2d;
const COLON = 0x3a;
const DOT = 0x2e;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

/** Where a member of `time` is: its key with quotes, its value. */
export interface TimeMember {
  readonly start: number;
  readonly keyEnd: number;
  readonly value: number;
  readonly end: number;
}

/** A member of `time`, in the document's order. */
export interface TimeSpan {
  readonly start: number;
  readonly end: number;
  /** Of the version in `versions`; -1: it is of none that is left. */
  readonly position: number;
}

export interface Times {
  readonly times: readonly TimeSpan[];
  /** Parallel to `versions`: Unix ms; null: not stated. */
  readonly published: readonly (number | null)[];
  /** When anything changed, as `time` says; null: no text. */
  readonly modified: string | null;
}

/** Finds the members of the object at `at`. Throws InvalidMetadata. */
export function scanTimes(bytes: Uint8Array, at: number): { found: TimeMember[]; end: number } {
  const found: TimeMember[] = [];
  const members = new Members(bytes, at);
  while (members.next()) {
    const { keyStart: start, keyEnd, value } = members;
    const end = members.end = skipValue(bytes, value);
    found.push({ start, keyEnd, value, end });
  }
  return { found, end: members.end };
}

/**
 * What they say of which version; of two that say something else the last
 * counts, as it does for clients. Throws InvalidMetadata.
 * @param versions where each begins with its key
 * @param positions by version, into `versions`
 */
export function readTimes(
  bytes: Uint8Array,
  found: readonly TimeMember[],
  { versions, positions }: {
    versions: readonly { readonly start: number }[];
    positions: ReadonlyMap<string, number>;
  },
): Times {
  const published = new Array<number | null>(versions.length).fill(null);
  let modified: string | null = null;
  let next = 0;
  const times = found.map(({ start, keyEnd, value, end }) => {
    // Most documents have both in the same order, so that most keys need not be made strings.
    let position = next;
    if (next >= versions.length || !isSame(bytes, versions[next].start, { start, end: keyEnd })) {
      const key = stringAt(bytes, start, keyEnd);
      position = positions.get(key) ?? -1;
      if (key === "modified") {
        modified = bytes[value] === QUOTE ? stringAt(bytes, value, end) : null;
      }
    }
    if (position >= 0) {
      next = position + 1;
      published[position] = bytes[value] === QUOTE ? instantAt(bytes, value, end) : null;
    }
    return { start, end, position };
  });
  return { times, published, modified };
}

/** Whether the same string, quotes included, stands elsewhere too. */
function isSame(
  bytes: Uint8Array,
  elsewhere: number,
  { start, end }: { start: number; end: number },
): boolean {
  for (let i = start, at = elsewhere; i < end; i++, at++) {
    if (bytes[i] !== bytes[at]) return false;
  }
  return true;
}

/** Unix ms of the string with these quotes; null: it is no RFC 3339 instant. */
function instantAt(bytes: Uint8Array, start: number, end: number): number | null {
  return end - start === 26
    ? usualInstant(bytes, start + 1) ?? instantOf(stringAt(bytes, start, end))
    : instantOf(stringAt(bytes, start, end));
}

/** Of `2026-01-02T03:04:05.678Z`; null: another form, or a day that not every month has. */
function usualInstant(bytes: Uint8Array, at: number): number | null {
  if (
    bytes[at + 4] !== DASH || bytes[at + 7] !== DASH || bytes[at + 10] !== LETTER_T ||
    bytes[at + 13] !== COLON || bytes[at + 16] !== COLON || bytes[at + 19] !== DOT ||
    bytes[at + 23] !== LETTER_Z
  ) return null;
  const year = digits(bytes, at, 4);
  const month = digits(bytes, at + 5, 2);
  const day = digits(bytes, at + 8, 2);
  const hour = digits(bytes, at + 11, 2);
  const minute = digits(bytes, at + 14, 2);
  const second = digits(bytes, at + 17, 2);
  const ms = digits(bytes, at + 20, 3);
  // Date.UTC takes the first hundred years for those of the last century.
  if (year < 100 || month < 1 || month > 12 || day < 1 || day > 28) return null;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return null;
  return ms < 0 ? null : Date.UTC(year, month - 1, day, hour, minute, second, ms);
}

/** -1: they are no digits. */
function digits(bytes: Uint8Array, at: number, count: number): number {
  let number = 0;
  for (let i = at; i < at + count; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** RFC 3339 only: what else Date.parse takes would be a guess. */
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/;

function instantOf(text: string): number | null {
  if (!TIME.test(text)) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}
