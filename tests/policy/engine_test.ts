import assert from "node:assert/strict";
import fc from "fast-check";
import type { Release } from "../../policy/types.ts";
import { DAY, findings, NOW, only, policy, release } from "./world.ts";

const young = release({ publishedAt: NOW - DAY });

Deno.test("a release without findings is allowed, and costs no object of its own", () => {
  const { verdicts, denied, changesAt, signature } = policy().judge([release(), release()], NOW);
  assert.equal(verdicts[0].action, "allow");
  assert.equal(verdicts[0].code, null);
  assert.equal(verdicts[0], verdicts[1]);
  assert.throws(() => Object.assign(verdicts[0], { action: "deny" }), TypeError);
  assert.deepEqual({ denied, changesAt, signature }, { denied: 0, changesAt: null, signature: "" });
});

Deno.test("a package without versions is judged (safe-chain#107)", () => {
  const judgement = policy().judge([], NOW);
  assert.deepEqual(judgement, { verdicts: [], denied: 0, changesAt: null, signature: "" });
});

Deno.test("the first denying rule names the reason, the last to end says until when", () => {
  const releases = [
    release({ version: "1.0.0", trust: "approved", publishedAt: NOW - 9 * DAY }),
    release({ version: "1.0.1", trust: "none", publishedAt: NOW - 8 * DAY }),
  ];
  const [, verdict] = policy().judge(releases, NOW).verdicts;
  assert.equal(verdict.code, "publisher_downgrade");
  assert.equal(verdict.until, NOW - 9 * DAY + 365 * DAY);
  assert.deepEqual(verdict.findings.map(({ rule }) => rule), ["publisher_downgrade", "min_age"]);
  const withdrawn = { ...releases[1], yanked: "" };
  const [, second] = policy().judge([releases[0], withdrawn], NOW).verdicts;
  assert.equal(second.code, "yanked");
  assert.equal(second.until, null);
});

Deno.test("a denial counts before a warning of an earlier rule", () => {
  const judged = only({ yanked: { level: "warn" }, min_age: {} });
  const [verdict] = judged.judge([{ ...young, yanked: "" }], NOW).verdicts;
  assert.equal(verdict.action, "deny");
  assert.equal(verdict.code, "min_age");
  assert.equal(verdict.until, NOW + 9 * DAY);
});

Deno.test("mode audit turns every denial into a warning and withholds nothing", () => {
  const audit = policy({ mode: "audit" });
  assert.deepEqual(findings(audit, [young, { ...young, yanked: "" }]), [
    "warn 1.0.0: min_age",
    "warn 1.0.0: yanked",
  ]);
  const { denied, signature } = audit.judge([young], NOW);
  assert.deepEqual({ denied, signature }, { denied: 0, signature: "" });
});

Deno.test("an exception waives the rules it lists for the versions it names, and no others", () => {
  const judged = policy({
    exceptions: [{ purl: "pkg:npm/axios", versions: "<2", rules: ["min_age"] }],
  });
  const { verdicts } = judged.judge(
    [young, { ...young, version: "2.0.0" }, { ...young, yanked: "" }, { ...young, name: "other" }],
    NOW,
  );
  assert.deepEqual(verdicts.map(({ code }) => code), [null, "min_age", "yanked", "min_age"]);
  assert.deepEqual(verdicts[0].findings.map(({ waived }) => waived), ["exception"]);
  assert.deepEqual(verdicts[2].findings.map(({ rule, waived }) => [rule, waived]), [
    ["yanked", null],
    ["min_age", "exception"],
  ]);
});

Deno.test("exceptions that nobody removes (renovate#40595): one with an end holds before it and not from it on", () => {
  const end = "2026-12-02T00:00:00Z";
  const judged = policy({
    exceptions: [{ purl: "pkg:npm/axios", rules: ["yanked"], until: "2026-12-02" }],
  });
  const withdrawn = [release({ yanked: "" })];
  assert.equal(judged.judge(withdrawn, NOW).changesAt, Date.parse(end));
  assert.deepEqual(findings(judged, withdrawn, Date.parse(end) - 1), []);
  assert.deepEqual(findings(judged, withdrawn, Date.parse(end)), ["1.0.0: yanked"]);
});

Deno.test("thousands of exceptions for single versions cost thousands of versions no comparison each", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => i);
  const judged = policy({
    exceptions: many.map((i) => ({ purl: `pkg:npm/axios@1.${i}.0+b`, rules: ["min_age"] })),
  });
  // Four hundred million comparisons would take minutes.
  const releases = many.map((i) => ({ ...young, version: `1.${i}.${i % 2}+c` }));
  assert.equal(judged.judge(releases, NOW).denied, 10_000);
});

