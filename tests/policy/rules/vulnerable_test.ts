import assert from "node:assert/strict";
import type { Advisory, AdvisoryState } from "../../../policy/types.ts";
import { advisory, facts, fixedIn, malware } from "../advisories/fixture.ts";
import { NOW, only, policy, release } from "../world.ts";

function judge(
  list: readonly Advisory[],
  { version = "1.0.0", ecosystem = "npm", state = "current", document = {}, ...settings }: {
    version?: string;
    ecosystem?: string;
    state?: AdvisoryState;
    document?: Record<string, unknown>;
    [setting: string]: unknown;
  } = {},
) {
  const judged = only({ vulnerable: { level: "deny", ...settings } }, document);
  return judged.judge([release({ version, ecosystem })], NOW, undefined, facts(list, { state }))
    .verdicts[0];
}

Deno.test("`vulnerable` is off by default", () => {
  const { verdicts } = policy().judge([release()], NOW, undefined, facts([fixedIn("2.0.0")]));
  assert.deepEqual(verdicts.map(({ action }) => action), ["allow"]);
});

Deno.test("`vulnerable` counts from the severity of its setting, `high` by default", () => {
  const all = ["low", "medium", "high", "critical"] as const;
  for (const [i, severity] of all.entries()) {
    const list = [fixedIn("2.0.0", { severity })];
    assert.equal(judge(list).code, i >= 2 ? "vulnerable" : null, severity);
    const held = all.filter((threshold) => judge(list, { severity: threshold }).action === "deny");
    assert.deepEqual(held, all.slice(0, i + 1), severity);
  }
});

Deno.test("`vulnerable` names the advisories, the worst first, and the version that mends them all", () => {
  const list = [
    fixedIn("1.0.2", { id: "GHSA-1" }),
    fixedIn("1.2.0", { id: "GHSA-2", severity: "critical" }),
    advisory({ id: "GHSA-3", versions: ["1.0.0"], fixed: ["0.9.9", "1.1.0", "2.0.0"] }),
    fixedIn("1.0.1", { id: "GHSA-4" }),
  ];
  assert.equal(
    judge(list).message,
    "vulnerable: GHSA-2 (critical), GHSA-1 (high), GHSA-3 (high) and 1 more; fixed in 1.2.0",
  );
  assert.match(
    judge([fixedIn("1.0.2"), advisory({ versions: ["1.0.0"] })]).message,
    /; partly fixed in 1\.0\.2$/,
  );
  assert.match(judge([advisory({ versions: ["1.0.0"] })]).message, /; no fixed version is known$/);
});

Deno.test("a version that mends is named where its advisory leaves parts of it out", () => {
  assert.match(judge([fixedIn("1.1")]).message, /; fixed in 1\.1$/);
  assert.match(judge([fixedIn("2"), fixedIn("1.0.1")]).message, /; fixed in 2$/);
});

Deno.test("`vulnerable` ends exactly at the fixed version, in each ecosystem", () => {
  for (const ecosystem of ["npm", "pypi", "cargo"]) {
    const action = (version: string) => judge([fixedIn("1.0.1")], { ecosystem, version }).action;
    assert.deepEqual(["1.0.0", "1.0.1", "1.0.2"].map(action), ["deny", "allow", "allow"]);
  }
});

Deno.test("an advisory without a severity counts where `unknown` is deny", () => {
  const list = [fixedIn("2.0.0", { severity: null })];
  assert.equal(judge(list).action, "allow");
  assert.equal(judge(list, { unknown: "deny" }).action, "deny");
});

Deno.test("`vulnerable` leaves malware to its own rule, and warns where it is to", () => {
  assert.equal(judge([malware("1.0.0")], { unknown: "deny" }).action, "allow");
  assert.equal(judge([fixedIn("2.0.0")], { level: "warn" }).action, "warn");
});

Deno.test("without an answer `vulnerable` withholds only where the policy says deny", () => {
  for (const state of ["stale", "late", "silent", "never", "unreadable"] as const) {
    assert.equal(judge([], { state }).action, "allow", state);
    const document = { on_advisory_failure: "deny" };
    assert.equal(judge([], { state, document }).code, "vulnerable_unknown", state);
  }
});
