import assert from "node:assert/strict";
import fc from "fast-check";
import type { Release, Trust } from "../../../policy/types.ts";
import { DAY, findings, HOUR, MINUTE, NOW, only, release } from "../world.ts";

const DENY = only({ publisher_downgrade: {} });

/** Releases of one package: version, age in days, evidence. */
function history(...lines: [version: string, age: number, trust: Trust | null][]): Release[] {
  return lines.map(([version, age, trust]) =>
    release({ version, trust, publishedAt: NOW - age * DAY })
  );
}

Deno.test("publisher_downgrade lets through what is as well vouched for as before", () => {
  const releases = history(
    ["1.0.0", 90, "none"],
    ["1.1.0", 80, "provenance"],
    ["1.2.0", 70, "trusted_publisher"],
    ["1.3.0", 60, "approved"],
    ["1.4.0", 50, "approved"],
  );
  assert.deepEqual(findings(DENY, releases), []);
});

Deno.test("publisher_downgrade withholds each weaker step", () => {
  for (
    const [strong, weak] of [
      ["provenance", "none"],
      ["trusted_publisher", "provenance"],
      ["approved", "trusted_publisher"],
      ["approved", "none"],
    ] as const
  ) {
    assert.deepEqual(findings(DENY, history(["1.0.0", 9, strong], ["1.0.1", 8, weak])), [
      "1.0.1: publisher_downgrade",
    ]);
  }
});

Deno.test("publisher_downgrade catches axios 1.14.1, published by hand after a trusted publisher's 1.14.0", () => {
  const releases = history(["1.14.1", 1, "none"], ["1.14.0", 4, "trusted_publisher"]);
  const [verdict] = DENY.judge(releases, NOW).verdicts;
  assert.equal(verdict.action, "deny");
  assert.equal(
    verdict.message,
    "published without provenance on 2026-11-30T10:00:00Z, although 1.14.0 was published " +
      "by a trusted publisher on 2026-11-27T10:00:00Z",
  );
});

Deno.test("after one downgrade the next untrusted release passes (thinkst): it does not here", () => {
  const releases = history(
    ["1.14.0", 9, "trusted_publisher"],
    ["1.14.1", 8, "none"],
    ["1.14.2", 7, "none"],
  );
  assert.deepEqual(findings(DENY, releases), [
    "1.14.1: publisher_downgrade",
    "1.14.2: publisher_downgrade",
  ]);
});

Deno.test("trust-downgrade alarms so noisy that teams dropped the check (pnpm#10202): semver 6 is maintained by hand", () => {
  const releases = history(
    ["7.5.0", 90, "trusted_publisher"],
    ["6.3.1", 30, "none"],
    ["7.5.1", 20, "trusted_publisher"],
  );
  assert.deepEqual(findings(DENY, releases), []);
  const all = only({ publisher_downgrade: { scope: "all" } });
  assert.deepEqual(findings(all, releases), ["6.3.1: publisher_downgrade"]);
});

Deno.test("publisher_downgrade: unknown evidence or date neither accuses nor is accused", () => {
  const unknown = history(["1.0.0", 9, "approved"], ["1.1.0", 8, null]);
  assert.deepEqual(findings(DENY, unknown), []);
  assert.deepEqual(findings(DENY, history(["1.0.0", 9, null], ["1.1.0", 8, "none"])), []);
  const undated = [
    release({ version: "1.0.0", trust: "approved", publishedAt: null }),
    release({ version: "1.1.0", trust: "none" }),
    release({ version: "1.2.0", trust: "none", publishedAt: null }),
  ];
  assert.deepEqual(findings(DENY, undated), []);
});

Deno.test("publisher_downgrade: equal times are not earlier", () => {
  const releases = history(["1.0.0", 9, "approved"], ["1.0.1", 9, "none"]);
  assert.deepEqual(findings(DENY, releases), []);
});

