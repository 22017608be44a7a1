import assert from "node:assert/strict";
import fc from "fast-check";
import { cargoVersions } from "../../ecosystems/cargo/versions.ts";
import { npmVersions } from "../../ecosystems/npm/versions.ts";
import { pypiVersions } from "../../ecosystems/pypi/versions.ts";
import { compileEntry, type PackageEntry } from "../../policy/entry.ts";
import { exactTest, isVersion, versionTest } from "../../policy/pattern.ts";
import { VersionLines } from "../../policy/version_lines.ts";
import { SCHEMES } from "./world.ts";

const ECOSYSTEMS = [npmVersions, cargoVersions, pypiVersions];
/** Few numbers, so that versions meet; spellings of all kinds. */
const version = fc.stringMatching(
  /^v?[012](\.(0|1|01|10)){0,3}(-?(rc|a|b|beta|post|dev)\.?[01]?|-[01])?(\+[ab]1?)?$/,
);

Deno.test("the test of exactly one version agrees with the range of exactly that version", () => {
  for (const scheme of ECOSYSTEMS) {
    fc.assert(
      fc.property(version, version, (a, b) => {
        fc.pre(isVersion(a, scheme));
        const range = scheme.range(scheme.exact(a));
        assert.equal(exactTest(a, scheme)(b), range(b), `${scheme.ecosystem} ${a} ${b}`);
        assert.equal(exactTest(a, scheme)(a), true);
      }),
      { numRuns: 3000 },
    );
  }
});

Deno.test("canonical texts are those that no other canonical text stands for", () => {
  for (const scheme of ECOSYSTEMS) {
    assert.equal(scheme.isCanonical("1.2.3"), true);
    assert.equal(scheme.isCanonical("v1.2.3"), false);
    assert.equal(scheme.isCanonical("nonsense"), false);
  }
  assert.equal(pypiVersions.isCanonical("1.0"), false);
  assert.equal(pypiVersions.isCanonical("1.1rc1"), true);
  assert.equal(npmVersions.isCanonical("1.0.0-rc.1"), true);
  assert.equal(npmVersions.isCanonical("1.0.0+build"), false);
});

Deno.test("texts share a key where one is exactly the other's version", () => {
  for (const scheme of ECOSYSTEMS) {
    fc.assert(
      fc.property(version, version, (a, b) => {
        fc.pre(isVersion(a, scheme));
        const holds = scheme.range(scheme.exact(a))(b);
        assert.ok(!holds || scheme.keyOf(a) === scheme.keyOf(b), `${scheme.ecosystem} ${a} ${b}`);
      }),
      { numRuns: 3000 },
    );
  }
  assert.equal(pypiVersions.keyOf("0!1.0.0-Alpha+local"), pypiVersions.keyOf("1a0"));
  assert.equal(pypiVersions.keyOf("2004D"), pypiVersions.keyOf("2004d"), "as === compares");
  for (const scheme of ECOSYSTEMS) assert.equal(scheme.keyOf("1.2.3"), "1.2.3");
});

for (const scheme of ECOSYSTEMS) {
  Deno.test(`${scheme.ecosystem}: the lines for a version are found, whichever way they say so`, () => {
    const purl = `pkg:${scheme.purlType}/left`;
    const entry = fc.oneof(
      version.map((text): PackageEntry => ({ purl: `${purl}@${text}` })),
      version.map((text): PackageEntry => ({ purl, versions: `<${text}` })),
      fc.constant<PackageEntry>({ purl, versions: "*" }),
    );
    const rangeOf = ({ purl, versions }: PackageEntry) =>
      versions ?? scheme.exact(purl.split("@")[1]);
    const isReadable = (one: PackageEntry) => {
      if (one.versions === undefined) return isVersion(one.purl.split("@")[1], scheme);
      try {
        return scheme.range(one.versions) !== undefined;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), version, (entries, asked) => {
        const readable = entries.filter(isReadable);
        const lines = readable.map((one, position) => ({
          ...compileEntry(one, SCHEMES),
          position,
        }));
        const find = () => new VersionLines(lines, scheme).find(asked);
        const slow = [...readable.keys()]
          .filter((at) => versionTest(rangeOf(readable[at]), scheme)(asked));
        const all = new VersionLines(lines, scheme).findAll(asked);
        assert.deepEqual(all.map(({ position }) => position).sort((a, b) => a - b), slow);
        if (slow.length === 0 && !scheme.reads(asked) && lines.some(({ isRange }) => isRange)) {
          return assert.throws(find, RangeError);
        }
        const found = find();
        assert.equal(found?.position, slow[0]);
      }),
      { numRuns: 2000 },
    );
  });
}

Deno.test("of a long list only lines that may name a version are asked about it, however both are spelled", () => {
  for (const [ecosystem, built] of [["pypi", ".0"], ["npm", "+b"], ["cargo", "+b"]]) {
    const scheme = SCHEMES.get(ecosystem);
    assert.ok(scheme);
    let asked = 0;
    const lines = Array.from({ length: 1_000 }, (_, i) => {
      const line = compileEntry({ purl: `pkg:${ecosystem}/left@1.${i}.0` }, SCHEMES);
      return { ...line, includes: (version: string) => ++asked > 0 && line.includes(version) };
    });
    const list = new VersionLines(lines, scheme);
    for (let i = 0; i < 1_000; i++) assert.equal(list.find(`1.${i}.0${built}`), lines[i]);
    for (let i = 0; i < 1_000; i++) assert.deepEqual(list.findAll(`1.${i}.0${built}`), [lines[i]]);
    assert.equal(asked, 2_000, ecosystem);
  }
});

Deno.test("lines are asked once about a version, however many files it has", () => {
  const asked: string[] = [];
  const line = {
    only: null,
    isRange: true,
    includes(version: string) {
      asked.push(version);
      return version === "2.0";
    },
  };
  const lines = new VersionLines([line], pypiVersions);
  const found = ["1.1", "2.0", "1.1", "2.0", "1.1"].map((version) => lines.find(version));
  assert.deepEqual(found, [undefined, line, undefined, line, undefined]);
  assert.deepEqual(asked, ["1.1", "2.0"]);
});
