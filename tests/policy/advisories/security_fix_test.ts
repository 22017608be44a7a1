import assert from "node:assert/strict";
import type { Advisory, Release } from "../../../policy/types.ts";
import { DAY, HOUR, NOW, only, release } from "../world.ts";
import { advisory, facts, fixedIn } from "./fixture.ts";

const old = (version: string, more: Partial<Release> = {}) => release({ version, ...more });
const young = (version: string, more: Partial<Release> = {}) =>
  release({ version, publishedAt: NOW - DAY, ...more });

/** The versions withheld, by a policy of min_age (and what the test adds). */
function withheld(
  releases: readonly Release[],
  list: readonly Advisory[],
  rules: Record<string, unknown> = {},
): string[] {
  const judged = only({ min_age: { level: "deny" }, ...rules });
  const { verdicts } = judged.judge(releases, NOW, undefined, facts(list));
  return releases.filter((_, i) => verdicts[i].action === "deny").map(({ version }) => version);
}

Deno.test("a fix goes out young where every older release suffers", () => {
  const releases = [old("1.0.0"), old("1.0.1"), young("1.0.2"), young("1.0.3")];
  assert.deepEqual(withheld(releases, []), ["1.0.2", "1.0.3"]);
  assert.deepEqual(withheld(releases, [fixedIn("1.0.2")]), ["1.0.3"]);
  const [verdict] = only({ min_age: { level: "deny" } })
    .judge([releases[2], releases[0]], NOW, undefined, facts([fixedIn("1.0.2")])).verdicts;
  assert.deepEqual(verdict.findings.map(({ code, waived }) => [code, waived]), [
    ["min_age", "security_fix"],
  ]);
});

Deno.test("what was built of the version that mends is the fix, once", () => {
  const crate = { ecosystem: "cargo" };
  const releases = [
    old("0.4.59+curl-7", crate),
    young("0.4.60+curl-8", crate),
    young("0.4.60+curl-9", crate),
  ];
  assert.deepEqual(withheld(releases, [fixedIn("0.4.60")]), ["0.4.60+curl-9"]);
});

Deno.test("an advisory alone opens no door", () => {
  const releases = [old("1.0.0"), young("1.0.2")];
  const range = (kind: "last_affected" | "introduced", version: string) =>
    advisory({
      ranges: [{ events: [{ kind: "introduced", version: "0" }, { kind, version }] }],
    });
  assert.deepEqual(withheld(releases, [fixedIn("1.0.2", { reviewed: false })]), ["1.0.2"]);
  assert.deepEqual(withheld(releases, [fixedIn("1.0.2", { malware: true })]), ["1.0.2"]);
  assert.deepEqual(withheld(releases, [fixedIn("1.0.1")]), ["1.0.2"], "it names another version");
  assert.deepEqual(withheld(releases, [range("last_affected", "1.0.0")]), ["1.0.2"]);
  assert.deepEqual(withheld([young("1.0.2")], [fixedIn("1.0.2")]), ["1.0.2"], "nothing is older");
  assert.deepEqual(withheld([old("0.9.0"), young("1.0.2")], [fixedIn("1.0.2")]), ["1.0.2"]);
  assert.deepEqual(
    withheld(releases, [fixedIn("1.0.2")], { min_age: { level: "deny", security_fixes: false } }),
    ["1.0.2"],
  );
});

Deno.test("one older release that is sound keeps the fix waiting", () => {
  const events = [
    { kind: "introduced", version: "1.0.1" } as const,
    { kind: "fixed", version: "1.0.2" } as const,
  ];
  const late = advisory({ ranges: [{ events }], fixed: ["1.0.2"] });
  assert.deepEqual(withheld([old("1.0.0"), old("1.0.1"), young("1.0.2")], [late]), ["1.0.2"]);
  assert.deepEqual(withheld([old("1.0.1"), young("1.0.2")], [late]), []);
  const pre = [old("1.0.0-rc.1"), old("1.0.1"), young("1.0.2")];
  assert.deepEqual(withheld(pre, [late]), [], "nobody is given a pre-release unasked");
});

Deno.test("a sound older release that other rules withhold keeps nothing waiting", () => {
  const releases = [old("1.0.0"), old("1.0.1", { yanked: "broken" }), young("1.0.2")];
  const events = [
    { kind: "introduced", version: "0" } as const,
    { kind: "fixed", version: "1.0.1" } as const,
  ];
  const one = advisory({ ranges: [{ events }], fixed: ["1.0.1", "1.0.2"] });
  assert.deepEqual(withheld(releases, [one]), ["1.0.2"]);
  assert.deepEqual(withheld(releases, [one], { yanked: { level: "deny" } }), ["1.0.1"]);
});

Deno.test("vulnerable releases that are withheld themselves still count as those that suffer", () => {
  const rules = { vulnerable: { level: "deny" } };
  assert.deepEqual(withheld([old("1.0.0"), young("1.0.2")], [fixedIn("1.0.2")], rules), ["1.0.0"]);
});

Deno.test("what other rules hold against a fix stays", () => {
  const releases = [old("1.0.0"), young("1.0.2", { yanked: "" })];
  assert.deepEqual(
    withheld(releases, [fixedIn("1.0.2")], { yanked: { level: "deny" } }),
    ["1.0.2"],
  );
});

Deno.test("a file added later to the version that mends is no part of the fix", () => {
  const file = (version: string, hoursAgo: number) =>
    release({ ecosystem: "pypi", version, publishedAt: NOW - hoursAgo * HOUR });
  const list = [fixedIn("1.0.2")];
  const first = file("1.0.0", 2_000);
  assert.deepEqual(withheld([first, file("1.0.2", 24), file("1.0.2", 23)], list), []);
  assert.deepEqual(withheld([first, file("1.0.2", 24), file("1.0.2", 22)], list), ["1.0.2"]);
  assert.deepEqual(withheld([first, file("1.0.2", 1_000), file("1.0.2", 1)], list), ["1.0.2"]);
});

Deno.test("a release without a date is not lifted", () => {
  const releases = [old("1.0.0"), young("1.0.2", { publishedAt: null })];
  assert.deepEqual(withheld(releases, [fixedIn("1.0.2")]), ["1.0.2"]);
});
