/** Digests as lockfiles write them. */
import assert from "node:assert/strict";
import { statedDigests } from "../../../ecosystems/lockfiles/mod.ts";
import { read } from "./reading.ts";

Deno.test("whole digests are read in both forms, each once, and nothing else", () => {
  const zeros = (bytes: number) => "0".repeat(2 * bytes);
  const words = [
    `sha512-${"A".repeat(86)}==?option`,
    `sha512:${zeros(64)}`,
    `sha1-${"A".repeat(27)}=`,
    `SHA256:${zeros(32)}`,
    `sha256:${"AB".repeat(32)}`,
    `sha256:${zeros(31)}`,
    `sha5121:${zeros(64)}`,
    `sha512-${"!".repeat(88)}`,
    "10c0/aaaa",
    `sha3-256:${zeros(32)}`,
    "sha512",
  ];
  assert.deepEqual(statedDigests(words.join(" \t")), [
    { algorithm: "sha512", hex: zeros(64) },
    { algorithm: "sha1", hex: zeros(20) },
    { algorithm: "sha256", hex: "ab".repeat(32) },
  ]);
  assert.deepEqual(statedDigests(""), []);
});

Deno.test("a release that is named again with another digest has both", async () => {
  const at = (integrity: string) => ({ version: "1.0.0", integrity });
  const packages = {
    "node_modules/a": at("sha512-aaaa"),
    "node_modules/b/node_modules/a": at("sha512-bbbb"),
    "node_modules/c/node_modules/a": at("sha512-aaaa"),
  };
  const { entries } = await read(JSON.stringify({ lockfileVersion: 3, packages }));
  assert.deepEqual(entries.map(({ integrity }) => integrity), ["sha512-aaaa sha512-bbbb"]);
});

Deno.test("what is locked by its address alone has its digest, too", async () => {
  const address = "https://registry.example/a/-/a-1.0.0.tgz";
  const integrity = "sha512-aaaa";
  const dependencies = { a: { version: address, integrity } };
  const packages = { a: [`a@${address}`, {}, integrity] };
  for (
    const lock of [
      { lockfileVersion: 1, dependencies },
      { lockfileVersion: 1, workspaces: {}, packages },
    ]
  ) {
    const { entries } = await read(JSON.stringify(lock));
    assert.deepEqual(entries.map((entry) => entry.integrity), [integrity]);
  }
});
