import { crc32 } from "node:zlib";
import { concat } from "./tar.ts";

/** The smallest writer of zip archives (stored, not deflated) that pip reads. */

export interface ZipEntry {
  readonly path: string;
  readonly content: string;
}

export function zip(entries: readonly ZipEntry[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { path, content } of entries) {
    const name = encoder.encode(path);
    const data = encoder.encode(content);
    const common = [20, 2, 0x0800, 2, 0, 2, 0, 2, 0x5821, 2, crc32(data), 4, data.length, 4]
      .concat([data.length, 4, name.length, 2, 0, 2]);
    const local = record([0x04034b50, 4, ...common]);
    chunks.push(local, name, data);
    // Unix, 0644 in the upper half of the external attributes
    directory.push(
      record([0x02014b50, 4, 0x0314, 2, ...common, 0, 2, 0, 2, 0, 2, 0x81a40000, 4, offset, 4]),
      name,
    );
    offset += local.length + name.length + data.length;
  }
  const size = directory.reduce((sum, chunk) => sum + chunk.length, 0);
  const count = entries.length;
  const end = record([0x06054b50, 4, 0, 2, 0, 2, count, 2, count, 2, size, 4, offset, 4, 0, 2]);
  return concat([...chunks, ...directory, end]);
}

/** Little-endian numbers, given as value, width, value, width... */
function record(numbers: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    for (let byte = 0; byte < numbers[index + 1]; byte++) {
      bytes.push((numbers[index] >>> (8 * byte)) & 0xff);
    }
  }
  return Uint8Array.from(bytes);
}