Deno.test("of several exceptions the one that lasts longest counts", () => {
  const line = { purl: "pkg:npm/*", rules: ["yanked"] };
  const withdrawn = [release({ yanked: "" })];
  const dated = policy({
    exceptions: [{ ...line, until: "2026-12-09" }, { ...line, until: "2026-12-05" }],
  });
  assert.equal(dated.judge(withdrawn, NOW).changesAt, Date.parse("2026-12-09"));
  const endless = policy({ exceptions: [{ ...line, until: "2026-12-09" }, line] });
  assert.equal(endless.judge(withdrawn, NOW).changesAt, null);
});

Deno.test("changesAt is the first instant after now at which anything ends", () => {
  const judged = policy({
    exceptions: [{ purl: "pkg:npm/axios@2.0.0", rules: ["min_age"], until: "2026-12-03" }],
  });
  const releases = [young, { ...young, version: "2.0.0" }];
  assert.equal(judged.judge(releases, NOW).changesAt, Date.parse("2026-12-03"));
  assert.equal(judged.judge([young], NOW).changesAt, NOW + 9 * DAY);
  assert.equal(judged.judge([young], NOW + 9 * DAY).changesAt, null);
});

Deno.test("filtered answers cached past a version's coming of age (artifact-keeper#2490): nothing changes before changesAt", () => {
  const one = fc.record({
    publishedAt: fc.option(fc.integer({ min: -20, max: 5 }).map((days) => NOW + days * DAY)),
    trust: fc.constantFrom("none", "provenance", "approved", null),
    version: fc.constantFrom("1.0.0", "1.1.0", "2.0.0"),
  });
  const judged = policy({
    rules: { publisher_downgrade: { ignore_after: "15d" } },
    exceptions: [{
      purl: "pkg:npm/axios",
      versions: "<2",
      rules: ["min_age"],
      until: "2026-12-04",
    }],
  });
  fc.assert(fc.property(fc.array(one, { maxLength: 8 }), (some) => {
    const releases = some.map((more) => release(more as Partial<Release>));
    const first = judged.judge(releases, NOW);
    const before = judged.judge(releases, (first.changesAt ?? NOW + 1_000 * DAY) - 1);
    assert.deepEqual(before.verdicts, first.verdicts);
    assert.equal(before.signature, first.signature);
  }));
});

Deno.test("signature: equal for the same refusals, different for another position, reason or date", () => {
  const judged = policy();
  const signature = (...releases: Release[]) => judged.judge(releases, NOW).signature;
  const other = { ...young, publishedAt: NOW - 2 * DAY };
  assert.equal(signature(young, release()), signature({ ...young }, release({ version: "9.9.9" })));
  const all = [
    signature(young, release()),
    signature(release(), young),
    signature(young, young),
    signature(other, release()),
    signature({ ...young, yanked: "" }, release()),
    signature({ ...young, yanked: "a" }, release()),
    signature(release(), release()),
  ];
  assert.equal(new Set(all).size, all.length);
  assert.equal(all.at(-1), "");
});

Deno.test("signature: a reason cannot pretend to be another refusal", () => {
  const judged = only({ yanked: {} });
  const forged = 'x"\n1 yanked null "y';
  const one = judged.judge([release({ yanked: forged }), release()], NOW).signature;
  const two = judged.judge([release({ yanked: "x" }), release({ yanked: "y" })], NOW).signature;
  assert.notEqual(one, two);
});

Deno.test("a warning does not change the signature", () => {
  assert.equal(only({ min_age: { level: "warn" } }).judge([young], NOW).signature, "");
});

Deno.test("any audit request opens a window in which nothing is filtered (thinkst): the override lifts min_age only, for named releases only", () => {
  const judged = policy();
  const releases = [young, { ...young, version: "1.0.1" }, { ...young, yanked: "" }];
  const { verdicts } = judged.judge(releases, NOW, ({ version }) => version === "1.0.0");
  assert.deepEqual(verdicts.map(({ code }) => code), [null, "min_age", "yanked"]);
  assert.deepEqual(verdicts[0].findings.map(({ waived }) => waived), ["audit_override"]);
  assert.equal(judged.auditOverride, true);
});

Deno.test("the audit override lifts an unknown date no less than a young one", () => {
  const [verdict] = policy().judge([release({ publishedAt: null })], NOW, () => true).verdicts;
  assert.equal(verdict.action, "allow");
});

Deno.test("the audit override lifts nothing where the policy says so", () => {
  const judged = policy({ rules: { min_age: { audit_override: false } } });
  assert.equal(judged.auditOverride, false);
  assert.equal(judged.judge([young], NOW, () => true).verdicts[0].code, "min_age");
});

Deno.test("a lift that throws lifts nothing", () => {
  const [verdict] = policy().judge([young], NOW, () => {
    throw new Error("no");
  }).verdicts;
  assert.equal(verdict.code, "min_age");
});

