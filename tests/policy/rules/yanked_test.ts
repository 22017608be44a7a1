import assert from "node:assert/strict";
import { findings, NOW, only, release } from "../world.ts";

const DENY = only({ yanked: {} });

Deno.test("yanked lets through what nobody withdrew", () => {
  assert.deepEqual(findings(DENY, [release()]), []);
});

Deno.test("yanked withholds what was withdrawn, with the registry's reason", () => {
  const [verdict] = DENY.judge([release({ yanked: "leaks  keys\r\n" })], NOW).verdicts;
  assert.equal(verdict.action, "deny");
  assert.equal(verdict.code, "yanked");
  assert.equal(verdict.message, "yanked: its publisher withdrew it: leaks keys");
  assert.equal(verdict.until, null);
});

Deno.test("yanked withholds what was withdrawn without a reason", () => {
  const [verdict] = DENY.judge([release({ yanked: "" })], NOW).verdicts;
  assert.equal(verdict.message, "yanked: its publisher withdrew it");
});

Deno.test("yanked cuts a reason of any length short", () => {
  const [verdict] = DENY.judge([release({ yanked: "x".repeat(1_000_000) })], NOW).verdicts;
  assert.ok(verdict.message.length < 400, `${verdict.message.length} characters`);
});

Deno.test("yanked at level warn lets through, at level off does not look", () => {
  const withdrawn = [release({ yanked: "" })];
  assert.deepEqual(findings(only({ yanked: { level: "warn" } }), withdrawn), [
    "warn 1.0.0: yanked",
  ]);
  assert.deepEqual(findings(only({}), withdrawn), []);
});
