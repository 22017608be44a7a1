/**
 * A strict walk over JSON as bytes, which builds nothing: an index of 10 MB is
 * read for the few places that matter and spliced, instead of being parsed and
 * printed again. Grammar: RFC 8259; nesting is bounded.
 */
import { InvalidMetadata } from "../errors.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const MAX_DEPTH = 256;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Called for each member of an object; key without its quotes is `bytes[keyStart+1 .. keyEnd-1]`. */
export type OnMember = (
  keyStart: number,
  keyEnd: number,
  valueStart: number,
) => number;

/**
 * Walks the members of the object that begins at `at`. `onMember` must return
 * the end of the value: the result of `skipValue` or of a walk of its own.
 * @returns the position after the closing brace. Throws InvalidMetadata.
 */
export function walkObject(bytes: Uint8Array, at: number, onMember: OnMember): number {
  if (bytes[at] !== OPEN_OBJECT) fail(at, "an object");
  let i = skipSpace(bytes, at + 1);
  if (bytes[i] === CLOSE_OBJECT) return i + 1;
  while (true) {
    const keyStart = i;
    const keyEnd = skipString(bytes, i);
    i = skipSpace(bytes, keyEnd);
    if (bytes[i] !== COLON) fail(i, "a colon");
    const end = onMember(keyStart, keyEnd, skipSpace(bytes, i + 1));
    i = skipSpace(bytes, end);
    if (bytes[i] === CLOSE_OBJECT) return i + 1;
    if (bytes[i] !== COMMA) fail(i, "a comma or a closing brace");
    i = skipSpace(bytes, i + 1);
  }
}

/** @returns the position after the value that begins at `at`. Throws InvalidMetadata. */
export function skipValue(bytes: Uint8Array, at: number, depth = 0): number {
  const first = bytes[at];
  if (first === QUOTE) return skipString(bytes, at);
  if (first === OPEN_OBJECT) return skipContainer(bytes, at, CLOSE_OBJECT, depth);
  if (first === OPEN_ARRAY) return skipContainer(bytes, at, CLOSE_ARRAY, depth);
  return skipScalar(bytes, at);
}

function skipContainer(bytes: Uint8Array, at: number, close: number, depth: number): number {
  if (depth >= MAX_DEPTH) fail(at, `nesting of at most ${MAX_DEPTH}`);
  let i = skipSpace(bytes, at + 1);
  if (bytes[i] === close) return i + 1;
  while (true) {
    if (close === CLOSE_OBJECT) {
      i = skipSpace(bytes, skipString(bytes, i));
      if (bytes[i] !== COLON) fail(i, "a colon");
      i = skipSpace(bytes, i + 1);
    }
    i = skipSpace(bytes, skipValue(bytes, i, depth + 1));
    const byte = bytes[i];
    if (byte === close) return i + 1;
    if (byte !== COMMA) fail(i, "a comma or a closing bracket");
    i = skipSpace(bytes, i + 1);
  }
}

/** @returns the position after the closing quote of the string that begins at `at`. */
export function skipString(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) fail(at, "a string");
  const length = bytes.length;
  let i = at + 1;
  while (i < length) {
    const byte = bytes[i];
    if (byte === QUOTE) return i + 1;
    if (byte === BACKSLASH) {
      i = skipEscape(bytes, i);
      continue;
    }
    if (byte < 0x20) fail(i, "no control character in a string");
    i++;
  }
  fail(at, "a string that ends");
}

function skipEscape(bytes: Uint8Array, at: number): number {
  switch (bytes[at + 1]) {
    case 0x22: // "
    case 0x5c: // \
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2;
    case 0x75: // u
      for (let i = at + 2; i < at + 6; i++) {
        if (!isHex(bytes[i])) fail(i, "four hexadecimal digits");
      }
      return at + 6;
  }
  fail(at, "an escape of JSON");
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) ||
    (byte >= 0x61 && byte <= 0x66);
}

/** Numbers and literals are rare, so their grammar is left to JSON.parse. */
function skipScalar(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && isScalarByte(bytes[end])) end++;
  if (end === at || end - at > 64) fail(at, "a value");
  parseSlice(bytes, at, end);
  return end;
}

function isScalarByte(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d ||
    byte === 0x2b || byte === 0x2e || byte === 0x45;
}

export function skipSpace(bytes: Uint8Array, at: number): number {
  let i = at;
  while (bytes[i] === 0x20 || bytes[i] === 0x0a || bytes[i] === 0x0d || bytes[i] === 0x09) i++;
  return i;
}

/** The value of a span, parsed. Throws InvalidMetadata. */
export function parseSlice(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return JSON.parse(decoder.decode(bytes.subarray(start, end)));
  } catch (cause) {
    throw new InvalidMetadata(`Cannot read JSON at byte ${start}`, { cause });
  }
}

/** The string of a span that begins and ends with its quotes. Throws InvalidMetadata. */
export function stringAt(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] !== QUOTE) fail(start, "a string");
  for (let i = start + 1; i < end - 1; i++) {
    if (bytes[i] === BACKSLASH || bytes[i] >= 0x80) return String(parseSlice(bytes, start, end));
  }
  return decoder.decode(bytes.subarray(start + 1, end - 1));
}

/** Names of members, found by their bytes without making a string of each key. */
export class KeyTable<Key extends string> {
  readonly #byLength: { key: Key; bytes: Uint8Array }[][] = [];

  constructor(keys: readonly Key[]) {
    for (const key of keys) {
      const bytes = new TextEncoder().encode(key);
      (this.#byLength[bytes.length] ??= []).push({ key, bytes });
    }
  }

  /** The known name of a key span (quotes included), or null; escapes are honoured. */
  find(bytes: Uint8Array, start: number, end: number): Key | null {
    const candidates = this.#byLength[end - start - 2];
    if (candidates !== undefined) {
      for (const { key, bytes: name } of candidates) {
        let i = 0;
        while (i < name.length && bytes[start + 1 + i] === name[i]) i++;
        if (i === name.length) return key;
      }
    }
    return bytes.subarray(start, end).includes(BACKSLASH)
      ? this.#find(stringAt(bytes, start, end))
      : null;
  }

  #find(text: string): Key | null {
    return this.#byLength.flat().find((entry) => entry?.key === text)?.key ?? null;
  }
}

function fail(at: number, wanted: string): never {
  throw new InvalidMetadata(`Cannot read JSON at byte ${at}: expected ${wanted}`);
}
