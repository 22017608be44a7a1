/** Walks over a text without a copy of it in pieces, which would be many times its size. */
import { LockfileInvalid } from "./locked.ts";

/** Far more than 50,000 packages take. */
export const MAX_PIECES = 2_000_000;

/** Lines from the first, without their ends. Throws LockfileInvalid. */
export function* textLines(text: string): Generator<string> {
  let count = 0;
  for (let start = 0; start <= text.length;) {
    if (++count > MAX_PIECES) tooMany(MAX_PIECES, "lines");
    const found = text.indexOf("\n", start);
    const end = found < 0 ? text.length : found;
    yield text.slice(start, text.charCodeAt(end - 1) === CR && end > start ? end - 1 : end);
    start = end + 1;
  }
}

/** What some readers end a line at, and others do not. */
// deno-lint-ignore no-control-regex -- they are what is looked for
const OTHER_END = /\r(?!\n)|[\v\f\x1c-\x1e\x85\u2028\u2029]/;

/**
 * Refuses a text whose lines are others for the tool that installs from it than
 * for us: a comment could hide a release. Throws LockfileInvalid.
 */
export function refuseOtherEnds(text: string): void {
  const at = text.search(OTHER_END);
  if (at < 0) return;
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < at; i = text.indexOf("\n", i + 1)) line++;
  const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
  throw new LockfileInvalid(
    `It has U+${code}, at which some tools end a line: only LF and CRLF may`,
    { line },
  );
}

/**
 * Bounds what a parser of somebody else's will make of a text: each value takes
 * a line, a comma or a bracket. Throws LockfileInvalid.
 */
export function boundPieces(text: string, max = MAX_PIECES): void {
  let pieces = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === LF || code === COMMA || code === BRACKET || code === BRACE) pieces++;
  }
  if (pieces > max) tooMany(max, "values");
}

/** @param of what there are too many of */
export function tooMany(max: number, of: string): never {
  throw new LockfileInvalid(`It has more than ${max.toLocaleString("en")} ${of}`);
}

const LF = 10;
const CR = 13;
const COMMA = 44;
const BRACKET = 91;
const BRACE = 123;
