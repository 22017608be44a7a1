/** Versions of one index, found however they are spelled. */
import assert from "node:assert/strict";
import { SCHEMES } from "../../ecosystems/mod.ts";
import type { Release, VersionScheme } from "../../policy/types.ts";
import { versionFinder } from "../../routes/version_finder.ts";

function scheme(ecosystem: string): VersionScheme {
  return SCHEMES.get(ecosystem) ?? assert.fail(ecosystem);
}

function releases(ecosystem: string, versions: readonly string[]): Release[] {
  return versions.map((version) => ({
    ecosystem,
    name: "many",
    version,
    publishedAt: null,
    yanked: false,
    trust: null,
    installScripts: null,
    files: [],
  }));
}

Deno.test("a version is found in each of its spellings, with all its releases", () => {
  const asked: Record<string, Record<string, number[]>> = {
    npm: { "1.0.0": [0], "v1.0.0": [0], "1.2.0": [2], "2.0.0": [], "x": [] },
    pypi: { "1.0.0": [0, 1], "1.0": [0, 1], "v1": [0, 1], "1.2": [2], "1.3": [], "x": [] },
    cargo: { "1.0.0": [0], "1.2.0": [2], "1.2.0+a": [], "x": [] },
  };
  for (const [ecosystem, expected] of Object.entries(asked)) {
    const of = releases(ecosystem, ["1.0.0", "1.0", "1.2.0"]);
    const find = versionFinder(of, scheme(ecosystem));
    // The later rounds are answered from the versions in their order.
    for (let round = 0; round < 4; round++) {
      for (const [version, positions] of Object.entries(expected)) {
        assert.deepEqual(find(version), positions, `${ecosystem} ${version} ${round}`);
      }
    }
  }
});

Deno.test("thousands of questions to thousands of versions compare few of them", () => {
  const samples = [
    ["npm", (i: number) => `1.0.${i}`, (i: number) => `2.0.${i}`],
    ["npm", (i: number) => `1.0.${i}`, (i: number) => `v1.0.${i}`],
    ["pypi", (i: number) => `1.${i}.0`, (i: number) => `1.${i}`],
  ] as const;
  for (const [ecosystem, stated, asked] of samples) {
    let compared = 0;
    const { compare, isCanonical } = scheme(ecosystem);
    const find = versionFinder(
      releases(ecosystem, Array.from({ length: 2_000 }, (_, i) => stated(i))),
      {
        compare: (a, b) => {
          compared++;
          return compare(a, b);
        },
        isCanonical,
      },
    );
    for (let i = 0; i < 4_000; i++) find(asked(i));
    assert.ok(compared < 200_000, `${ecosystem} ${asked(1)}: ${compared}`);
  }
});
