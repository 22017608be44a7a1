/** Yanks a version in the text of its index line, and changes nothing else of it. */
import { InvalidMetadata } from "../errors.ts";

const QUOTE = 0x22, BACKSLASH = 0x5c, COLON = 0x3a, COMMA = 0x2c;
const OPEN = [0x7b, 0x5b], CLOSE = [0x7d, 0x5d];
const BRACE = 0x7d;

const TRUE = new TextEncoder().encode("true");
const FIELD = new TextEncoder().encode(',"yanked":true');

/**
 * @param line a JSON object with at least one field, whose `yanked` is true,
 * false, null or missing
 */
export function markYanked(line: Uint8Array): Uint8Array {
  const values = valuesOfYanked(line);
  if (values.length > 1) throw new InvalidMetadata("An index line has yanked twice");
  if (values.length === 0) {
    const end = line.lastIndexOf(BRACE);
    return splice(line, { start: end, end }, FIELD);
  }
  return splice(line, values[0], TRUE);
}

interface Span {
  start: number;
  end: number;
}

function splice(line: Uint8Array, { start, end }: Span, insert: Uint8Array): Uint8Array {
  const changed = new Uint8Array(line.length - (end - start) + insert.length);
  changed.set(line.subarray(0, start));
  changed.set(insert, start);
  changed.set(line.subarray(end), start + insert.length);
  return changed;
}

/**
 * Works on bytes: in UTF-8 no byte of a longer character looks like ASCII.
 * Dependencies and features may be called `yanked` too, hence the depth.
 */
function valuesOfYanked(line: Uint8Array): Span[] {
  const found: Span[] = [];
  let depth = 0;
  for (let at = 0; at < line.length; at++) {
    const byte = line[at];
    if (OPEN.includes(byte)) depth++;
    else if (CLOSE.includes(byte)) depth--;
    if (byte !== QUOTE) continue;
    const end = endOfString(line, at);
    const colon = skipBlanks(line, end);
    if (depth === 1 && line[colon] === COLON && isYanked(line.subarray(at, end))) {
      const start = skipBlanks(line, colon + 1);
      found.push({ start, end: endOfLiteral(line, start) });
    }
    at = end - 1;
  }
  return found;
}

/** Position after the closing quote. */
function endOfString(line: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < line.length && line[at] !== QUOTE) at += line[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function skipBlanks(line: Uint8Array, start: number): number {
  let at = start;
  while (line[at] <= 0x20) at++;
  return at;
}

function endOfLiteral(line: Uint8Array, start: number): number {
  let at = start;
  while (at < line.length && line[at] > 0x20 && line[at] !== COMMA && line[at] !== BRACE) at++;
  return at;
}

/** @param key with its quotes; escapes count as what they stand for */
function isYanked(key: Uint8Array): boolean {
  if (key.length < 8) return false;
  const text = new TextDecoder().decode(key);
  return text === '"yanked"' || (text.includes("\\") && JSON.parse(text) === "yanked");
}
