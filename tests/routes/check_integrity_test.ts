/** A lockfile's digests are held against the registry's. */
import assert from "node:assert/strict";
import { brief, checkWorld } from "./check_world.ts";

const EVIL = { sha512: `sha512-${"A".repeat(86)}==`, sha1: `sha1-${"A".repeat(27)}=` };
const SHA256 = "0".repeat(64);

function npmLock(integrity: string, more: Record<string, unknown> = {}): string {
  const resolved = "https://elsewhere.example/many/-/many-1.0.0.tgz";
  const packages = { "node_modules/many": { version: "1.0.0", resolved, integrity }, ...more };
  return JSON.stringify({ lockfileVersion: 3, packages });
}

Deno.test("npm: other bytes than the registry's are withheld, wherever they are said to be", async () => {
  await using it = await checkWorld();
  const { integrity } = it.npm.publish({ name: "many", version: "1.0.0" });
  const verdicts = async (lock: string) =>
    brief(await it.check(lock)).map(([, ...verdict]) => verdict);
  assert.deepEqual(await verdicts(npmLock(integrity)), [["allow", null]]);
  assert.deepEqual(await verdicts(npmLock(`${integrity}?option`)), [["allow", null]]);
  assert.deepEqual(await verdicts(npmLock(EVIL.sha512)), [["deny", "integrity_mismatch"]]);
  assert.deepEqual(await verdicts(npmLock(`${integrity} ${EVIL.sha512}`)), [
    ["deny", "integrity_mismatch"],
  ]);
  // A second place in the tree has a digest of its own.
  const again = {
    "node_modules/a/node_modules/many": { version: "1.0.0", integrity: EVIL.sha512 },
  };
  assert.deepEqual(await verdicts(npmLock(integrity, again)), [["deny", "integrity_mismatch"]]);
  // What the index does not state, or what is no digest, proves nothing.
  for (const other of [EVIL.sha1, "sha512-AAAA", "10c0/aaaa", ""]) {
    assert.deepEqual(await verdicts(npmLock(other)), [["allow", null]], other);
  }
  const { entries: [entry] } = await it.check(npmLock(EVIL.sha512));
  assert.match(
    entry.reason ?? "",
    /^sha512 0{16}\.\.\. is the digest of no file that the registry/,
  );
  assert.deepEqual([entry.until, entry.line], [null, 1]);
});

Deno.test("PyPI: each digest has to be of one of the version's files", async () => {
  await using it = await checkWorld();
  const wheel = it.pypi.publish({ name: "many", version: "1.0" });
  const sdist = it.pypi.publish({ name: "many", version: "1.0", files: ["sdist"] });
  const hashes = [...wheel, ...sdist].map(({ sha256 }) => sha256);
  const check = async (...own: string[]) => {
    const options = own.map((hash) => ` --hash=sha256:${hash}`).join("");
    return brief(await it.check(`many==1.0.0${options}\n`)).map(([, , code]) => code);
  };
  assert.deepEqual(await check(...hashes), [null]);
  assert.deepEqual(await check(hashes[0].toUpperCase()), [null]);
  assert.deepEqual(await check(...hashes, SHA256), ["integrity_mismatch"]);
});

Deno.test("cargo: another registry's crate is not the one of its name", async () => {
  await using it = await checkWorld();
  const { checksum } = it.cargo.publish({ name: "many", version: "1.0.0" });
  const check = async (checksum: string) =>
    brief(
      await it.check(`version = 4
[[package]]
name = "many"
version = "1.0.0"
source = "sparse+https://cargo.example/index/"
checksum = "${checksum}"
`),
    ).map(([, , code]) => code);
  assert.deepEqual(await check(checksum), [null]);
  assert.deepEqual(await check(SHA256), ["integrity_mismatch"]);
});

Deno.test("a withheld release of other bytes is withheld for those", async () => {
  await using it = await checkWorld();
  const lock = npmLock(EVIL.sha512).replaceAll("many", "left").replaceAll("1.0.0", "2.0.0");
  assert.deepEqual(brief(await it.check(lock)), [
    ["pkg:npm/left@2.0.0", "deny", "integrity_mismatch"],
  ]);
});
