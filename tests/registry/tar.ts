import { gzipSync } from "node:zlib";

/** One file of an archive. */
export interface TarEntry {
  /** Relative, at most 100 bytes. */
  path: string;
  content: string | Uint8Array;
  /** Default 0o644. */
  mode?: number;
}

const BLOCK = 512;
/** Some clients unpack a time of 0 badly, so npm's own constant is used. */
const MODIFIED = Date.UTC(1985, 9, 26, 8, 15) / 1000;

/** A gzipped ustar archive; the same entries give the same bytes. */
export function tarGzip(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const content = typeof entry.content === "string"
      ? new TextEncoder().encode(entry.content)
      : entry.content;
    const padding = (BLOCK - content.length % BLOCK) % BLOCK;
    parts.push(header(entry, content.length), content, new Uint8Array(padding));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Uint8Array(gzipSync(concat(parts), { level: 9 }));
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html, "ustar Interchange Format" */
function header(entry: TarEntry, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const path = new TextEncoder().encode(entry.path);
  if (path.length > 100) throw new RangeError(`Cannot pack a path this long: ${entry.path}`);
  block.set(path, 0);
  const put = (text: string, at: number) => block.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  put(octal(entry.mode ?? 0o644, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(MODIFIED, 11), 136);
  put("        ", 148); // The checksum counts its own field as blanks.
  put("0", 156);
  put("ustar\0" + "00", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
