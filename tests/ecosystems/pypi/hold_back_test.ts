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

/** That a file goes out up to this place, or up to where its mark is still open, however it is cut. */
function assertFree(bytes: Uint8Array<ArrayBuffer>, place: number): void {
  for (const size of [bytes.length, 1, 2, 3, 5, 7, 30, 31, 64]) {
    const count = free(bytes, size);
    const allowed = Math.max(place, Math.min(place + 3, Math.floor((place + 3) / size) * size));
    assert.ok(count >= place && count <= allowed, `${count} at pieces of ${size}, not ${place}`);
  }
}

Deno.test("a wheel goes out up to its directory, however it is cut", () => {
  const wheel = buildWheel(DEMO);
  assertFree(wheel, Buffer.from(wheel).indexOf(Buffer.from(DIRECTORY)));
});

Deno.test("whatever looks like a directory is taken for one, wherever it stands", () => {
  const noise = Array<number>(200).fill(0x50);
  assert.equal(free(Uint8Array.from(noise), 16), 200);
  for (const end of [[1, 2], [5, 6], [6, 6]]) {
    const bytes = Uint8Array.from([...noise, 0x50, 0x4b, ...end, ...Array(100).fill(0)]);
    assertFree(bytes, 200);
  }
  for (const other of [[3, 4], [7, 8], [2, 1]]) {
    const bytes = Uint8Array.from([...noise, 0x50, 0x4b, ...other, 0]);
    assert.equal(free(bytes, 7), bytes.length);
  }
  const inner = Buffer.from(buildWheel(DEMO)).toString("latin1");
  const outer = zip([{ path: "a.zip", content: inner }, { path: "b", content: "b" }]);
  assertFree(outer, Buffer.from(outer).indexOf(Buffer.from(DIRECTORY)));
});

Deno.test("an archive without a file is held back from its first byte", () => {
  assertFree(zip([]), 0);
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
