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

const SHA512 = "sha512-aaaa";

/** A lockfile of version 9 with one package. */
function nine(key: string, resolution: string, fields = ""): string {
  return `lockfileVersion: '9.0'\n\npackages:\n\n  ${key}:\n    resolution: {${resolution}}\n` +
    `${fields}\nsnapshots:\n\n  ${key}: {}\n`;
}

Deno.test("a tarball that pnpm asks its registry for is judged by its path", async () => {
  for (
    const tarball of [
      "evil/-/evil-6.6.6.tgz",
      "/evil/-/evil-6.6.6.tgz",
      "./evil/-/evil-6.6.6.tgz",
      "http:evil/-/evil-6.6.6.tgz",
      "https:/evil/-/evil-6.6.6.tgz",
      "//registry.example/evil/-/evil-6.6.6.tgz",
      "https://registry.example/evil/-/evil-6.6.6.tgz",
    ]
  ) {
    for (const key of ["evil@6.6.6", "evil@file:foo.tgz", `'evil@${tarball}'`]) {
      const text = nine(key, `tarball: '${tarball}'`, "    version: 6.6.6\n");
      const locked = await read(text);
      assert.deepEqual(purls(locked), ["pkg:npm/evil@6.6.6"], text);
      assert.deepEqual(locked.skipped, [], text);
    }
  }
  const jsr = await read(nine("'@jsr/a__b@1.0.0'", "tarball: ~/11/@jsr/a__b/1.0.0.tgz"));
  assert.deepEqual(purls(jsr), ["pkg:npm/%40jsr/a__b@1.0.0"]);
  for (const tarball of ["foo.tgz", "/x/foo.tgz", "https:foo.tgz", "a/b#0123"]) {
    await assertInvalid(
      nine("evil@file:foo.tgz", `tarball: '${tarball}'`),
      /line 5: ".*" is no address of a release of evil/,
    );
  }
});

Deno.test("an entry of pnpm's that its key contradicts is refused", async () => {
  const fields = "    name: good\n    version: 1.0.0\n";
  const tarball = "tarball: evil/-/evil-6.6.6.tgz";
  const at = /line 5: The (?:name|version) of evil is \S+ and (?:good|1\.0\.0) at once/;
  const five = (version: string, key: string) =>
    nine(key, tarball, fields).replace("9.0", version).replace(/snapshots:.*/s, "");
  await assertInvalid(nine("evil@6.6.6", tarball, fields), at);
  await assertInvalid(nine("evil@6.6.6", tarball, "    version: 1.0.0\n"), at);
  await assertInvalid(nine("evil@file:evil.tgz", tarball, fields), at);
  await assertInvalid(five("6.0", "/evil@6.6.6"), at);
  await assertInvalid(five("6.0", "registry.example/evil@6.6.6(react@18.0.0)"), at);
  await assertInvalid(five("5.4", "/evil/6.6.6_react@18.0.0"), at);
  // Those of addresses and folders name no package before version 9.
  for (const key of ["'@files.example/evil/6.6.6'", "file:evil/6.6.6", "github.com/a/evil/0123"]) {
    assert.deepEqual(purls(await read(five("5.4", key))), [
      "pkg:npm/evil@6.6.6",
      "pkg:npm/good@1.0.0",
    ]);
  }
  const agreeing = nine("evil@6.6.6", tarball, "    name: evil\n    version: 6.6.6\n");
  assert.deepEqual(purls(await read(agreeing)), ["pkg:npm/evil@6.6.6"]);
});

Deno.test("pnpm's package without a tarball is what its key names", async () => {
  const integrity = `integrity: ${SHA512}`;
  for (const key of ["evil@6.6.6", "evil@work:6.6.6"]) {
    for (const resolution of [integrity, `${integrity}, directory: x`, `${integrity}, repo: x`]) {
      const locked = await read(nine(key, resolution));
      assert.deepEqual(purls(locked), ["pkg:npm/evil@6.6.6"]);
      assert.deepEqual(locked.skipped, []);
    }
  }
  // pnpm 10 asks for the version that the entry has.
  for (const key of ["evil@file:foo.tgz", "evil@link:x", "'evil@git+ssh://git.example/a.git'"]) {
    const locked = await read(nine(key, integrity, "    version: 6.6.6\n"));
    assert.deepEqual(purls(locked), ["pkg:npm/evil@6.6.6"]);
    await assertInvalid(nine(key, integrity), /line 5: .* has no tarball/);
  }
  for (const [version, key] of [["6.0", "xgood@1.0.0"], ["5.4", "'@x/evil/6.6.6'"]]) {
    const fields = "    name: good\n    version: 1.0.0\n";
    const text = nine(key, integrity, fields).replace("9.0", version);
    await assertInvalid(text, /line 5: .* has no tarball/);
  }
});

Deno.test("a type of pnpm's with a registry's address is judged", async () => {
  const address = "https://registry.example/evil/-/evil-6.6.6.tgz";
  for (
    const resolution of [
      `type: remoteTarball, tarball: '${address}'`,
      `type: gitHostedTarball, tarball: '${address}'`,
      `type: binary, archive: tarball, url: '${address}'`,
      `type: variations, variants: [{resolution: {type: binary, url: '${address}'}}]`,
      `type: variations, variants: [{resolution: {tarball: '${address}'}}]`,
    ]
  ) {
    const locked = await read(nine("node@runtime:22.0.0", resolution, "    version: 22.0.0\n"));
    assert.deepEqual(purls(locked), ["pkg:npm/evil@6.6.6"], resolution);
  }
  const url = "https://files.example/node-22.0.0.tar.gz";
  const variants = `variants: [{resolution: {type: binary, url: '${url}'}}]`;
  const runtime = await read(nine("node@runtime:22.0.0", `type: variations, ${variants}`));
  assert.deepEqual(runtime.entries, []);
  assert.deepEqual(skipped(runtime), ["node is from no registry (variations)"]);
});

Deno.test("snapshots of pnpm's that say what a package is are refused", async () => {
  const text = nine("good@1.0.0", `integrity: ${SHA512}`);
  for (const own of ["resolution: {integrity: sha512-bbbb}", "version: 6.6.6", "name: evil"]) {
    const more = `${text}\n  evil@6.6.6: {${own}}\n`;
    await assertInvalid(more, /line 12: "evil@6\.6\.6" is an unexpected snapshot/);
  }
  // Without any pnpm 9 takes the keys for those of version 6, and leaves their first letter out.
  await assertInvalid(text.replace(/snapshots:.*/s, ""), /It has no "snapshots"/);
  await assertInvalid(text.replace("9.0", "6.0").replace("  good", "  /good"), /snapshot/);
});
