import { Buffer } from "node:buffer";
import type { HoldBack } from "../ecosystem.ts";

/**
 * uv unpacks an archive while it arrives, and asks for nothing behind its last
 * file: without a lockfile it would install one that breaks off there. Whatever
 * may be unpacked so is held back as far as that; other files need nothing more
 * than a missing end.
 */
export function holdBack(filename: string): HoldBack | null {
  if (/\.(?:whl|zip)$/i.test(filename)) return new ZipFiles();
  if (/\.(?:tar(?:\.[a-z0-9]+)?|t[a-z]*z[2o]?)$/i.test(filename)) return WHOLE;
  return null;
}

/**
 * Where a tar archive ends nobody can tell without inflating it. Large ones (some
 * have hundreds of megabytes) are held back as far as memory goes.
 */
const WHOLE: HoldBack = { free: () => 0, trickles: true };

/** Records of a zip archive: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3. */
const FILE = 0x04034b50;
const FILE_HEADER = 30;
/** In front of every record. */
const MARK = Buffer.from("PK");
/** The two bytes after `PK` with which the directory, or the end of the archive, begins. */
const ENDS: ReadonlySet<number> = new Set([0x0102, 0x0506, 0x0606, 0x0607]);
/** Sizes that are stated elsewhere. */
const ZIP64 = 0xffffffff;
const ZIP64_FIELD = 0x0001;
/** Encrypted, or of a size that stands behind the data. */
const UNFOLLOWED = 0b1001;

/**
 * All of a zip archive up to its directory. The files are followed from header
 * to header; behind one that does not say where it ends, or a header that is
 * none, whatever looks like the directory is taken for it.
 */
class ZipFiles implements HoldBack {
  readonly trickles = false;
  /** Bytes of a file's data that are still to come. */
  #skip = 0;
  /** As much of a header as has come. */
  #header = Buffer.alloc(0);
  /** The last bytes that were searched; null: the files can be followed. */
  #searched: Buffer | null = null;

  free(piece: Uint8Array<ArrayBuffer>): number {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    let at = 0;
    while (at < bytes.length && this.#searched === null) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      const length = this.#length();
      const part = bytes.subarray(at, at + length - this.#header.length);
      this.#header = Buffer.concat([this.#header, part]);
      at += part.length;
      if (this.#header.length < length) break;
      if (length === 4 && isRecord(this.#header) && this.#header.readUInt32LE() !== FILE) {
        return Math.max(0, at - 4);
      }
      this.#read();
    }
    return this.#searched === null ? bytes.length : this.#search(bytes, at);
  }

  /** Of the header, as far as what has come of it tells. */
  #length(): number {
    const header = this.#header;
    if (header.length < 4) return 4;
    if (header.length < FILE_HEADER) return FILE_HEADER;
    return FILE_HEADER + header.readUInt16LE(26) + header.readUInt16LE(28);
  }

  #read(): void {
    const header = this.#header;
    if (header.readUInt32LE() !== FILE) this.#searched = header.subarray(1);
    else if (header.length >= FILE_HEADER && header.length === this.#length()) {
      const size = sizeOf(header);
      if (size === null) this.#searched = Buffer.alloc(0);
      else this.#skip = size;
      this.#header = Buffer.alloc(0);
    }
  }

  /** Where the directory seems to begin; the length of the piece: nowhere. */
  #search(bytes: Buffer, from: number): number {
    const before = this.#searched ?? Buffer.alloc(0);
    const border = Buffer.concat([before, bytes.subarray(from, from + 3)]);
    if (indexOfEnd(border, 0) < before.length) return from;
    const last = bytes.subarray(Math.max(from, bytes.length - 3));
    this.#searched = Buffer.concat([before, last]).subarray(-3);
    return indexOfEnd(bytes, from);
  }
}

/** The length of the bytes: nowhere. */
function indexOfEnd(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(MARK, from); at >= 0; at = bytes.indexOf(MARK, at + 1)) {
    if (at + 4 <= bytes.length && ENDS.has(bytes.readUInt16BE(at + 2))) return at;
  }
  return bytes.length;
}

function isRecord(header: Buffer): boolean {
  return header.subarray(0, 2).equals(MARK);
}

/** Bytes of a file's data; null: its header does not say, or not beyond doubt. */
function sizeOf(header: Buffer): number | null {
  if ((header.readUInt16LE(6) & UNFOLLOWED) !== 0) return null;
  const size = header.readUInt32LE(18);
  if (size !== ZIP64) return size;
  const extra = header.subarray(FILE_HEADER + header.readUInt16LE(26));
  const fields: Buffer[] = [];
  for (let at = 0; at < extra.length;) {
    if (at + 4 > extra.length) return null;
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === ZIP64_FIELD) fields.push(extra.subarray(at + 4, end));
    at = end;
  }
  // Both sizes, the data's second: else readers differ in which one stands where.
  if (header.readUInt32LE(22) !== ZIP64 || fields.length !== 1 || fields[0].length < 16) {
    return null;
  }
  const large = fields[0].readBigUInt64LE(8);
  return large <= Number.MAX_SAFE_INTEGER ? Number(large) : null;
}
