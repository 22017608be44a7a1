import assert from "node:assert/strict";
import { DAY, findings, NOW, only, release } from "../world.ts";

const DENY = only({ install_scripts: { level: "deny" } });
const NEW = only({ install_scripts: { level: "deny", when: "new" } });

/** A release so many days before now. */
function at(days: number, version: string, installScripts: boolean | null) {
  return release({ version, installScripts, publishedAt: NOW - days * DAY });
}

Deno.test("install_scripts withholds what runs code and lets through what does not", () => {
  const [verdict] = DENY.judge([release({ installScripts: true })], NOW).verdicts;
  assert.equal(verdict.code, "install_scripts");
  assert.equal(verdict.message, "runs code of the package when it is installed");
  assert.deepEqual(findings(DENY, [release({ installScripts: false })]), []);
});

Deno.test("install_scripts holds PyPI's source against a version only where it has no wheel", () => {
  const pypi = (version: string, installScripts: boolean | null) =>
    release({ ecosystem: "pypi", name: "demo", version, installScripts });
  assert.deepEqual(
    findings(DENY, [
      pypi("1.0", true),
      pypi("2.0", true),
      pypi("2.0", false),
      pypi("3.0", false),
      pypi("3.0", true),
      pypi("4.0", null),
      pypi("4.0", true),
    ]),
    ["1.0: install_scripts", "4.0: install_scripts", "4.0: install_scripts"],
  );
  const [{ message }] = DENY.judge([pypi("1.0", true)], NOW).verdicts;
  assert.match(message, /no wheel/);
});

Deno.test("install_scripts lets through what is on its list", () => {
  const judged = only({
    install_scripts: { level: "deny", allow: ["pkg:npm/esbuild", "pkg:npm/@swc/*"] },
  });
  const named = (name: string) => findings(judged, [release({ name, installScripts: true })]);
  assert.deepEqual(named("esbuild"), []);
  assert.deepEqual(named("@swc/core"), []);
  assert.deepEqual(named("esbuilds"), ["1.0.0: install_scripts"]);
});

Deno.test("install_scripts lets through what no index speaks of, unless told otherwise", () => {
  const crate = [release({ ecosystem: "cargo" })];
  assert.deepEqual(findings(DENY, crate), []);
  const strict = only({ install_scripts: { level: "deny", unknown: "deny" } });
  assert.deepEqual(findings(strict, crate), ["1.0.0: install_scripts"]);
});

Deno.test("install_scripts for new ones compares with the version before, not with the order of publishing", () => {
  const releases = [
    at(400, "2.0.0", false),
    at(300, "1.0.0", true),
    at(200, "1.0.1", true),
    at(100, "2.0.1", true),
  ];
  assert.deepEqual(findings(NEW, releases), ["2.0.1: install_scripts"]);
  const { message } = NEW.judge(releases, NOW).verdicts[3];
  assert.equal(message, "runs code of the package when it is installed, which 2.0.0 does not");
});

Deno.test("install_scripts: two new ones in a row do not vouch for each other", () => {
  const releases = [at(100, "1.0.0", false), at(1, "1.0.1", true), at(0, "1.0.2", true)];
  assert.deepEqual(findings(NEW, releases), ["1.0.1: install_scripts", "1.0.2: install_scripts"]);
});

Deno.test("install_scripts: in a young package the oldest version vouches for the others", () => {
  const releases = [at(9, "1.0.0", false), at(1, "1.0.1", true), at(0.9, "1.0.2", true)];
  assert.deepEqual(findings(NEW, releases), ["1.0.1: install_scripts", "1.0.2: install_scripts"]);
  const undated = releases.map((one) => ({ ...one, publishedAt: null }));
  assert.deepEqual(
    findings(NEW, undated),
    ["1.0.1: install_scripts"],
    "nobody knows which is that",
  );
});

Deno.test("install_scripts: a predecessor counts from ten days before, to the millisecond", () => {
  const next = at(0, "1.0.2", true);
  const judged = (milliseconds: number) => {
    const before = release({
      version: "1.0.1",
      installScripts: true,
      publishedAt: NOW - 10 * DAY + milliseconds,
    });
    return findings(NEW, [at(100, "1.0.0", false), before, next]).includes(
      "1.0.2: install_scripts",
    );
  };
  assert.deepEqual([judged(0), judged(1)], [false, true]);
});

Deno.test("install_scripts for new ones has nothing against a first release, and does not guess", () => {
  assert.deepEqual(findings(NEW, [at(0, "1.0.0", true)]), []);
  const after = [at(100, "1.0.0", null), at(0, "1.0.1", true)];
  assert.deepEqual(findings(NEW, after), []);
  const strict = only({ install_scripts: { level: "deny", when: "new", unknown: "deny" } });
  assert.deepEqual(findings(strict, after), ["1.0.0: install_scripts", "1.0.1: install_scripts"]);
  const undated = [at(100, "1.0.0", false), { ...at(0, "1.0.1", true), publishedAt: null }];
  assert.deepEqual(findings(NEW, undated), ["1.0.1: install_scripts"]);
});

Deno.test("install_scripts is off by default, warns where told to, and exceptions waive it", () => {
  const runs = [release({ installScripts: true })];
  assert.deepEqual(findings(only({ install_scripts: {} }), runs), []);
  assert.deepEqual(findings(only({ install_scripts: { level: "warn" } }), runs), [
    "warn 1.0.0: install_scripts",
  ]);
  const exceptions = [{ purl: "pkg:npm/axios", rules: ["install_scripts"] }];
  const judged = only({ install_scripts: { level: "deny" } }, { exceptions });
  assert.deepEqual(findings(judged, runs), []);
});
