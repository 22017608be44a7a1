import assert from "node:assert/strict";
import type { Release } from "../../../policy/types.ts";
import { facts } from "../advisories/fixture.ts";
import { DAY, HOUR, NOW, only, release } from "../world.ts";

const before = (dependencies: readonly string[] | null, more: Partial<Release> = {}) =>
  release({ version: "1.14.0", dependencies, ...more });
const after = (dependencies: readonly string[] | null, more: Partial<Release> = {}) =>
  release({ version: "1.14.1", publishedAt: NOW - HOUR, dependencies, ...more });

function judge(
  releases: readonly Release[],
  dependencies: Record<string, number | null> = {},
  settings: Record<string, unknown> = {},
) {
  const judged = only({ new_dependency: { level: "deny", ...settings } });
  return judged.judge(releases, NOW, undefined, facts([], { dependencies })).verdicts;
}

Deno.test("`new_dependency` withholds a release that adds what was published yesterday", () => {
  const [first, second] = judge([before(["a"]), after(["a", "plain-crypto-js"])], {
    "plain-crypto-js": NOW - DAY,
  });
  assert.equal(first.action, "allow");
  assert.equal(second.code, "new_dependency");
  assert.equal(second.until, NOW + 9 * DAY);
  assert.equal(
    second.message,
    "adds the dependency plain-crypto-js, first published 2026-11-30T10:00:00Z, less than 10d ago",
  );
});

Deno.test("`new_dependency` ends exactly at the age of the dependency", () => {
  const releases = [before([]), after(["b"])];
  assert.equal(judge(releases, { b: NOW - 10 * DAY + 1 })[1].action, "deny");
  assert.equal(judge(releases, { b: NOW - 10 * DAY })[1].action, "allow");
  assert.equal(judge(releases, { b: NOW - 10 * DAY }, { age: "11d" })[1].action, "deny");
  assert.equal(judge(releases, { b: NOW - DAY }, { level: "warn" })[1].action, "warn");
  assert.equal(judge(releases, { b: NOW - DAY }, { level: "off" })[1].action, "allow");
});

Deno.test("`new_dependency` compares with a lower version, not with the one published before", () => {
  const other = release({ version: "2.0.0", dependencies: ["b"], publishedAt: NOW - 60 * DAY });
  const releases = [other, before([]), after(["b"])];
  assert.deepEqual(judge(releases, { b: NOW - DAY }).map(({ action }) => action), [
    "allow",
    "allow",
    "deny",
  ]);
});

Deno.test("`new_dependency`: two releases in a row do not vouch for each other", () => {
  const next = (version: string, days: number) =>
    release({ version, dependencies: ["b"], publishedAt: NOW - days * DAY });
  const actions = (releases: readonly Release[], settings = {}) =>
    judge(releases, { b: NOW - 2 * DAY }, settings).map(({ action }) => action);
  const young = [before([]), next("1.14.1", 1), next("1.14.2", 0.5)];
  assert.deepEqual(actions(young), ["allow", "deny", "deny"]);
  assert.deepEqual(actions([...young, next("2.0.0", 0.2)]), ["allow", "deny", "deny", "deny"]);
  const apart = [before([]), next("1.14.1", 16), next("1.14.2", 4)];
  assert.deepEqual(actions(apart, { age: "20d" }), ["allow", "deny", "deny"]);
  const settled = [before([]), next("1.14.1", 10.5), next("1.14.2", 0.5)];
  assert.deepEqual(actions(settled), ["allow", "allow", "allow"]);
});

Deno.test("`new_dependency` asks for added dependencies of recent releases alone", () => {
  const { needs } = only({ new_dependency: { level: "deny" } });
  const asked = (releases: readonly Release[]) => needs?.dependencies?.(releases, NOW);
  assert.deepEqual(asked([before(["a"]), after(["a", "b"])]), ["b"]);
  assert.deepEqual(asked([before(["a"]), after(["b"], { publishedAt: NOW - 11 * DAY })]), []);
  assert.deepEqual(asked([after(["a"])]), [], "a first release adds nothing");
  assert.deepEqual(asked([before(null), after(["a"])]), []);
  assert.deepEqual(asked([before(["a"]), after(null)]), []);
  assert.deepEqual(asked([]), []);
  assert.equal(only({}).needs, null);
  assert.equal(needs?.advisories, false);
});

Deno.test("without the dependency's age `unknown` decides", () => {
  const releases = [before([]), after(["b"])];
  const cases: Record<string, null>[] = [{}, { b: null }];
  for (const known of cases) {
    assert.equal(judge(releases, known)[1].action, "allow");
    assert.equal(judge(releases, known, { unknown: "deny" })[1].action, "deny");
  }
});

Deno.test("what is held against a release's dependencies ends with the age of the release itself", () => {
  const age = { publishedAt: NOW - 9 * DAY };
  const end = NOW + DAY;
  const releases = [before([]), after(["b"], age)];
  const policy = only({ new_dependency: { level: "deny", unknown: "deny" } });
  for (const b of [null, "unasked", NOW - HOUR] as const) {
    const known = facts([], { dependencies: { b } });
    const judgement = policy.judge(releases, NOW, undefined, known);
    assert.deepEqual([judgement.verdicts[1].until, judgement.changesAt], [end, end], String(b));
    assert.equal(policy.judge(releases, end - 1, undefined, known).denied, 1);
    assert.equal(policy.judge(releases, end, undefined, known).denied, 0);
  }
  const undated = judge([before([]), after(["b"], { publishedAt: null })], {}, { unknown: "deny" });
  assert.deepEqual([undated[1].action, undated[1].until], ["deny", null]);
});
