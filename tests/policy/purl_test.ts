import assert from "node:assert/strict";
import fc from "fast-check";
import { PackageURL } from "packageurl-js";
import { parsePurl, purl } from "../../policy/purl.ts";

const PURL_TYPES = ["npm", "pypi", "cargo"];
/** Letters that mean something in a PURL or an address, and some that do not. */
const LETTERS = [..."aZ09-._~@/%+:&= é\u{1f600}"];
const text = fc.string({ unit: fc.constantFrom(...LETTERS), maxLength: 12 });
const type = fc.constantFrom(...PURL_TYPES);

Deno.test("a PURL is written as the library writes it, but for npm's capitals", () => {
  fc.assert(
    fc.property(type, text, text, text, (type, namespace, name, version) => {
      fc.pre(!/[/:]/.test(namespace + name) && namespace === namespace.trim());
      fc.pre(name !== "" && name === name.trim() && (type === "npm" || namespace === ""));
      const theirs = new PackageURL(type, namespace || undefined, name, version).toString();
      const ours = purl(type, namespace === "" ? name : `${namespace}/${name}`, version);
      const known = type === "npm" ? "generic" : type;
      const expected = type === "npm"
        ? new PackageURL(known, namespace || undefined, name, version).toString()
          .replace("pkg:generic/", "pkg:npm/")
        : theirs;
      assert.equal(ours, expected);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a PURL is read as the library reads it, and what it cannot read is refused", () => {
  fc.assert(
    fc.property(
      type,
      fc.constantFrom("pkg:", "pkg:/", "pkg://", "PKG:"),
      text,
      (type, head, rest) => {
        fc.pre(type === "npm" || !/\/|%2f/i.test(rest));
        const written = `${head}${type}/${rest}`;
        const theirs = attempt(() => {
          const { type, namespace, name, version } = PackageURL.fromString(written);
          const path = namespace ? `${namespace}/${name}` : name;
          return { type, name: path.toLowerCase(), version: version || undefined };
        });
        const ours = attempt(() => {
          const { type, name, version } = parsePurl(written);
          return { type, name: name.toLowerCase(), version };
        });
        assert.deepEqual(ours, theirs);
      },
    ),
    { numRuns: 5000 },
  );
});

Deno.test("what is no PURL is refused with a SyntaxError", () => {
  for (
    const wrong of [
      "",
      "pkg:",
      "pkg:npm",
      "pkg:npm/",
      "pkg:npm/foo/",
      "pkg:npm/%zz",
      "pkg:npm/foo@%zz",
      "pkg:npm/fo\no",
      "pkg:1npm/foo",
      "pkg:n pm/foo",
      "pkg://user@npm/foo",
      "pkg://npm:80/foo",
      "npm/foo",
      "https://example.com/foo",
    ]
  ) assert.throws(() => parsePurl(wrong), SyntaxError, wrong);
});

Deno.test("a PURL of no type or no name is not written", () => {
  assert.throws(() => purl("n/pm", "foo"), TypeError);
  assert.throws(() => purl("", "foo"), TypeError);
  assert.throws(() => purl("npm", ""), TypeError);
  assert.throws(() => purl("npm", "@scope/"), TypeError);
});

Deno.test("qualifiers and subpaths are read over", () => {
  assert.deepEqual(parsePurl("pkg:pypi/Foo_Bar@1.0?extension=whl#src/x"), {
    type: "pypi",
    name: "foo-bar",
    version: "1.0",
  });
});

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
