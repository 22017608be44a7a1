import assert from "node:assert/strict";
import fc from "fast-check";
import { advisoryMatcher } from "../../../policy/advisories/affects.ts";
import type { AdvisoryEvent } from "../../../policy/types.ts";
import { release, SCHEMES } from "../world.ts";
import { advisory } from "./fixture.ts";

/** The versions that an advisory affects. */
function affected(
  ecosystem: string,
  versions: readonly string[],
  { events, listed = [] }: { events?: readonly AdvisoryEvent[]; listed?: readonly string[] },
): string[] {
  const releases = versions.map((version) => release({ ecosystem, version }));
  const one = advisory({ versions: listed, ranges: events === undefined ? [] : [{ events }] });
  const affecting = advisoryMatcher(releases, [one], SCHEMES);
  return versions.filter((_, position) => affecting(position).length > 0);
}

const event = (kind: AdvisoryEvent["kind"], version: string): AdvisoryEvent => ({ kind, version });
const introduced = (version: string) => event("introduced", version);
const fixed = (version: string) => event("fixed", version);

const NPM = ["2.0.0", "0.9.0", "1.0.0", "1.0.1-beta.1", "1.0.1", "1.1.0", "1.10.0"];

Deno.test("`fixed` is the first that is not affected, `last_affected` the last that is", () => {
  assert.deepEqual(
    affected("npm", NPM, { events: [introduced("1.0.0"), fixed("1.0.1")] }),
    ["1.0.0", "1.0.1-beta.1"],
  );
  assert.deepEqual(
    affected("npm", NPM, { events: [introduced("1.0.0"), event("last_affected", "1.0.1")] }),
    ["1.0.0", "1.0.1-beta.1", "1.0.1"],
  );
});

Deno.test("`introduced: 0` begins with the first version, and without an end it has none", () => {
  assert.deepEqual(affected("npm", NPM, { events: [introduced("0")] }), NPM);
  assert.deepEqual(
    affected("npm", ["not a version", ...NPM], { events: [introduced("0"), fixed("0.9.0")] }),
    ["not a version"],
  );
});

Deno.test("cargo's versions are affected by their numbers, however big", () => {
  const versions = ["1.0.0", "1.0.5", "1.0.9007199254740993"];
  assert.deepEqual(affected("cargo", versions, { events: [introduced("1.0.5")] }), [
    "1.0.5",
    "1.0.9007199254740993",
  ]);
});

Deno.test("a version that nobody can read may be in any range, and is none of those listed", () => {
  const versions = ["1.0.0", "1.0.9007199254740993"];
  const events = [introduced("1.0.5"), fixed("1.0.6")];
  assert.deepEqual(affected("npm", versions, { events }), ["1.0.9007199254740993"]);
  assert.deepEqual(affected("pypi", ["1.0", "2004d"], { events }), ["2004d"]);
  assert.deepEqual(affected("npm", versions, { listed: ["1.0.5"] }), []);
});

Deno.test("events in any order and several lines of them mean the same", () => {
  const events = [fixed("1.1.0"), introduced("1.0.1"), fixed("1.0.0"), introduced("0")];
  assert.deepEqual(affected("npm", NPM, { events }), ["0.9.0", "1.0.1"]);
});

Deno.test("borders between versions of the index, not at them", () => {
  const versions = ["1.0.0", "3.0.0"];
  const events = [introduced("1.5.0"), fixed("2.0.0")];
  assert.deepEqual(affected("npm", versions, { events }), []);
  assert.deepEqual(
    affected("npm", versions, { events: [introduced("0"), fixed("1.5.0"), introduced("2.0.0")] }),
    versions,
  );
});

Deno.test("a range may be one version long, or begin where another is mended", () => {
  const last = event("last_affected", "1.0.0");
  for (const events of [[introduced("1.0.0"), last], [last, introduced("1.0.0")]]) {
    assert.deepEqual(affected("npm", NPM, { events }), ["1.0.0"]);
  }
  const touching = [introduced("0"), fixed("1.0.0"), introduced("1.0.0"), fixed("1.0.1")];
  for (const events of [touching, touching.toReversed()]) {
    assert.deepEqual(affected("npm", NPM, { events }), ["0.9.0", "1.0.0", "1.0.1-beta.1"]);
  }
});

Deno.test("`limit` ends what is affected, `*` does not", () => {
  const limited = (version: string) => [introduced("0"), event("limit", version)];
  assert.deepEqual(affected("npm", NPM, { events: limited("1.0.0") }), ["0.9.0"]);
  assert.deepEqual(affected("npm", NPM, { events: limited("*") }), NPM);
});

Deno.test("a border that cannot be read ends nothing", () => {
  for (const end of [fixed("soon"), event("last_affected", "?"), event("limit", "x.y")]) {
    assert.deepEqual(affected("npm", NPM, { events: [introduced("0"), end] }), NPM);
  }
  assert.deepEqual(affected("npm", NPM, { events: [introduced("one"), fixed("1.0.0")] }), [
    "0.9.0",
  ]);
});

Deno.test("a short border is completed", () => {
  assert.deepEqual(affected("npm", NPM, { events: [introduced("1"), fixed("1.1")] }), [
    "1.0.0",
    "1.0.1-beta.1",
    "1.0.1",
  ]);
});

