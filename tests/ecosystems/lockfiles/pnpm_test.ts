/** pnpm-lock.yaml. */
import assert from "node:assert/strict";
import { assertInvalid, lines, purls, read, skipped } from "./reading.ts";

const VERSION_9 = `lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      lodash:
        specifier: ^4
        version: 4.17.21
      sibling:
        specifier: workspace:*
        version: link:../sibling

packages:

  lodash@4.17.21:
    resolution: {integrity: sha512-aaaa}
    engines: {node: '>=8'}
    deprecated: |-
      Old: see
      docs

  '@a/b@1.0.0':
    resolution: {integrity: sha512-bbbb, tarball: https://registry.example/@a/b/-/b-1.0.0.tgz}

  y@https://codeload.github.com/a/y/tar.gz/0123:
    resolution: {tarball: https://codeload.github.com/a/y/tar.gz/0123}
    version: 1.0.0

  g@git+https://git.example/a/g.git#0123:
    resolution: {commit: '0123', repo: https://git.example/a/g.git, type: git}
    version: 1.0.0

  f@file:f:
    resolution: {directory: f, type: directory}

  t@file:t.tgz:
    resolution: {integrity: sha512-cccc, tarball: file:t.tgz}
    version: 1.0.0

  node@runtime:22.0.0:
    resolution:
      type: variations
      variants: []
    version: 22.0.0
    hasBin: true

snapshots:

  lodash@4.17.21: {}

  '@a/b@1.0.0(react@18.0.0)':
    dependencies:
      lodash: 4.17.21
`;

Deno.test("pnpm's version 9 is read", async () => {
  const locked = await read(VERSION_9);
  assert.equal(locked.format, "pnpm-lock.yaml 9.0");
  assert.deepEqual(lines(locked), { "pkg:npm/lodash@4.17.21": 16, "pkg:npm/%40a/b@1.0.0": 23 });
  assert.deepEqual(locked.entries.map(({ integrity }) => integrity), [
    "sha512-aaaa",
    "sha512-bbbb",
  ]);
  assert.deepEqual(skipped(locked), [
    "sibling is a link (../sibling)",
    "y is from git (codeload.github.com/a/y/tar.gz/0123)",
    "g is from git (git.example/a/g.git)",
    "f is a folder of the project (f)",
    "t is a file of the project (t.tgz)",
    "node is from no registry (variations)",
  ]);
});

Deno.test("what pnpm puts before the project's own document is read, too", async () => {
  const own = `---
lockfileVersion: '9.0'

importers:

  .:
    packageManagerDependencies:
      pnpm:
        specifier: 12.0.0
        version: 12.0.0

packages:

  pnpm@12.0.0:
    resolution: {integrity: sha512-dddd}

---
`;
  assert.deepEqual(purls(await read(own + VERSION_9)), [
    "pkg:npm/%40a/b@1.0.0",
    "pkg:npm/lodash@4.17.21",
    "pkg:npm/pnpm@12.0.0",
  ]);
});

Deno.test("pnpm's versions 5 and 6 are read", async () => {
  const resolution = "resolution: {integrity: sha512-aaaa}\n    dev: false";
  const five = `lockfileVersion: 5.4
specifiers:
  lodash: ^4
dependencies:
  lodash: 4.17.21
  sibling: link:../sibling
packages:
  /lodash/4.17.21:
    ${resolution}
  /@a/b/1.0.0_react@18.0.0:
    ${resolution}
  /c/1.0.0_@babel+core@7.0.0:
    ${resolution}
  registry.example/d/1.0.0:
    ${resolution}
  github.com/a/y/0123:
    resolution: {tarball: https://codeload.github.com/a/y/tar.gz/0123}
    name: y
    version: 1.0.0
  file:f.tgz:
    resolution: {integrity: sha512-aaaa, tarball: file:f.tgz}
    name: f
    version: 1.0.0
`;
  const six = five.replace("5.4", "'6.0'")
    .replace("/lodash/4.17.21", "/lodash@4.17.21")
    .replace("/@a/b/1.0.0_react@18.0.0", "/@a/b@1.0.0(react@18.0.0)")
    .replace("/c/1.0.0_@babel+core@7.0.0", "/c@1.0.0(@babel/core@7.0.0)(x@1.0.0)")
    .replace("registry.example/d/1.0.0", "registry.example/d@1.0.0");
  for (const [text, version] of [[five, "5.4"], [six, "6.0"]]) {
    const locked = await read(text);
    assert.equal(locked.format, `pnpm-lock.yaml ${version}`);
    assert.deepEqual(purls(locked), [
      "pkg:npm/%40a/b@1.0.0",
      "pkg:npm/c@1.0.0",
      "pkg:npm/d@1.0.0",
      "pkg:npm/lodash@4.17.21",
    ]);
    assert.deepEqual(skipped(locked), [
      "sibling is a link (../sibling)",
      "y@1.0.0 is from git (codeload.github.com/a/y/tar.gz/0123)",
      "f is a file of the project (f.tgz)",
    ]);
  }
});

Deno.test("a package called git is no git repository", async () => {
  const text = VERSION_9.replaceAll("lodash@", "git@").replaceAll("lodash", "git");
  assert.ok(purls(await read(text)).includes("pkg:npm/git@4.17.21"));
});

Deno.test("pnpm's unknown versions and YAML's traps are refused", async () => {
  await assertInvalid("lockfileVersion: '10.0'\n", /lockfileVersion is "10\.0"/);
  await assertInvalid("lockfileVersion: '9.0'\npackages: [a]\n", /"packages" is a list/);
  await assertInvalid("lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\n", /line 3: .*resolution/);
  const laughs = "lockfileVersion: &a ['9.0']\nb: &b [*a, *a]\nc: &c [*b, *b, *b]\n";
  await assertInvalid(laughs, /line 1: It has anchors, aliases or tags/);
  await assertInvalid("lockfileVersion: !!js/function 'x'\n", /anchors, aliases or tags/);
  await assertInvalid("lockfileVersion: 9\na: *b\n", /^Cannot read it as pnpm-lock\.yaml/);
  const deep = `lockfileVersion: '9.0'\na: ${"[".repeat(10_000)}\n`;
  await assertInvalid(deep, /^Cannot read it as pnpm-lock\.yaml, line 2: nesting exceeded/);
  await assertInvalid("lockfileVersion: '9.0'\na: 1\na: 2\n", /line 3: "a" is there twice/);
});

Deno.test("keys that are merged into others are refused", async () => {
  const packages = "  packages:\n    evil@6.6.6:\n      resolution: {integrity: sha512-aaaa}\n";
  for (const key of ["<<", '"<<"']) {
    const text = `lockfileVersion: '9.0'\n\n${key}:\n${packages}`;
    await assertInvalid(text, /pnpm-lock\.yaml, line 3: It merges one object into another/);
  }
});
