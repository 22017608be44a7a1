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

Deno.test("the first line for a version is found, whichever way it says so", () => {
  const entry = fc.oneof(
    version.map((text): PackageEntry => ({ purl: `pkg:npm/left@${text}` })),
    version.map((text): PackageEntry => ({ purl: "pkg:npm/left", versions: `<${text}` })),
    fc.constant<PackageEntry>({ purl: "pkg:npm/left", versions: "*" }),
  );
  const rangeOf = ({ purl, versions }: PackageEntry) => versions ?? `=${purl.split("@")[1]}`;
  const isReadable = (one: PackageEntry) => {
    if (one.versions === undefined) return isVersion(one.purl.split("@")[1], npmVersions);
    try {
      return npmVersions.range(one.versions) !== undefined;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), version, (entries, asked) => {
      const readable = entries.filter(isReadable);
      const lines = readable.map((one, position) => ({ ...compileEntry(one, SCHEMES), position }));
      const find = () => new VersionLines(lines, npmVersions).find(asked);
      const slow = readable.findIndex((one) => versionTest(rangeOf(one), npmVersions)(asked));
      if (slow < 0 && !npmVersions.reads(asked) && lines.some(({ isRange }) => isRange)) {
        return assert.throws(find, RangeError);
      }
      const found = find();
      assert.equal(found?.position ?? -1, slow);
    }),
    { numRuns: 3000 },
  );
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
