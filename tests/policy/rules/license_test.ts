import assert from "node:assert/strict";
import { PolicyInvalid } from "../../../policy/store/errors.ts";
import { findings, NOW, only, policy, release } from "../world.ts";

function passes(settings: Record<string, unknown>, license: string | null): boolean {
  const judged = only({ license: { level: "deny", ...settings } });
  return findings(judged, [release({ license })]).length === 0;
}

const PERMISSIVE = { allow: ["MIT", "Apache-2.0", "BSD-*"] };

Deno.test("license lets through what is allowed, in any case of letters, and names what is not", () => {
  assert.equal(passes(PERMISSIVE, "MIT"), true);
  assert.equal(passes(PERMISSIVE, "mit"), true);
  assert.equal(passes(PERMISSIVE, "BSD-3-Clause"), true);
  assert.equal(passes(PERMISSIVE, "GPL-3.0-only"), false);
  assert.equal(passes(PERMISSIVE, "MITX"), false);
  const judged = only({ license: { level: "deny", ...PERMISSIVE } });
  const [{ message }] = judged.judge([release({ license: "GPL-3.0-only" })], NOW).verdicts;
  assert.equal(message, 'its licence "GPL-3.0-only" is not allowed');
});

const EXPRESSIONS: [text: string, passes: boolean][] = [
  ["MIT OR GPL-3.0-only", true],
  ["GPL-3.0-only OR MIT", true],
  ["MIT AND GPL-3.0-only", false],
  ["MIT AND Apache-2.0", true],
  ["(MIT OR GPL-2.0) AND Apache-2.0", true],
  ["MIT OR GPL-2.0 AND Apache-2.0", true],
  ["(MIT OR Apache-2.0) AND GPL-2.0", false],
  ["GPL-2.0 AND Apache-2.0 OR GPL-3.0", false],
  ["(MIT)", true],
  ["Apache-2.0 WITH LLVM-exception", true],
  ["GPL-2.0 WITH Classpath-exception-2.0", false],
  ["mit or gpl-2.0-only", true],
];

Deno.test("license takes AND before OR, one side of OR, and both of AND", () => {
  for (const [text, expected] of EXPRESSIONS) {
    assert.equal(passes(PERMISSIVE, text), expected, text);
  }
});

Deno.test("license: WITH passes where the licence does, or where it is named with its exception", () => {
  const text = "GPL-2.0-only WITH Classpath-exception-2.0";
  assert.equal(passes({ allow: ["GPL-2.0-only"] }, text), true);
  assert.equal(passes({ deny: ["GPL-2.0-only"] }, text), false);
  const named = { allow: ["MIT", text], deny: ["GPL-*"] };
  assert.equal(passes(named, text), true);
  assert.equal(passes(named, "GPL-2.0-only"), false);
  assert.equal(passes(named, "GPL-2.0-only WITH GCC-exception-2.0"), false);
  assert.equal(passes({ deny: [text] }, text), false);
  assert.equal(passes({ deny: [text] }, "GPL-2.0-only"), true);
});

Deno.test("license: `+` and `-or-later` leave the choice of later versions", () => {
  for (const text of ["GPL-2.0-or-later", "GPL-2.0+"]) {
    assert.equal(passes({ allow: ["GPL-3.0-only"] }, text), true, text);
    assert.equal(passes({ allow: ["GPL-2.0"] }, text), true, text);
    assert.equal(passes({ allow: ["GPL-1.0-only"] }, text), false, text);
    assert.equal(passes({ allow: ["LGPL-3.0-only"] }, text), false, text);
    assert.equal(passes({ deny: ["GPL-2.0-only"] }, text), false, text);
    assert.equal(passes({ deny: ["GPL-3.0-only"] }, text), true, text);
  }
  assert.equal(passes({ allow: ["GPL-2.0-or-later"] }, "GPL-3.0-only"), true);
  assert.equal(passes({ allow: ["GPL-3.0-or-later"] }, "GPL-2.0-only"), false);
  assert.equal(passes({ deny: ["GPL-2.0-or-later"] }, "GPL-3.0-only"), false);
  assert.equal(passes({ allow: ["GPL-3.0-only"] }, "GPL-2.0-only"), false);
});

Deno.test("license: deny counts before allow; without allow the rest passes", () => {
  assert.equal(passes({ deny: ["AGPL-*"] }, "AGPL-3.0-or-later"), false);
  assert.equal(passes({ deny: ["AGPL-*"] }, "Beerware"), true);
  assert.equal(passes({ allow: ["*"], deny: ["MIT"] }, "MIT"), false);
});

Deno.test("license: `*` also stands for what comes behind a licence's version", () => {
  for (const text of ["AGPL-3.0-only", "AGPL-3.0-or-later", "AGPL-3.0", "AGPL-3.0+"]) {
    assert.equal(passes({ deny: ["AGPL-3.0-*"] }, text), false, text);
    assert.equal(passes({ deny: ["AGPL-3.0*"] }, text), false, text);
    assert.equal(passes({ allow: ["AGPL-3.0-*"] }, text), true, text);
    const later = /or-later|\+/.test(text);
    assert.equal(passes({ deny: ["*-or-later"] }, text), !later, text);
    assert.equal(passes({ deny: ["*-only"] }, text), later, text);
  }
  assert.equal(passes({ deny: ["*-only", "*-or-later"] }, "MIT"), true);
  assert.equal(passes({ allow: ["GPL-2.0-*"] }, "LGPL-2.0-only"), false);
});

Deno.test("license lets through what nobody states or can read, unless told otherwise", () => {
  const unreadable = [
    "SEE LICENSE IN LICENSE.md",
    "MIT OR",
    "(MIT",
    "MIT)",
    "AND",
    "MIT WITH",
    "MIT/X11",
    "MIT Apache-2.0",
    "()",
    "(".repeat(100_000),
    "MIT OR ".repeat(100_000) + "MIT",
  ];
  for (const license of [null, "", " ", ...unreadable]) {
    assert.equal(passes(PERMISSIVE, license), true, license?.slice(0, 40));
    assert.equal(passes({ ...PERMISSIVE, unknown: "deny" }, license), false, license?.slice(0, 40));
  }
  for (const ecosystem of ["pypi", "cargo"]) {
    const judged = only({ license: { level: "deny", ...PERMISSIVE, unknown: "deny" } });
    assert.deepEqual(findings(judged, [release({ ecosystem })]), ["1.0.0: license"]);
  }
});

Deno.test("license is off by default, warns where told to, and exceptions waive it", () => {
  const copyleft = [release({ license: "GPL-3.0-only" })];
  assert.deepEqual(findings(only({ license: PERMISSIVE }), copyleft), []);
  assert.deepEqual(findings(only({ license: { level: "warn", ...PERMISSIVE } }), copyleft), [
    "warn 1.0.0: license",
  ]);
  const exceptions = [{ purl: "pkg:npm/axios", rules: ["license"] }];
  const judged = only({ license: { level: "deny", ...PERMISSIVE } }, { exceptions });
  assert.deepEqual(findings(judged, copyleft), []);
});

Deno.test("a list holds single licences", () => {
  for (const text of ["MIT OR ISC", "", "MIT/X11", "a*b c"]) {
    assert.throws(() => policy({ rules: { license: { allow: [text] } } }), PolicyInvalid, text);
  }
});