Deno.test("publisher_downgrade: evidence counts for exactly ignore_after, and the verdict says until when", () => {
  const policy = only({ publisher_downgrade: { ignore_after: "30d" } });
  const releases = history(["1.0.0", 9, "approved"], ["1.0.1", 8, "none"]);
  const end = NOW + 21 * DAY;
  const judgement = policy.judge(releases, NOW);
  assert.equal(judgement.verdicts[1].until, end);
  assert.equal(judgement.changesAt, end);
  assert.equal(findings(policy, releases, end - 1).length, 1);
  assert.equal(findings(policy, releases, end).length, 0);
});

Deno.test("publisher_downgrade: the evidence that lasts longest says until when", () => {
  const releases = history(
    ["1.0.0", 50, "approved"],
    ["1.1.0", 40, "provenance"],
    ["1.2.0", 30, "none"],
  );
  const judgement = DENY.judge(releases, NOW);
  assert.equal(judgement.verdicts[2].until, NOW - 40 * DAY + 365 * DAY);
});

Deno.test("publisher_downgrade at level warn lets through", () => {
  const policy = only({ publisher_downgrade: { level: "warn" } });
  assert.deepEqual(findings(policy, history(["1.0.0", 9, "approved"], ["1.0.1", 8, "none"])), [
    "warn 1.0.1: publisher_downgrade",
  ]);
});

Deno.test("publisher_downgrade: files of one upload do not accuse each other, one added later is accused", () => {
  const file = (minutes: number, trust: Trust) =>
    release({
      ecosystem: "pypi",
      name: "numpy",
      version: "2.0.0",
      trust,
      publishedAt: NOW - 9 * DAY + minutes * MINUTE,
    });
  const together = [file(0, "trusted_publisher"), file(60, "none")];
  assert.deepEqual(findings(DENY, together), []);
  const later = [file(0, "trusted_publisher"), file(60 + 1 / 60, "none")];
  assert.deepEqual(findings(DENY, later), ["2.0.0: publisher_downgrade"]);
  const before = { ...file(0, "trusted_publisher"), version: "2.0.0rc1" };
  const both = [{ ...before, publishedAt: NOW - 10 * DAY }, ...together];
  assert.deepEqual(findings(DENY, both), ["2.0.0: publisher_downgrade"]);
});

Deno.test("publisher_downgrade agrees with comparing every pair", () => {
  const one = fc.record({
    version: fc.constantFrom("1.0.0", "1.1.0", "1.2.0", "2.0.0", "2.1.0"),
    trust: fc.constantFrom<Trust | null>(
      "none",
      "provenance",
      "trusted_publisher",
      "approved",
      null,
    ),
    publishedAt: fc.option(fc.integer({ min: -12, max: 2 }).map((half) => NOW + half * HOUR / 2)),
  });
  const policy = only({ publisher_downgrade: { ignore_after: "4h" } });
  fc.assert(fc.property(fc.array(one, { maxLength: 12 }), (some) => {
    const releases = some.map((more) => release(more));
    const expected = releases.map((it) => longestEvidence(it, releases, 4 * HOUR));
    const judged = policy.judge(releases, NOW).verdicts.map(({ until }) => until);
    assert.deepEqual(judged, expected);
  }));
});

/** The rule as it is written, at the cost of all pairs. */
function longestEvidence(it: Release, all: readonly Release[], lasts: number): number | null {
  const ranks = ["none", "provenance", "trusted_publisher", "approved"];
  const { trust, publishedAt } = it;
  if (trust === null || publishedAt === null) return null;
  const major = (version: string) => version.split(".")[0];
  const first = Math.min(
    ...all.filter((other) =>
      other.version === it.version && other.trust !== null && other.publishedAt !== null
    ).map((other) => other.publishedAt ?? 0),
  );
  const ends = all.flatMap((other) => {
    if (other.trust === null || other.publishedAt === null) return [];
    if (major(other.version) !== major(it.version)) return [];
    if (other.publishedAt >= publishedAt) return [];
    if (ranks.indexOf(other.trust) <= ranks.indexOf(trust)) return [];
    if (other.version === it.version && publishedAt - first <= HOUR) return [];
    return other.publishedAt + lasts > NOW ? [other.publishedAt + lasts] : [];
  });
  return ends.length === 0 ? null : Math.max(...ends);
}
