import assert from "node:assert/strict";
import { PolicyInvalid } from "../../../policy/store/errors.ts";
import { DAY, findings, NOW, only, policy, release } from "../world.ts";

const AT = "2026-11-01T00:00:00Z";
const T = Date.parse(AT);
const FROZEN = only({ freeze: { level: "deny", at: AT } });

Deno.test("freeze lets through what was published until its instant, and nothing later", () => {
  for (const ecosystem of ["npm", "pypi", "cargo"]) {
    const at = (publishedAt: number) => findings(FROZEN, [release({ ecosystem, publishedAt })]);
    assert.deepEqual(at(T - DAY), []);
    assert.deepEqual(at(T), []);
    assert.deepEqual(at(T + 1), ["1.0.0: freeze"]);
  }
});

Deno.test("freeze withholds what nobody can date", () => {
  for (const publishedAt of [null, NaN]) {
    assert.deepEqual(findings(FROZEN, [release({ publishedAt })]), ["1.0.0: freeze"]);
  }
});

Deno.test("freeze says what it goes by, and ends only by hand", () => {
  const { verdicts, changesAt } = FROZEN.judge([release({ publishedAt: T + DAY })], NOW);
  assert.equal(
    verdicts[0].message,
    `published 2026-11-02T00:00:00Z, and nothing published after ${AT} is let through`,
  );
  assert.deepEqual([verdicts[0].until, changesAt], [null, null]);
});

Deno.test("freeze may be of some ecosystems alone", () => {
  const judged = only({ freeze: { level: "deny", at: "2026-11-01", ecosystems: ["npm"] } });
  const later = release({ publishedAt: NOW });
  assert.deepEqual(findings(judged, [later]), ["1.0.0: freeze"]);
  assert.deepEqual(findings(judged, [{ ...later, ecosystem: "pypi" }]), []);
});

Deno.test("freeze is off by default, warns where told to, and exceptions waive it", () => {
  const later = [release({ publishedAt: NOW })];
  assert.deepEqual(findings(only({ freeze: { at: AT } }), later), []);
  assert.deepEqual(findings(only({ freeze: { level: "warn", at: AT } }), later), [
    "warn 1.0.0: freeze",
  ]);
  const exceptions = [{ purl: "pkg:npm/axios@1.0.0", rules: ["freeze"] }];
  assert.deepEqual(
    findings(only({ freeze: { level: "deny", at: AT } }, { exceptions }), later),
    [],
  );
});

Deno.test("freeze without an instant, or of nothing, is refused", () => {
  for (
    const freeze of [
      { level: "deny" },
      { level: "deny", at: "yesterday" },
      { level: "deny", at: AT, ecosystems: [] },
      { level: "deny", at: AT, ecosystems: ["maven"] },
    ]
  ) {
    assert.throws(() => policy({ rules: { freeze } }), PolicyInvalid, JSON.stringify(freeze));
  }
});

Deno.test("a policy as of an instant withholds what came later, whatever exceptions and audits say", () => {
  const exceptions = [{ purl: "pkg:npm/*", rules: ["freeze", "min_age"] }];
  for (const mode of ["enforce", "audit"]) {
    const judged = only({ min_age: {} }, { exceptions, mode });
    const then = judged.asOf(T);
    assert.deepEqual([judged.before, then.before], [null, T]);
    assert.notEqual(then.revision, judged.revision);
    assert.notEqual(then.revision, judged.asOf(T + 1).revision);
    const releases = [
      release({ publishedAt: T }),
      release({ version: "2.0.0", publishedAt: T + 1 }),
      release({ version: "3.0.0", publishedAt: null }),
    ];
    assert.deepEqual(findings(judged, releases), []);
    assert.deepEqual(findings(then, releases), ["2.0.0: freeze", "3.0.0: freeze"]);
  }
});
