import { Buffer } from "node:buffer";
import type { HoldBack } from "../ecosystem.ts";

/**
 * uv unpacks an archive while it arrives, and asks for nothing behind its last
 * file: without a lockfile it would install one that breaks off there. Whatever
 * may be unpacked so is held back as far as that; other files need nothing more
 * than a missing end.
 */
export function holdBack(filename: string): HoldBack | null {
  if (/\.(?:whl|zip)$/i.test(filename)) return new ZipDirectory();
  if (/\.(?:tar(?:\.[a-z0-9]+)?|t[a-z]*z[2o]?)$/i.test(filename)) return WHOLE;
  return null;
}

/** Where a tar archive ends nobody can tell without inflating it. */
const WHOLE: HoldBack = { free: () => 0, trickles: true };

/** What records of a zip archive begin with: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3. */
const MARK = "PK";
/** What follows that at the directory, and at the end of an archive without one. */
const ENDS: ReadonlySet<number> = new Set([0x0102, 0x0506, 0x0606]);
/** Of `PK` and those two bytes, as many as say nothing yet. */
const BEGUN = 3;

/**
 * All of a zip archive up to its directory, or what looks like one: where a
 * file's data end is said in two places, and readers differ in which they heed.
 */
class ZipDirectory implements HoldBack {
  readonly trickles = false;
  /** The last bytes that went by. */
  #before = Buffer.alloc(0);

  free(piece: Uint8Array<ArrayBuffer>): number {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const border = Buffer.concat([this.#before, bytes.subarray(0, BEGUN)]);
    if (indexOfEnd(border) < border.length) return 0;
    this.#before = Buffer.concat([this.#before, bytes.subarray(-BEGUN)]).subarray(-BEGUN);
    return indexOfEnd(bytes);
  }
}

/**
 * The length of the bytes: nowhere. As text, in which the runtime finds two
 * characters several times as fast as it finds one byte.
 */
function indexOfEnd(bytes: Buffer): number {
  const text = bytes.toString("latin1");
  for (let at = text.indexOf(MARK); at >= 0; at = text.indexOf(MARK, at + 1)) {
    if (at + BEGUN < bytes.length && ENDS.has(bytes.readUInt16BE(at + 2))) return at;
  }
  return bytes.length;
}