Deno.test("a filter that failed served the original document (git-pkgs/proxy): a rule that throws withholds", () => {
  const judged = policy({ rules: { block: { entries: [{ purl: "pkg:npm/evil" }] } } });
  const { verdicts, denied } = judged.judge([release({ name: "no such name" }), release()], NOW);
  assert.deepEqual(verdicts.map(({ code }) => code), ["metadata_invalid", null]);
  assert.equal(denied, 1);
  const unknown = judged.judge([release({ ecosystem: "gem" })], NOW);
  assert.equal(unknown.verdicts[0].code, "metadata_invalid");
});

Deno.test("a rule that throws for the index as a whole withholds all of it", () => {
  const releases = [
    release({ ecosystem: "gem", version: "1.0.0", trust: "approved", publishedAt: NOW - 90 * DAY }),
    release({ ecosystem: "gem", version: "1.0.1", trust: "none", publishedAt: NOW - 80 * DAY }),
  ];
  const judged = only({ publisher_downgrade: {} });
  assert.deepEqual(findings(judged, releases), [
    "1.0.0: metadata_invalid",
    "1.0.1: metadata_invalid",
  ]);
});

Deno.test("an exception that cannot be applied waives nothing", () => {
  const judged = policy({ exceptions: [{ purl: "pkg:npm/axios", rules: ["min_age"] }] });
  assert.deepEqual(findings(judged, [{ ...young, name: "no such name" }]), ["1.0.0: min_age"]);
});

Deno.test("two orgs' policies mix in one process (thinkst): each judges by its own document", () => {
  const strict = only({ min_age: { age: "30d" } });
  const lax = only({ min_age: { age: "0" } });
  const releases = [release({ publishedAt: NOW - 20 * DAY })];
  for (let i = 0; i < 3; i++) {
    assert.equal(strict.judge(releases, NOW).denied, 1);
    assert.equal(lax.judge(releases, NOW).denied, 0);
  }
});

Deno.test("registries: names matched, address ending in a slash, token's variable, files' origins", () => {
  const { registries } = policy({
    registries: [
      { ecosystem: "npm", packages: "pkg:npm/@acme/*", url: "https://npm.example/r" },
      {
        ecosystem: "pypi",
        packages: "pkg:pypi/Acme_Tools",
        url: "https://py.example/simple/",
        token_env: "REGISTRY_TOKEN_ACME",
        files: ["https://Files.example/", "https://cdn.example:8443"],
      },
    ],
  });
  assert.deepEqual(
    registries.map(({ ecosystem, url, tokenEnv }) => ({ ecosystem, url, tokenEnv })),
    [
      { ecosystem: "npm", url: "https://npm.example/r/", tokenEnv: null },
      { ecosystem: "pypi", url: "https://py.example/simple/", tokenEnv: "REGISTRY_TOKEN_ACME" },
    ],
  );
  assert.deepEqual(registries.map(({ fileOrigins }) => fileOrigins), [
    [],
    ["https://files.example", "https://cdn.example:8443"],
  ]);
  assert.equal(registries[0].matches("@acme/ui"), true);
  assert.equal(registries[0].matches("@acmes/ui"), false);
  assert.equal(registries[1].matches("acme-tools"), true);
});

Deno.test("every rule parses the whole document again (thinkst): 100,000 entries cost a request nothing", () => {
  const entries = Array.from({ length: 100_000 }, (_, i) => ({ purl: `pkg:npm/evil-${i}` }));
  const releases = Array.from({ length: 3_000 }, (_, i) => release({ version: `1.${i}.0` }));
  const median = (judged: ReturnType<typeof policy>) => {
    const times = Array.from({ length: 15 }, () => {
      const start = performance.now();
      judged.judge(releases, NOW);
      return performance.now() - start;
    });
    return times.sort((a, b) => a - b)[7];
  };
  const large = policy({ rules: { block: { entries } } });
  assert.equal(large.judge([release({ name: "evil-99999" })], NOW).denied, 1);
  const time = median(large);
  assert.ok(time < 25, `judging 3,000 releases takes ${time} ms`);
});

Deno.test("of several private registries the one with the most specific pattern has a package", () => {
  const at = (packages: string) => ({
    ecosystem: "npm",
    packages,
    url: `https://npm.example/${encodeURIComponent(packages)}/`,
  });
  const patterns = ["pkg:npm/*", "pkg:npm/@acme/*", "pkg:npm/@acme/ui", "pkg:npm/@acme/ui*"];
  for (const order of [patterns, patterns.toReversed()]) {
    const { registries } = policy({ registries: order.map(at) });
    const asked = ["@acme/ui", "@acme/ui-x", "@acme/db", "axios"]
      .map((name) => registries.find(({ matches }) => matches(name))?.url);
    assert.deepEqual(
      asked,
      ["pkg:npm/@acme/ui", "pkg:npm/@acme/ui*", "pkg:npm/@acme/*", "pkg:npm/*"]
        .map((packages) => at(packages).url),
    );
  }
});