Deno.test("listed versions are affected, however an ecosystem spells them", () => {
  assert.deepEqual(affected("npm", NPM, { listed: ["1.0.1", "7.0.0", "?"] }), ["1.0.1"]);
  assert.deepEqual(affected("pypi", ["1.0", "1.0.1"], { listed: ["1.0.0"] }), ["1.0"]);
  assert.deepEqual(affected("cargo", ["1.0.0", "1.0.1"], { listed: ["1.0.1"] }), ["1.0.1"]);
});

Deno.test("what was built of a version is that version", () => {
  const crates = ["0.4.58+curl-7.85.0", "0.4.59", "0.4.59+curl-7.86.0", "0.4.60+curl-8"];
  const upTo = (version: string) => [introduced("0"), event("last_affected", version)];
  for (const ecosystem of ["cargo", "npm"]) {
    const has = (more: Parameters<typeof affected>[2]) => affected(ecosystem, crates, more);
    for (const version of ["0.4.59", "0.4.59+curl-7.86.0", "0.4.59+other"]) {
      assert.deepEqual(has({ events: upTo(version) }), crates.slice(0, 3), version);
      assert.deepEqual(has({ listed: [version] }), crates.slice(1, 3), version);
      assert.deepEqual(has({ events: [introduced(version)] }), crates.slice(1), version);
      assert.deepEqual(has({ events: [introduced("0"), fixed(version)] }), crates.slice(0, 1));
      const one = [introduced(version), event("last_affected", "0.4.59")];
      assert.deepEqual(has({ events: one }), crates.slice(1, 3), version);
    }
  }
  const local = ["1.0", "1.0+ubuntu1", "1.0+ubuntu2", "1.0.post1"];
  const has = (more: Parameters<typeof affected>[2]) => affected("pypi", local, more);
  assert.deepEqual(has({ listed: ["1.0"] }), local.slice(0, 3));
  assert.deepEqual(has({ listed: ["1"] }), local.slice(0, 3));
  assert.deepEqual(has({ listed: ["1.0+ubuntu1"] }), ["1.0+ubuntu1"]);
  assert.deepEqual(has({ events: upTo("1.0") }), local.slice(0, 3));
  assert.deepEqual(has({ events: [introduced("0"), fixed("1.0")] }), []);
  assert.deepEqual(has({ events: [introduced("0"), fixed("1.0+ubuntu2")] }), local.slice(0, 2));
});

Deno.test("a version that an index spells in two ways is affected in both", () => {
  assert.deepEqual(affected("pypi", ["1.0", "1.0.0", "1.1"], { listed: ["1.0"] }), [
    "1.0",
    "1.0.0",
  ]);
});

Deno.test("what only looks like a build is compared with nothing", () => {
  const versions = ["1.0.0+", "1.0.0", "2.0.0+ä"];
  assert.deepEqual(affected("cargo", versions, { events: [introduced("0"), fixed("1.0.0")] }), [
    "1.0.0+",
    "2.0.0+ä",
  ]);
  assert.deepEqual(affected("cargo", versions, { listed: ["1.0.0"] }), ["1.0.0"]);
  assert.deepEqual(affected("cargo", versions, { listed: ["1.0.0+"] }), ["1.0.0+"]);
});

Deno.test("each ecosystem's own order counts", () => {
  const events = [introduced("0"), fixed("1.0.1")];
  assert.deepEqual(affected("pypi", ["1.0.1rc1", "1.0.1", "1.0.1.post1", "1!0.1"], { events }), [
    "1.0.1rc1",
  ]);
  assert.deepEqual(affected("cargo", ["1.0.1-alpha", "1.0.1", "1.0.10"], { events }), [
    "1.0.1-alpha",
  ]);
});

/** At equal versions: what was affected before is mended, then it begins, then it ends. */
const TURNS: readonly AdvisoryEvent["kind"][] = ["fixed", "introduced", "last_affected"];

/** OSV's algorithm, word for word. */
function naive(version: number, events: readonly AdvisoryEvent[]): boolean {
  const value = ({ version }: AdvisoryEvent) => Number(version.split(".")[0]);
  const limits = events.filter(({ kind }) => kind === "limit");
  if (limits.length > 0 && !limits.some((one) => version < value(one))) return false;
  const sorted = events.toSorted((a, b) =>
    value(a) - value(b) || TURNS.indexOf(a.kind) - TURNS.indexOf(b.kind)
  );
  let vulnerable = false;
  for (const one of sorted) {
    if (one.kind === "introduced" && version >= value(one)) vulnerable = true;
    if (one.kind === "fixed" && version >= value(one)) vulnerable = false;
    if (one.kind === "last_affected" && version > value(one)) vulnerable = false;
  }
  return vulnerable;
}

Deno.test("whatever the events are, the same versions are affected as by OSV's algorithm", () => {
  const events = fc.array(
    fc.record({
      kind: fc.constantFrom("introduced", "fixed", "last_affected", "limit"),
      version: fc.integer({ min: 1, max: 12 }).map((major) => `${major}.0.0`),
    }),
    { minLength: 1, maxLength: 6 },
  );
  const majors = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1 });
  fc.assert(fc.property(events, majors, (events, majors) => {
    const versions = majors.map((major) => `${major}.0.0`);
    const expected = versions.filter((_, i) => naive(majors[i], events));
    assert.deepEqual(affected("npm", versions, { events }), expected);
  }));
});
