import assert from "node:assert/strict";
import fc from "fast-check";
import { predecessors } from "../../policy/predecessor.ts";

interface Version {
  readonly version: string;
  readonly publishedAt: number | null;
}

const byNumber = (a: string, b: string) => Number(a) - Number(b);

/** As the words have it, one version after the other. */
function naive(versions: readonly Version[], of: Version, settled: number): Version | null {
  const lower = versions.filter(({ version }) => byNumber(version, of.version) < 0)
    .sort((a, b) => byNumber(b.version, a.version));
  const dated = lower.filter(({ publishedAt }) => publishedAt !== null);
  const at = of.publishedAt;
  if (at === null || dated.length === 0) return lower[0] ?? null;
  return dated.find(({ publishedAt }) => Number(publishedAt) <= at - settled) ??
    dated.toSorted((a, b) =>
      Number(a.publishedAt) - Number(b.publishedAt) || byNumber(a.version, b.version)
    )[0];
}

Deno.test("the predecessor is the highest lower version that had settled, else the oldest", () => {
  const date = fc.option(fc.integer({ min: 0, max: 12 }), { freq: 4 });
  fc.assert(
    fc.property(fc.array(date, { maxLength: 12 }), fc.nat(6), (dates, settled) => {
      const versions = dates.map((publishedAt, i) => ({ version: String(i), publishedAt }));
      const find = predecessors(versions.toReversed(), byNumber, settled);
      for (const version of versions) {
        assert.equal(find(version), naive(versions, version, settled), version.version);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("versions of one day are not compared with each of the others", () => {
  // Ten thousand million looks would take minutes.
  const versions = Array.from({ length: 150_000 }, (_, i) => ({
    version: String(i),
    publishedAt: i === 0 ? 0 : 1_000_000 + i,
  }));
  const find = predecessors(versions, byNumber, 500_000);
  assert.equal(find(versions[0]), null);
  assert.ok(versions.slice(1).every((version) => find(version) === versions[0]));
});
