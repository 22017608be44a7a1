import assert from "node:assert/strict";
import fc from "fast-check";
import {
  exactTest,
  globMatcher,
  parsePattern,
  PatternIndex,
  versionTest,
} from "../../policy/pattern.ts";
import { parsePurl, purl } from "../../policy/purl.ts";
import { cargoVersions } from "../../ecosystems/cargo/versions.ts";
import { npmVersions } from "../../ecosystems/npm/versions.ts";
import { pypiVersions } from "../../ecosystems/pypi/versions.ts";
import { SCHEMES } from "./world.ts";

Deno.test("a pattern is a PURL, normalised as its ecosystem does", () => {
  const read = (text: string) => {
    const { ecosystem, name, version } = parsePattern(text, SCHEMES);
    return [ecosystem, name, version];
  };
  assert.deepEqual(read("pkg:npm/axios"), ["npm", "axios", null]);
  assert.deepEqual(read("pkg:npm/axios@0.30.4"), ["npm", "axios", "0.30.4"]);
  assert.deepEqual(read("pkg:npm/%40acme/ui@1.0.0-rc.1"), ["npm", "@acme/ui", "1.0.0-rc.1"]);
  assert.deepEqual(read("pkg:npm/@acme/*"), ["npm", "@acme/*", null]);
  assert.deepEqual(read("pkg:npm/JSONStream"), ["npm", "JSONStream", null]);
  assert.deepEqual(read("pkg:pypi/Foo_Bar*"), ["pypi", "foo-bar*", null]);
  assert.deepEqual(read("pkg:pypi/Foo.Bar@1!2.0.post1"), ["pypi", "foo-bar", "1!2.0.post1"]);
  assert.deepEqual(read("pkg:cargo/A_b"), ["cargo", "a-b", null]);
  assert.deepEqual(read("pkg:npm/zqz-*"), ["npm", "zqz-*", null]);
});

Deno.test("a `*` stays where it is, whatever letters stand around it", () => {
  const letters = fc.string({ unit: fc.constantFrom("z", "q", "*"), minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(letters, (text) => {
      const { name } = parsePattern(`pkg:npm/${text}`, SCHEMES);
      assert.equal(name, text.replaceAll(/\*+/g, "*"));
    }),
    { numRuns: 1_000 },
  );
  assert.equal(parsePattern("pkg:npm/zq*", SCHEMES).name, "zq*");
});

Deno.test("what is no pattern is refused", () => {
  const wrong = [
    "",
    "axios",
    "npm/axios",
    "pkg:npm",
    "pkg:npm/",
    "pkg:gem/rails",
    "pkg:npm/a b",
    "pkg:npm/a/b/c",
    "pkg:pypi/@acme/x",
    "pkg:npm/axios@",
    "pkg:npm/axios@*",
    "pkg:npm/axios@^1",
    "pkg:npm/axios@1.2",
    "pkg:npm/axios?arch=x",
    "pkg:npm/axios#readme",
    "pkg:npm/%zz",
    `pkg:npm/${"a".repeat(2_000)}`,
  ];
  for (const text of wrong) assert.throws(() => parsePattern(text, SCHEMES), SyntaxError, text);
});

Deno.test("reading any text as a pattern throws nothing but SyntaxError", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }).map((name) => `pkg:npm/${name}`),
    fc.tuple(fc.constantFrom("npm", "pypi", "cargo", "x"), fc.string(), fc.string())
      .map(([type, name, version]) => `pkg:${type}/${name}@${version}`),
  );
  fc.assert(fc.property(text, (text) => {
    try {
      const { ecosystem, name } = parsePattern(text, SCHEMES);
      assert.ok(SCHEMES.has(ecosystem) && name !== "");
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  }));
});

Deno.test("a PURL that is written is the package that is read, capitals of npm included", () => {
  const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
  const name = fc.oneof(part, fc.tuple(part, part).map(([scope, base]) => `@${scope}/${base}`));
  fc.assert(fc.property(name, fc.option(part, { nil: undefined }), (name, version) => {
    assert.deepEqual(parsePurl(purl("npm", name, version)), { type: "npm", name, version });
  }));
  assert.equal(purl("npm", "JSONStream", "1.0.0"), "pkg:npm/JSONStream@1.0.0");
});

Deno.test("`*` stands for any characters, and nothing else is special", () => {
  const matches = (glob: string, name: string) => globMatcher(glob)(name);
  assert.equal(matches("*", "@acme/ui"), true);
  assert.equal(matches("@acme/*", "@acme/"), true);
  assert.equal(matches("a*a", "a"), false);
  assert.equal(matches("a*b*c", "a-b-b-c"), true);
  assert.equal(matches("a*bc*c", "abc"), false);
  assert.equal(matches("a.c", "abc"), false);
  assert.equal(matches("*-types", "x-types-y"), false);
});

Deno.test("globs agree with the regular expression they stand for", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
  const glob = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
  fc.assert(
    fc.property(glob, text, (glob, text) => {
      const expected = new RegExp(`^${glob.replaceAll("*", ".*")}$`).test(text);
      assert.equal(globMatcher(glob)(text), expected);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a glob made to make regular expressions backtrack is answered at once", () => {
  const start = performance.now();
  assert.equal(globMatcher("*a".repeat(200) + "b")("a".repeat(20_000)), false);
  assert.ok(performance.now() - start < 500);
});

Deno.test("the index finds exact names first, then longer wildcards before shorter", () => {
  const index = new PatternIndex<string>(SCHEMES);
  for (const text of ["pkg:npm/*", "pkg:npm/@acme/ui-*", "pkg:npm/@acme/*", "pkg:npm/@acme/ui-x"]) {
    index.add(parsePattern(text, SCHEMES), text.slice("pkg:npm/".length));
  }
  assert.deepEqual(index.find("npm", "@acme/ui-x"), ["@acme/ui-x", "@acme/ui-*", "@acme/*", "*"]);
  assert.deepEqual(index.find("npm", "constructor"), ["*"]);
  assert.deepEqual(index.find("pypi", "axios"), []);
});

Deno.test("the index answers for names that are JavaScript's own", () => {
  const index = new PatternIndex<string>(SCHEMES);
  index.add(parsePattern("pkg:npm/axios", SCHEMES), "axios");
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    assert.deepEqual(index.find("npm", name), []);
  }
});

Deno.test("the range of exactly one version holds that version, in every ecosystem", () => {
  const number = fc.nat({ max: 99 });
  const version = fc.tuple(number, number, number).map((parts) => parts.join("."));
  fc.assert(fc.property(version, version, (a, b) => {
    for (const scheme of [npmVersions, pypiVersions, cargoVersions]) {
      const test = versionTest(scheme.exact(a), scheme);
      assert.equal(test(a), true);
      assert.equal(test(b), a === b);
      assert.equal(test(b), a === b, "the remembered answer");
      assert.equal(exactTest(a, scheme)(b), a === b);
    }
  }));
});

Deno.test("reading any text as a range accepts it or throws, and testing any version never does", () => {
  for (const scheme of [npmVersions, pypiVersions, cargoVersions]) {
    fc.assert(fc.property(fc.string(), fc.string(), (range, version) => {
      let test;
      try {
        test = scheme.range(range);
      } catch (error) {
        assert.ok(error instanceof Error);
        return;
      }
      assert.equal(typeof test(version), "boolean");
    }));
  }
});
