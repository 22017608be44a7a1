/**
 * Semantic versions as nearly all are written (`1.2.3`, `2.0.0-rc.1`), read
 * several times as fast as by npm's `semver`, whose order this is. What is
 * written in any other way is left to `semver`.
 */
export interface PlainVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Pre-release identifiers; null: a stable version. */
  readonly channel: readonly (string | number)[] | null;
}

/** Numbers of more digits may not be exact. */
const MAX_DIGITS = 15;
/** `semver` takes no longer ones. */
const MAX_LENGTH = 256;

const ZERO = 0x30;
const DOT = 0x2e;
const HYPHEN = 0x2d;

/** null: for `semver` to read. */
export function plainVersion(text: string): PlainVersion | null {
  if (text.length > MAX_LENGTH) return null;
  const core = [0, 0, 0];
  let at = 0;
  for (let part = 0; part < 3; part++) {
    if (part > 0 && text.charCodeAt(at++) !== DOT) return null;
    const end = digitsEnd(text, at);
    if (!isNumber(text, at, end)) return null;
    core[part] = numberOf(text, at, end);
    at = end;
  }
  const [major, minor, patch] = core;
  if (at === text.length) return { major, minor, patch, channel: null };
  if (text.charCodeAt(at) !== HYPHEN) return null;
  const channel = identifiers(text, at + 1);
  return channel === null ? null : { major, minor, patch, channel };
}

/** Negative: `a` comes before `b`. */
export function comparePlain(a: PlainVersion, b: PlainVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch ||
    compareChannels(a.channel, b.channel);
}

function compareChannels(a: PlainVersion["channel"], b: PlainVersion["channel"]): number {
  if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareIdentifiers(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Numbers come before words. */
function compareIdentifiers(a: string | number, b: string | number): number {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function identifiers(text: string, from: number): (string | number)[] | null {
  const found: (string | number)[] = [];
  for (let at = from;; at++) {
    const begin = at;
    let digits = true;
    for (; at < text.length && text.charCodeAt(at) !== DOT; at++) {
      const code = text.charCodeAt(at);
      if (isDigit(code)) continue;
      if (!isLetter(code) && code !== HYPHEN) return null;
      digits = false;
    }
    if (at === begin || (digits && !isNumber(text, begin, at))) return null;
    found.push(digits ? numberOf(text, begin, at) : text.slice(begin, at));
    if (at === text.length) return found;
  }
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** Not empty, without a leading zero, exact. */
function isNumber(text: string, from: number, end: number): boolean {
  const digits = end - from;
  if (digits === 0 || digits > MAX_DIGITS) return false;
  return digits === 1 || text.charCodeAt(from) !== ZERO;
}

function numberOf(text: string, from: number, end: number): number {
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + text.charCodeAt(at) - ZERO;
  return value;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 0x39;
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}
