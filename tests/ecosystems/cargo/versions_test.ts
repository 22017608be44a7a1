import assert from "node:assert/strict";
import fc from "fast-check";
import { cargoVersions } from "../../../ecosystems/cargo/versions.ts";

const { normalizeName, compare, range, exact, major, isPrerelease } = cargoVersions;

Deno.test("hyphen, underscore and case make no other crate", () => {
  assert.equal(normalizeName("Serde_JSON"), "serde-json");
  assert.equal(normalizeName("a".repeat(64)), "a".repeat(64));
  for (const name of ["", "1a", "-a", "a.b", "a/b", "..", "ä", "a b", "a".repeat(65)]) {
    assert.equal(normalizeName(name), null, name);
  }
});

Deno.test("versions sort by precedence, then build, those that do not parse first", () => {
  const sorted = ["x", "y", "0.9.0", "1.0.0-rc.1", "1.0.0", "1.0.0+a", "1.0.0+b", "1.10.0"];
  assert.deepEqual(sorted.toReversed().sort(compare), sorted);
  assert.equal(compare("x", "x"), 0);
});

Deno.test("ranges are cargo's: a bare version is a caret, comparators are joined by commas", () => {
  const cases: [string, string[], string[]][] = [
    ["1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0"]],
    ["0.2.3", ["0.2.3", "0.2.9"], ["0.3.0"]],
    ["~1.2.3", ["1.2.9"], ["1.3.0"]],
    ["=1.2.3", ["1.2.3"], ["1.2.4"]],
    [">= 1.2, <1.5", ["1.2.0", "1.4.9"], ["1.5.0", "1.1.0"]],
    ["1.*", ["1.0.0", "1.99.0"], ["2.0.0"]],
    [">=1.*", ["1.0.0", "2.0.0"], ["0.9.0"]],
    ["<1.*", ["0.9.0"], ["1.0.0"]],
    ["*", ["0.0.0", "3.0.0-rc.1"], ["nonsense"]],
    ["<2.0.0", ["2.0.0-rc.1"], ["2.0.0"]],
    ["<2.0", ["2.0.0-rc.1", "1.9.9"], ["2.0.0"]],
    ["<2", ["2.0.0-rc.1"], ["2.0.0"]],
    ["<2.*", ["2.0.0-rc.1"], ["2.0.0"]],
    ["<=1.2", ["1.2.9", "1.2.0-rc.1"], ["1.3.0-rc.1"]],
    [">1.2", ["1.3.0-rc.1"], ["1.2.9"]],
    [">=1.2", ["1.2.0-rc.1"], ["1.1.9"]],
    ["=1.2", ["1.2.9-rc.1"], ["1.3.0-rc.1"]],
    ["^1.2", ["1.2.0-rc.1"], ["2.0.0-rc.1"]],
    ["^1.2.3", [], ["1.2.3-rc.1"]],
    ["^1.2.3-rc.2", ["1.2.3-rc.10", "1.2.3"], ["1.2.3-rc.1"]],
    ["^0.0.3", ["0.0.3"], ["0.0.4"]],
    ["^0.0", ["0.0.9"], ["0.1.0"]],
    ["~1", ["1.9.0"], ["2.0.0"]],
    ["=1.2.3", ["1.2.3+x"], ["1.2.3-rc.1"]],
  ];
  for (const [text, inside, outside] of cases) {
    const contains = range(text);
    for (const version of inside) assert.ok(contains(version), `${text} holds ${version}`);
    for (const version of outside) assert.ok(!contains(version), `${text} holds no ${version}`);
  }
});

Deno.test("numbers are exact up to cargo's 64 bits", () => {
  const versions = ["1.0.9007199254740992", "1.0.9007199254740993", "1.0.18446744073709551615"];
  for (const text of [">=1.0.5", "1", "^1.0", "~1.0", "1.0.*", "<1.1.0", "=1.0"]) {
    for (const version of versions) assert.ok(range(text)(version), `${text} holds ${version}`);
  }
  const [low, high] = versions;
  assert.ok(!range(exact(low))(high) && !range(exact(high))(low));
  assert.ok(range(`>${low}`)(high) && range(`<${high}`)(low));
  assert.ok(range("<1.0.0-a.9007199254740993")("1.0.0-a.9007199254740992"));
  assert.deepEqual([...versions, "1.0.10"].sort(compare), ["1.0.10", ...versions]);
  assert.equal(major("9007199254740993.0.0"), "9007199254740993");
  assert.equal(compare("1.0.18446744073709551616", "0.0.1"), -1, "cargo cannot read it");
});

Deno.test("what is no cargo range is a SyntaxError", () => {
  for (
    const text of ["", "1 || 2", ">=1 <2", "latest", "1.2.3.4", ">", "=99999999999999999999.0.0"]
      .concat(["01.2.3", "1.2-a", "1.2.3-01", "1.2.3-a..b", "*.1", "1.*.3", "^*.1", "1,"])
  ) {
    assert.throws(() => range(text), SyntaxError, text);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    try {
      range(text)("1.0.0");
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
});

Deno.test("exact holds one version, build metadata included", () => {
  for (const version of ["1.0.0", "1.0.0-rc.1", "1.0.0+x", "1.0.0-rc.1+x"]) {
    assert.ok(range(exact(version))(version), version);
  }
  assert.ok(!range(exact("1.0.0+x"))("1.0.0+y"));
  assert.ok(!range(exact("1.0.0"))("1.0.1"));
});

Deno.test("major and pre-release", () => {
  assert.deepEqual(["1.2.3", "0.4.0", "x"].map(major), ["1", "0", "x"]);
  assert.deepEqual(["1.0.0-a", "1.0.0+a", "x"].map(isPrerelease), [true, false, false]);
});
