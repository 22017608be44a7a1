import assert from "node:assert/strict";
import { DAY, findings, NOW, only, release } from "../world.ts";

const MONTH = only({ new_package: { level: "deny" } });

Deno.test("new_package lets through every release of a package that has been there for long", () => {
  const old = release({ publishedAt: NOW - 400 * DAY });
  const today = release({ version: "2.0.0", publishedAt: NOW });
  assert.deepEqual(findings(MONTH, [today, old]), []);
});

Deno.test("new_package withholds every release until the first is old enough, to the millisecond", () => {
  for (const ecosystem of ["npm", "pypi", "cargo"]) {
    const first = release({ ecosystem, publishedAt: NOW });
    const second = release({ ecosystem, version: "1.0.1", publishedAt: NOW + DAY });
    const at = (now: number) => findings(MONTH, [second, first], now);
    assert.deepEqual(at(NOW + 30 * DAY - 1), ["1.0.1: new_package", "1.0.0: new_package"]);
    assert.deepEqual(at(NOW + 30 * DAY), []);
  }
});

Deno.test("new_package says when the package was first published and when it becomes available", () => {
  const publishedAt = Date.parse("2026-11-25T10:00:00Z");
  const { verdicts, changesAt } = MONTH.judge([release({ publishedAt })], NOW);
  assert.equal(
    verdicts[0].message,
    "the package was first published 2026-11-25T10:00:00Z, less than 30d ago; " +
      "available from 2026-12-25T10:00:00Z",
  );
  assert.equal(changesAt, Date.parse("2026-12-25T10:00:00Z"));
});

Deno.test("new_package without any date does what it is told, and denies unless told", () => {
  const undated = [release({ publishedAt: null }), release({ publishedAt: NaN, version: "2.0.0" })];
  assert.deepEqual(findings(MONTH, undated), ["1.0.0: new_package", "2.0.0: new_package"]);
  const lax = only({ new_package: { level: "deny", unknown: "allow" } });
  assert.deepEqual(findings(lax, undated), []);
  assert.deepEqual(findings(MONTH, [...undated, release({ version: "0.1.0" })]), []);
});

Deno.test("new_package is off by default, with age 0 too, and warns where told to", () => {
  const young = [release({ publishedAt: NOW })];
  assert.deepEqual(findings(only({ new_package: {} }), young), []);
  assert.deepEqual(findings(only({ new_package: { level: "deny", age: "0" } }), young), []);
  assert.deepEqual(findings(only({ new_package: { level: "warn" } }), young), [
    "warn 1.0.0: new_package",
  ]);
});

Deno.test("an exception waives new_package", () => {
  const exceptions = [{ purl: "pkg:npm/axios", rules: ["new_package"] }];
  const judged = only({ new_package: { level: "deny" } }, { exceptions });
  assert.deepEqual(findings(judged, [release({ publishedAt: NOW })]), []);
});
