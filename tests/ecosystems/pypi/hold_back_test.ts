/** What a client that unpacks while it downloads may have before the file is known to be right. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { holdBack } from "../../../ecosystems/pypi/hold_back.ts";
import { buildSdist, buildWheel } from "../../registry/python_files.ts";
import { zip } from "../../registry/zip.ts";

const DEMO = { name: "demo", version: "1.0", dependencies: [] };
const DIRECTORY = [0x50, 0x4b, 1, 2];

/** How many bytes go out of a file that comes in pieces of this size, up to where it is held. */
function free(bytes: Uint8Array<ArrayBuffer>, size: number, filename = "demo-1.0.whl"): number {
  const guard = holdBack(filename);
  assert.ok(guard);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    const count = guard.free(piece);
    if (count < piece.length) return at + count;
  }
  return bytes.length;
}

/** That a file goes out up to this place, or up to the last bytes of a record's mark, however it is cut. */
function assertFree(bytes: Uint8Array<ArrayBuffer>, place: number): void {
  for (const size of [bytes.length, 1, 2, 3, 5, 7, 30, 31, 64]) {
    const count = free(bytes, size);
    const allowed = Math.max(place, Math.min(place + 3, Math.floor((place + 3) / size) * size));
    assert.ok(count >= place && count <= allowed, `${count} at pieces of ${size}, not ${place}`);
  }
}

interface Entry {
  readonly data: readonly number[];
  readonly flags?: number;
  /** As its header has it; default: that of the data. */
  readonly size?: number;
  readonly extra?: Uint8Array;
}

/** Files of an archive without its directory. */
function entries(...list: readonly Entry[]): number[] {
  return list.flatMap(({ data, flags = 0, size = data.length, extra = new Uint8Array() }) => {
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50);
    header.writeUInt16LE(flags, 6);
    header.writeUInt32LE(size, 18);
    header.writeUInt32LE(size, 22);
    header.writeUInt16LE(1, 26);
    header.writeUInt16LE(extra.length, 28);
    return [...header, 0x61, ...extra, ...data];
  });
}

function zip64(size: number): Uint8Array {
  const field = Buffer.alloc(20);
  field.writeUInt16LE(1);
  field.writeUInt16LE(16, 2);
  field.writeBigUInt64LE(BigInt(size), 4);
  field.writeBigUInt64LE(BigInt(size), 12);
  return field;
}

Deno.test("a wheel goes out up to its directory, however it is cut", () => {
  const wheel = buildWheel(DEMO);
  assertFree(wheel, Buffer.from(wheel).indexOf(Buffer.from(DIRECTORY)));
});

Deno.test("an archive within a wheel does not hold it up", () => {
  const inner = Buffer.from(buildWheel(DEMO)).toString("latin1");
  const outer = zip([{ path: "a.zip", content: inner }, { path: "b", content: "b" }]);
  assertFree(outer, Buffer.from(outer).readUInt32LE(outer.length - 6));
});

Deno.test("what stands behind the directory is held back, whatever it is", () => {
  const bytes = Uint8Array.from([
    ...entries({ data: [1, 2] }),
    ...DIRECTORY,
    ...Array(500).fill(0),
  ]);
  assertFree(bytes, 33);
});

Deno.test("an archive without a file is held back from its first byte", () => {
  assertFree(zip([]), 0);
});

Deno.test("sizes of 64 bits are followed", () => {
  const data = [9, ...DIRECTORY, 9];
  const files = entries({ data, size: 0xffffffff, extra: zip64(data.length) }, { data: [7] });
  assertFree(Uint8Array.from([...files, ...DIRECTORY, 0, 0]), files.length);
});

Deno.test("behind a file of no certain size, all that looks like a directory is taken for one", () => {
  const data = [9, 9, ...DIRECTORY, 9, 9];
  const twice = new Uint8Array([...zip64(1_000), ...zip64(8)]);
  for (
    const entry of [
      { data, flags: 8, size: 0 },
      { data, flags: 1 },
      { data, size: 0xffffffff },
      { data, size: 0xffffffff, extra: twice },
      { data, size: 0xffffffff, extra: zip64(8).subarray(0, 12) },
      { data, size: 0xffffffff, extra: Uint8Array.from([1, 0]) },
    ] satisfies Entry[]
  ) {
    const files = entries(entry);
    assertFree(Uint8Array.from([...files, 1, 2, 3]), files.length - 6);
  }
});

Deno.test("what is no archive goes out until something looks like a directory", () => {
  const noise = Array<number>(200).fill(0x50);
  assert.equal(free(Uint8Array.from(noise), 16), 200);
  for (const end of [[1, 2], [5, 6], [6, 6], [6, 7]]) {
    assertFree(Uint8Array.from([...noise, 0x50, 0x4b, ...end, 0]), 200);
  }
});

Deno.test("nothing of a source archive goes out early, and other files are left alone", () => {
  const sdist = buildSdist(DEMO);
  for (
    const name of ["d-1.tar.gz", "d-1.TGZ", "d-1.tar.bz2", "d-1.tar", "d-1.tbz2", "d-1.tar.zst"]
  ) {
    assert.equal(free(sdist, 100, name), 0, name);
    assert.equal(holdBack(name)?.trickles, true);
  }
  assert.equal(holdBack("d-1.zip")?.trickles, false);
  for (const name of ["d-1.exe", "d-1.egg", "d-1-py3-none-any.whl.metadata", "d"]) {
    assert.equal(holdBack(name), null, name);
  }
});
