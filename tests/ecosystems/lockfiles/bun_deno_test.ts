/** bun.lock and deno.lock. */
import assert from "node:assert/strict";
import { assertInvalid, lines, purls, read, skipped } from "./reading.ts";

const BUN = `{
  "lockfileVersion": 1,
  "workspaces": {
    "": {
      "name": "app",
      "dependencies": { "lodash": "^4", },
    },
  },
  "packages": {
    // Comments are allowed.
    "lodash": ["lodash@4.17.21", "", {}, "sha512-aaaa"],

    "mug": ["@pottery/cup@1.0.0", "https://registry.example/@pottery/cup/-/cup-1.0.0.tgz", { "dependencies": { "lodash": "^4" } }, "sha512-bbbb"],

    "other": ["other@1.0.0", "https://registry.example/", {}, "sha512-cccc"],
    "x": ["x@workspace:packages/x"],
    "g": ["g@github:a/g#0123", {}, "a-g-0123"],
    "h": ["h@git+ssh://git@git.example/a/h.git#0123", {}, "0123"],
    "f": ["f@file:./f", {}],
    "l": ["l@link:l", {}],
    "u": ["u@https://files.example/u.tgz", {}],
    "npm/b": ["b@1.0.0", "", { "bundled": true }, "sha512-dddd"],
    "root": ["app@root:", { "bin": "x" }],
  },
}
`;

Deno.test("bun.lock is read", async () => {
  const locked = await read(BUN);
  assert.equal(locked.format, "bun.lock 1");
  assert.deepEqual(lines(locked), {
    "pkg:npm/lodash@4.17.21": 11,
    "pkg:npm/%40pottery/cup@1.0.0": 13,
    "pkg:npm/other@1.0.0": 15,
  });
  assert.deepEqual(locked.entries.map(({ integrity }) => integrity), [
    "sha512-aaaa",
    "sha512-bbbb",
    "sha512-cccc",
  ]);
  assert.deepEqual(skipped(locked), [
    "x is a workspace of the project (packages/x)",
    "g is from git (a/g)",
    "h is from git (git.example/a/h.git)",
    "f is a file of the project (./f)",
    "l is a link (l)",
    "u is from an address that is no registry's (files.example/u.tgz)",
    "b@1.0.0 comes inside the package that bundles it",
  ]);
});

Deno.test("what is said to be bundled at the top of a bun.lock is downloaded, so it is read", async () => {
  const packages = {
    evil: ["evil@6.6.6", "", { bundled: true }],
    "@a/b": ["@a/b@1.0.0", "", { bundled: true }],
  };
  const locked = await read(JSON.stringify({ lockfileVersion: 1, workspaces: {}, packages }));
  assert.deepEqual(purls(locked), ["pkg:npm/%40a/b@1.0.0", "pkg:npm/evil@6.6.6"]);
});

Deno.test("a broken bun.lock and a binary one are refused", async () => {
  const head = '{"lockfileVersion": 1, "workspaces": {}, "packages": ';
  await assertInvalid(`${head}{"a": {}}}`, /bun\.lock, line 1: "a" is no list/);
  await assertInvalid(`${head}{"a": []}}`, /"a" names no package/);
  await assertInvalid(`${head}{"a": ["a"]}}`, /"a" names no package/);
  await assertInvalid('{"lockfileVersion": "1", "workspaces": {}}', /is no number/);
  await assertInvalid("#!/usr/bin/env bun\nbun-lockfile-format-v0\n\0\0", /This is bun\.lockb/);
});

const NPM = {
  "chalk@5.3.0": { integrity: "sha512-aaaa", dependencies: {} },
  "@a/b_c@1.0.0_react@18.0.0__x@1.0.0": { integrity: "sha512-bbbb" },
};
const JSR = { "@std/assert@1.0.6": { integrity: "0123", dependencies: ["jsr:@std/internal"] } };
const REMOTE = { "https://deno.example/x/mod.ts?token=secret": "0123" };
const RELEASES = ["pkg:npm/%40a/b_c@1.0.0", "pkg:npm/chalk@5.3.0"];

Deno.test("deno.lock is read in all its versions", async () => {
  const specifiers = { "npm:chalk@5": "5.3.0" };
  const newer = { specifiers, jsr: JSR, npm: NPM, remote: REMOTE, workspace: {} };
  const samples: Record<string, unknown> = {
    5: { version: "5", ...newer },
    4: { version: "4", ...newer },
    3: { version: "3", packages: { specifiers, jsr: JSR, npm: NPM }, remote: REMOTE },
    2: { version: "2", remote: REMOTE, npm: { specifiers, packages: NPM } },
  };
  for (const [version, sample] of Object.entries(samples)) {
    const locked = await read(JSON.stringify(sample, null, 2));
    assert.equal(locked.format, `deno.lock ${version}`);
    const jsr = version === "2" ? [] : ["pkg:jsr/%40std/assert@1.0.6"];
    assert.deepEqual(purls(locked), [...jsr, ...RELEASES]);
    assert.deepEqual(skipped(locked), ["deno.example/x/mod.ts is an address, of no registry"]);
  }
  const [jsr] = (await read(JSON.stringify(samples[5]))).entries
    .filter(({ ecosystem }) => ecosystem === "jsr");
  assert.deepEqual([jsr.name, jsr.version, jsr.integrity], ["@std/assert", "1.0.6", "0123"]);
});

Deno.test("a deno.lock of another version, or with keys that say too little, is refused", async () => {
  await assertInvalid('{"version": "6", "npm": {}}', /version is "6"; known are 2 to 5/);
  await assertInvalid('{"version": "5", "npm": {"chalk": {}}}', /"chalk" has no version/);
  await assertInvalid('{"https://deno.example/mod.ts": "0123"}', /version is ""/, "deno.lock");
});
