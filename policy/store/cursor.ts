import { Buffer } from "node:buffer";
import { CursorInvalid } from "./errors.ts";

/** Most bytes of a position: keys of KV end at 2,048, and take two for a NUL. */
const MAX_BYTES = 900;

/**
 * Cursors: where a list goes on, opaque to those who carry them.
 * @param list tells the lists apart, so that none takes another's cursor
 */
export function encodeCursor(list: string, position: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...position])).toString("base64url");
}

/** The position, `length` texts. Throws CursorInvalid. */
export function decodeCursor(list: string, cursor: string, length: number): string[] {
  const parts = parse(cursor);
  const texts = Array.isArray(parts) ? parts.filter((part) => typeof part === "string") : [];
  const position = texts.slice(1);
  const known = texts[0] === list && position.length === length &&
    Buffer.byteLength(position.join("")) <= MAX_BYTES && encodeCursor(list, position) === cursor;
  if (!known) {
    throw new CursorInvalid(`Cannot go on from ${JSON.stringify(cursor.slice(0, 80))}`);
  }
  return position;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    return null;
  }
}
