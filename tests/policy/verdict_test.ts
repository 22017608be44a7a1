import assert from "node:assert/strict";
import { DAY, NOW, only, release } from "./world.ts";

const young = release({ publishedAt: NOW - DAY, license: "GPL-3.0-only" });
const license = { level: "deny", deny: ["GPL-*"] };

function excepted(rule: string, days: number) {
  const until = new Date(NOW + days * DAY).toISOString();
  return { purl: "pkg:npm/axios", rules: [rule], until };
}

Deno.test("what an exception waives counts again once it ends, so that nothing passes from before then on", () => {
  const rules = { min_age: {}, license };
  const until = (days: number) =>
    only(rules, { exceptions: [excepted("license", days)] }).judge([young], NOW).verdicts[0].until;
  // From the ninth day on it is old enough, and by then the licence counts again.
  assert.equal(until(8), null);
  assert.equal(until(9), null);
  assert.equal(until(10), NOW + 9 * DAY);
});

Deno.test("what counts again may outlast what another exception waives", () => {
  const rules = { min_age: {}, new_package: { level: "deny", age: "20d" }, license };
  const exceptions = [excepted("license", 12), excepted("new_package", 5)];
  assert.equal(only(rules, { exceptions }).judge([young], NOW).verdicts[0].until, null);
  const [verdict] = only(rules, { exceptions: exceptions.slice(1) })
    .judge([{ ...young, license: "MIT" }], NOW).verdicts;
  assert.equal(verdict.until, NOW + 19 * DAY);
});

Deno.test("what only warns once its exception ends withholds nothing", () => {
  const rules = { min_age: {}, license: { ...license, level: "warn" } };
  const exceptions = [excepted("license", 1)];
  const judged = only(rules, { exceptions });
  assert.equal(judged.judge([young], NOW).verdicts[0].until, NOW + 9 * DAY);
  const old = { ...young, publishedAt: NOW - 20 * DAY };
  assert.equal(judged.judge([old], NOW).verdicts[0].action, "allow");
});

Deno.test("nobody is told to wait for a day before the age that an audit lifts for a minute", () => {
  const rules = { min_age: {}, new_package: { level: "deny", age: "5d" } };
  const [verdict] = only(rules).judge([young], NOW, () => true).verdicts;
  assert.equal(verdict.code, "new_package");
  assert.equal(verdict.until, NOW + 9 * DAY);
});

Deno.test("a sentence with a date says what withholds for longer than that", () => {
  const rules = { min_age: { age: "20d" }, new_package: { level: "deny", age: "5d" } };
  const said = (more: object, exceptions: object[] = []) =>
    only({ ...rules, ...more }, { exceptions }).judge([young], NOW).verdicts[0].message;
  const message = "the package was first published 2026-11-30T10:00:00Z, less than 5d ago; " +
    "available from 2026-12-05T10:00:00Z";
  assert.equal(said({}), `${message}; also withheld (min_age) until 2026-12-20T10:00:00Z`);
  assert.equal(said({ min_age: { age: "5d" } }), message);
  assert.equal(said({ min_age: { age: "20d", level: "warn" } }), message);
  assert.equal(
    said({ min_age: {}, license }, [excepted("license", 1), excepted("min_age", 9)]),
    `${message}; also withheld (license)`,
  );
});
