import assert from "node:assert/strict";
import { DAY, findings, HOUR, MINUTE, NOW, only, release } from "../world.ts";

const TEN_DAYS = only({ min_age: {} });

function aged(days: number) {
  return release({ publishedAt: NOW - days * DAY });
}

Deno.test("min_age lets through what is old and withholds what was published today", () => {
  assert.deepEqual(findings(TEN_DAYS, [aged(100)]), []);
  assert.deepEqual(findings(TEN_DAYS, [aged(0)]), ["1.0.0: min_age"]);
});

Deno.test("min_age holds until exactly its age after the publication, to the millisecond", () => {
  const published = [release({ publishedAt: NOW })];
  assert.deepEqual(findings(TEN_DAYS, published, NOW + 10 * DAY - 1), ["1.0.0: min_age"]);
  assert.deepEqual(findings(TEN_DAYS, published, NOW + 10 * DAY), []);
});

Deno.test("min_age says when a release was published and when it becomes available", () => {
  const publishedAt = Date.parse("2026-11-25T10:00:00Z");
  const { verdicts, changesAt } = TEN_DAYS.judge([release({ publishedAt })], NOW);
  assert.equal(
    verdicts[0].message,
    "published 2026-11-25T10:00:00Z, less than 10d ago; available from 2026-12-05T10:00:00Z",
  );
  assert.equal(verdicts[0].until, Date.parse("2026-12-05T10:00:00Z"));
  assert.equal(changesAt, verdicts[0].until);
});

Deno.test("min_age holds a publication in the future to be too young", () => {
  assert.deepEqual(findings(TEN_DAYS, [aged(-400)]), ["1.0.0: min_age"]);
});

Deno.test("unknown publish date fails open (nora#679) or blocks everything (nora#741): it has its own setting", () => {
  const undated = [release({ publishedAt: null })];
  const [verdict] = TEN_DAYS.judge(undated, NOW).verdicts;
  assert.equal(verdict.code, "min_age_unknown");
  assert.equal(verdict.until, null);
  assert.deepEqual(findings(only({ min_age: { unknown: "allow" } }), undated), []);
  assert.deepEqual(findings(only({ min_age: { unknown: "deny", age: "0" } }), undated), []);
});

Deno.test("min_age takes a date that is no number for unknown", () => {
  assert.deepEqual(findings(TEN_DAYS, [release({ publishedAt: NaN })]), [
    "1.0.0: min_age_unknown",
  ]);
});

Deno.test("min_age survives dates outside what Date holds", () => {
  assert.deepEqual(findings(TEN_DAYS, [release({ publishedAt: 1e300 })]), ["1.0.0: min_age"]);
});

Deno.test("min_age at level warn lets through", () => {
  assert.deepEqual(findings(only({ min_age: { level: "warn" } }), [aged(1)]), [
    "warn 1.0.0: min_age",
  ]);
});

Deno.test("min_age: a package's age counts before its ecosystem's, that before the general one", () => {
  const policy = only({
    min_age: {
      age: "10d",
      ecosystems: { pypi: "3d" },
      packages: { "pkg:pypi/requests": "1d" },
    },
  });
  const young = (ecosystem: string, name: string, age: number) =>
    findings(policy, [release({ ecosystem, name, publishedAt: NOW - age })]).length === 1;
  assert.equal(young("npm", "requests", 10 * DAY - 1), true);
  assert.equal(young("pypi", "urllib3", 3 * DAY - 1), true);
  assert.equal(young("pypi", "urllib3", 3 * DAY), false);
  assert.equal(young("pypi", "Requests", DAY - 1), true);
  assert.equal(young("pypi", "Requests", DAY), false);
});

Deno.test("min_age: exact names count before wildcards, longer wildcards before shorter", () => {
  const policy = only({
    min_age: {
      packages: {
        "pkg:npm/*": "4h",
        "pkg:npm/@acme/ui-*": "30m",
        "pkg:npm/@acme/*": "2h",
        "pkg:npm/@acme/ui-kit": "0",
      },
    },
  });
  const needed = (name: string) => {
    const publishedAt = NOW;
    const [{ until }] = policy.judge([release({ name, publishedAt })], NOW).verdicts;
    return until === null ? 0 : until - NOW;
  };
  assert.equal(needed("axios"), 4 * HOUR);
  assert.equal(needed("@acme/core"), 2 * HOUR);
  assert.equal(needed("@acme/ui-core"), 30 * MINUTE);
  assert.equal(needed("@acme/ui-kit"), 0);
});

Deno.test("a wheel added later does not inherit the age of its version", () => {
  const old = release({ ecosystem: "pypi", name: "numpy", publishedAt: NOW - 50 * DAY });
  const added = { ...old, publishedAt: NOW - DAY };
  assert.deepEqual(TEN_DAYS.judge([old, added], NOW).verdicts.map(({ action }) => action), [
    "allow",
    "deny",
  ]);
});
