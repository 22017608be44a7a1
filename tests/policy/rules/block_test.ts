import assert from "node:assert/strict";
import { findings, only, release } from "../world.ts";

function blocking(...entries: unknown[]) {
  return only({ block: { entries } });
}

Deno.test("block withholds every version of a package and no other package", () => {
  const policy = blocking({ purl: "pkg:npm/axios" });
  assert.deepEqual(findings(policy, [release()]), ["1.0.0: blocked"]);
  assert.deepEqual(findings(policy, [release({ name: "axios-mock" })]), []);
  assert.deepEqual(findings(policy, [release({ ecosystem: "pypi" })]), []);
});

Deno.test("block withholds only the versions of its range, bounds included", () => {
  const policy = blocking({ purl: "pkg:npm/axios", versions: ">=1.2.0 <2" });
  const releases = ["1.1.9", "1.2.0", "1.9.9", "2.0.0"].map((version) => release({ version }));
  assert.deepEqual(findings(policy, releases), ["1.2.0: blocked", "1.9.9: blocked"]);
});

Deno.test("block takes ranges in the ecosystem's own syntax", () => {
  const policy = blocking(
    { purl: "pkg:pypi/requests", versions: "<2.32,!=2.30" },
    { purl: "pkg:cargo/serde", versions: "1.2, <1.4" },
  );
  const requests = ["2.30", "2.31.0", "2.32"].map((version) =>
    release({ ecosystem: "pypi", name: "Requests", version })
  );
  assert.deepEqual(findings(policy, requests), ["2.31.0: blocked"]);
  const serde = ["1.1.0", "1.3.0", "1.4.0"].map((version) =>
    release({ ecosystem: "cargo", name: "serde", version })
  );
  assert.deepEqual(findings(policy, serde), ["1.3.0: blocked"]);
});

Deno.test("block reads a PURL with a version as exactly that version", () => {
  const policy = blocking({ purl: "pkg:npm/axios@0.30.4" });
  const releases = ["0.30.3", "0.30.4", "0.30.5"].map((version) => release({ version }));
  assert.deepEqual(findings(policy, releases), ["0.30.4: blocked"]);
});

Deno.test("block holds pre-releases to be in a range", () => {
  const policy = blocking({ purl: "pkg:npm/axios", versions: "<2" });
  assert.deepEqual(findings(policy, [release({ version: "1.5.0-rc.1" })]), [
    "1.5.0-rc.1: blocked",
  ]);
});

Deno.test("block of all versions holds also for versions that do not parse", () => {
  const policy = blocking({ purl: "pkg:npm/axios" });
  assert.deepEqual(findings(policy, [release({ version: "latest-ish" })]), [
    "latest-ish: blocked",
  ]);
});

Deno.test("block of some versions withholds what may be one of them, as nobody can read it", () => {
  const cases = [
    { ecosystem: "npm", versions: ">=1.0.5", odd: "1.0.9007199254740993" },
    { ecosystem: "cargo", versions: ">=1.0.5", odd: "1.0.18446744073709551616" },
    { ecosystem: "cargo", versions: "^1", odd: "1.0.0-01" },
    { ecosystem: "pypi", versions: ">=1.0.5", odd: "2004d" },
    { ecosystem: "pypi", versions: "!=1.0.*", odd: "latest" },
  ];
  for (const { ecosystem, versions, odd } of cases) {
    const purl = `pkg:${ecosystem}/axios`;
    const policy = only({ block: { entries: [{ purl, versions }] } }, {
      exceptions: [{ purl, rules: ["min_age"] }],
    });
    const releases = [
      release({ ecosystem, version: "0.9.0" }),
      release({ ecosystem, version: odd }),
    ];
    assert.deepEqual(
      findings(policy, releases).filter((text) => text.startsWith(odd)),
      [`${odd}: metadata_invalid`],
    );
    assert.equal(
      policy.judge(releases, 0).verdicts[0].code,
      versions[0] === "!" ? "blocked" : null,
    );
  }
});

Deno.test("block of one version lets through what nobody can read", () => {
  const releases = [release({ version: "latest-ish" })];
  assert.deepEqual(findings(blocking({ purl: "pkg:npm/axios@1.0.0" }), releases), []);
  const range = blocking({ purl: "pkg:npm/axios", versions: "=1.0.0" });
  assert.deepEqual(findings(range, releases), []);
  const python = blocking({ purl: "pkg:pypi/axios", versions: "===latest" });
  const odd = ["latest", "oldest"].map((version) => release({ ecosystem: "pypi", version }));
  assert.deepEqual(findings(python, odd), ["latest: blocked"]);
});

Deno.test("block with a wildcard withholds a whole scope", () => {
  const policy = blocking({ purl: "pkg:npm/@acme/*" });
  assert.deepEqual(findings(policy, [release({ name: "@acme/ui" })]), ["1.0.0: blocked"]);
  assert.deepEqual(findings(policy, [release({ name: "@acme2/ui" })]), []);
});

Deno.test("PURL `@` against `%40` (git-pkgs#197): both spellings of a scope are one package", () => {
  for (const purl of ["pkg:npm/@acme/ui@1.0.0", "pkg:npm/%40acme/ui@1.0.0"]) {
    assert.deepEqual(findings(blocking({ purl }), [release({ name: "@acme/ui" })]), [
      "1.0.0: blocked",
    ]);
  }
});

Deno.test("block compares names as their ecosystem does", () => {
  const python = blocking({ purl: "pkg:pypi/Foo.Bar_baz" });
  assert.deepEqual(findings(python, [release({ ecosystem: "pypi", name: "foo-bar--BAZ" })]), [
    "1.0.0: blocked",
  ]);
  const rust = blocking({ purl: "pkg:cargo/foo_bar" });
  assert.deepEqual(findings(rust, [release({ ecosystem: "cargo", name: "Foo-Bar" })]), [
    "1.0.0: blocked",
  ]);
  const npm = blocking({ purl: "pkg:npm/JSONStream" });
  assert.deepEqual(findings(npm, [release({ name: "JSONStream" })]), ["1.0.0: blocked"]);
  assert.deepEqual(findings(npm, [release({ name: "jsonstream" })]), []);
});

Deno.test("block gives its reason on one line, and ends never", () => {
  const policy = blocking({ purl: "pkg:npm/axios", reason: "steals\n\u001b[31mtokens" });
  const [verdict] = policy.judge([release()], 0).verdicts;
  assert.equal(verdict.message, "blocked by an administrator: steals [31mtokens");
  assert.equal(verdict.until, null);
});

Deno.test("block at level warn lets through", () => {
  const policy = only({ block: { level: "warn", entries: [{ purl: "pkg:npm/axios" }] } });
  assert.deepEqual(findings(policy, [release()]), ["warn 1.0.0: blocked"]);
});
