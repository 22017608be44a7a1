import assert from "node:assert/strict";
import fc from "fast-check";
import { pypiVersions } from "../../../ecosystems/pypi/versions.ts";

const RANGES: [range: string, version: string, within: boolean][] = [
  ["*", "1.0", true],
  ["*", "bogus", true],
  ["==1.0", "1.0.0", true],
  ["==1.0", "1.0+cu118", true],
  ["==1.0+cu118", "1.0", false],
  ["==1.0-1", "1.0.post1", true],
  ["==1.0rc1", "1.0.RC.1", true],
  ["==1!1.0", "1.0", false],
  ["==1.*", "1.5rc1", true],
  ["~=1.4.2", "1.5", false],
  ["!=1.0", "1.0+cu118", false],
  [">=1.0,<2", "1.9.dev1", true],
  [">=1.0,<2", "2.0rc1", false],
  ["===1.0", "1.0.0", false],
  ["===1.0.bogus", "1.0.Bogus", true],
  ["==1.0", "bogus", false],
  ["===1.0(b);c", "1.0(B);c", true],
  ["<1.0.post1", "1.0", true],
  ["<1.0.post1", "1.0+x", true],
  ["<1.0.post1", "1.0rc1", true],
  ["<1.0.post1", "1.0.post1.dev2", false],
  ["<1.0.post1.dev2", "1.0.post1.dev1", true],
  ["<1.0.post2", "1.0.post1", true],
  ["<2.0rc2", "2.0rc1", true],
  ["<2.0rc2", "2.0a1", true],
  ["<2.0b1", "2.0a1", true],
  ["<2.0", "2.0a1", false],
  ["<2.0", "2.0.0.dev1", false],
  ["<2.0", "1.9rc1", true],
  ["<=1.0", "1.0+x", true],
  [">1.0", "1.0.post1", false],
  [">1.0", "1.0+x", false],
  [">1.0rc1", "1.0+x", true],
  [">1.0rc1", "1.0.post1", true],
  [">1.0rc1", "1.0rc1.post1", false],
  [">1.0.dev1", "1.0.post1", true],
  [">1.0", "1.0.post1.dev1", false],
  [">1.0.post1", "1.0.post2", true],
  [">1.0.post1", "1.0.post2+x", true],
  ["==1.0.*", "1", true],
  ["==1.0.*", "1+x", true],
  ["==1.0.0.*", "1", true],
  ["==1.0.*", "1rc1", true],
  ["==1.0.*", "1.01", false],
  ["==1.0.*", "1!1.0", false],
  ["==1!1.*", "1!1.2", true],
  ["==1rc1.*", "1.0rc1.post1", true],
  ["==1rc1.*", "1.0rc2", false],
  ["==1.post1.*", "1.post1.dev1", true],
  ["==1.post1.*", "1.post2", false],
  ["!=1.0.*", "1", false],
  ["!=1.0.*", "1.1", true],
  ["~=1.0.0", "1", true],
  ["~=1.0", "1.0rc1", false],
  ["~=1.0", "1.9+x", true],
  ["~=1.4.5a4", "1.4.5rc1", true],
  ["~=1.4.post2", "1.4.post1", false],
  ["~=1!1.4", "1.5", false],
  [">=1.0.5", "1.0.9007199254740993", true],
  ["==1.0.9007199254740993", "1.0.9007199254740992", false],
  ["<1.0.9007199254740993", "1.0.9007199254740992", true],
  ["==1.0+12e4567", "1.0+34e5678", false],
];

for (const [range, version, within] of RANGES) {
  Deno.test(`PyPI's ${version} is ${within ? "" : "not "}in ${range}`, () => {
    assert.equal(pypiVersions.range(range)(version), within);
  });
}

Deno.test("what is no list of PEP 440 specifiers is a SyntaxError", () => {
  for (
    const text of ["", " ", "1.0", "^1", "==bogus", ">=1 <2", "==", "==1,", "~=1", "<1.*", "<1+x"]
      .concat(["==1.dev1.*", "==1+x.*", "===", "==*"])
  ) {
    assert.throws(() => pypiVersions.range(text), SyntaxError, text);
  }
});

Deno.test("the exact range of a version holds it, whether or not it is PEP 440", () => {
  for (const version of ["1.0", "1!2.0rc1", "1.0+cu118", "1.0-1", "1.0.bogus", "bogus"]) {
    assert.equal(pypiVersions.range(pypiVersions.exact(version))(version), true, version);
  }
});

Deno.test("PyPI's versions are in PEP 440's order, unreadable ones first", () => {
  const sorted = ["aaa", "bogus", "0.9", "1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0rc1", "1.0"]
    .concat(["1.0+abc", "1.0+1", "1.0.post1.dev1", "1.0.post1", "1.9", "1.10", "1!0.1"]);
  assert.deepEqual(sorted.toReversed().sort(pypiVersions.compare), sorted);
  assert.equal(pypiVersions.compare("1.0", "1.0.0"), 0);
});

Deno.test("release lines and pre-releases of PyPI's versions", () => {
  assert.equal(pypiVersions.major("1.14.0"), pypiVersions.major("1.0rc1"));
  assert.notEqual(pypiVersions.major("1.14.0"), pypiVersions.major("1!1.14.0"));
  assert.equal(pypiVersions.major("bogus"), "bogus");
  const prereleases = ["1.0a1", "1.0.dev1", "1.0.post1", "1.0", "bogus"];
  assert.deepEqual(prereleases.filter(pypiVersions.isPrerelease), ["1.0a1", "1.0.dev1"]);
});

Deno.test("names of PyPI's projects are normalised by PEP 503", () => {
  assert.equal(pypiVersions.normalizeName("Zope..Interface__x-Y"), "zope-interface-x-y");
  for (const name of ["", "-", "a-", "_a", "a b", "a/b", "a\n", "é", "../a"]) {
    assert.equal(pypiVersions.normalizeName(name), null, name);
  }
  fc.assert(fc.property(fc.string(), (name) => {
    const normalized = pypiVersions.normalizeName(name);
    assert.ok(normalized === null || pypiVersions.normalizeName(normalized) === normalized);
  }));
});

Deno.test("any text is a range or a SyntaxError", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (text, version) => {
    try {
      assert.equal(typeof pypiVersions.range(text)(version), "boolean");
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  }));
});
