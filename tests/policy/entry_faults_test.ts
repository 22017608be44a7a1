import assert from "node:assert/strict";
import { PolicyInvalid } from "../../policy/store/errors.ts";
import { draftOf, NOTHING_KNOWN } from "../../policy/store/policy_draft.ts";
import { compilePolicy } from "../../policy/engine.ts";
import { parsePolicy } from "../../policy/schema.ts";
import { SCHEMES } from "./world.ts";

/** Pointers of what is wrong with a document that is to be stored. */
function faults(document: unknown, stored?: unknown): string[] {
  const known = stored === undefined ? NOTHING_KNOWN : parsePolicy(stored, SCHEMES);
  try {
    draftOf(document, known, { schemes: SCHEMES, allowed: {} });
  } catch (error) {
    assert.ok(error instanceof PolicyInvalid, String(error));
    return error.faults.map(({ pointer }) => pointer);
  }
  return [];
}

const blocking = (...entries: unknown[]) => ({ rules: { block: { entries } } });
const axios = (versions: string) => ({ purl: "pkg:npm/axios", versions });

const PARTLY_READ = [
  "1.14.1, 0.30.4",
  "1.14.1 or 0.30.4",
  ">=1.5.0, <2.0.0",
  ">=1.0.0 !=1.5.0",
  ">=1.0.0 <2.O.0",
  "1.0.0 || 2.O.0",
  "latest || 1.0.0",
];

Deno.test("a range of which npm reads parts alone is not stored, in any list", () => {
  for (const versions of PARTLY_READ) {
    const entry = axios(versions);
    assert.deepEqual(faults(blocking(entry)), ["/rules/block/entries/0/versions"], versions);
    assert.deepEqual(
      faults({ rules: { allow_only: { entries: [axios("^1"), entry] } } }),
      ["/rules/allow_only/entries/1/versions"],
    );
    const exception = { ...entry, rules: ["min_age"] };
    assert.deepEqual(faults({ exceptions: [exception] }), ["/exceptions/0/versions"]);
  }
});

Deno.test("ranges as npm writes them are stored, and one version as loosely as old ones are written", () => {
  const good = ["^1.2.3", "~>1.2", "v1.2.3", ">= 1.2 < 3", "1.x || >=2.5.0 || 5.0.0 - 7.2.3", "*"];
  for (const versions of [...good, " * ", "x", "=1.0.0beta", "=1.0.0-rc.1+b"]) {
    assert.deepEqual(faults(blocking(axios(versions))), [], versions);
  }
});

Deno.test("a star is compared with nothing in a cargo range that is stored", () => {
  const serde = (versions: string) => blocking({ purl: "pkg:cargo/serde", versions });
  for (const versions of [">*", "<*", ">= *", "=*", "1.2, <*"]) {
    assert.deepEqual(faults(serde(versions)), ["/rules/block/entries/0/versions"], versions);
    assert.deepEqual(faults(serde(versions), serde(versions)), [], "stored before");
  }
  for (const versions of ["*", "1.*", ">1.*", "=1.2.*", ">=1, <3"]) {
    assert.deepEqual(faults(serde(versions)), [], versions);
  }
});

Deno.test("a PURL with something else than one version behind it is not stored", () => {
  const wrong = [">=1", "1.*", "~=1.0", "!=1.0", "latest", "1.x", "==1.0"];
  for (const version of wrong) {
    const purl = `pkg:pypi/requests@${version}`;
    assert.deepEqual(faults(blocking({ purl })), ["/rules/block/entries/0/purl"], version);
    assert.deepEqual(faults(blocking({ purl }), blocking({ purl })), [], "stored before");
  }
  for (const version of ["1.0", "2004d", "0.4.0.6-SNAPSHOT", "1!2.0+cpu", "1.0-beta.2"]) {
    assert.deepEqual(faults(blocking({ purl: `pkg:pypi/requests@${version}` })), [], version);
  }
  assert.deepEqual(faults(blocking({ purl: "pkg:pypi/requests", versions: "===1.x" })), [
    "/rules/block/entries/0/versions",
  ]);
  assert.deepEqual(faults(blocking({ purl: "pkg:pypi/requests", versions: "===2004d" })), []);
});

Deno.test("a PURL with an empty version behind it does not stand for all versions", () => {
  for (const end of ["@ ", "@%20", "@%20 "]) {
    assert.deepEqual(faults(blocking({ purl: `pkg:npm/axios${end}` })), [
      "/rules/block/entries/0/purl",
    ], end);
  }
  assert.deepEqual(faults(blocking({ purl: "pkg:npm/@acme/ui " }, { purl: "pkg:npm/%40a/b" })), []);
});

Deno.test("an exception to a rule that goes by the name is stored for all versions alone", () => {
  const waiving = (entry: object) => ({
    exceptions: [{ rules: ["min_age", "namespace"], ...entry }],
  });
  const some = [
    { purl: "pkg:npm/@acme/ui@1.0.0" },
    { purl: "pkg:npm/@acme/ui", versions: ">=1.0.0" },
  ];
  for (const entry of some) {
    assert.deepEqual(faults(waiving(entry)), ["/exceptions/0/rules"]);
    assert.deepEqual(faults(waiving(entry), waiving(entry)), [], "stored before");
    assert.deepEqual(faults(waiving({ ...entry, rules: ["min_age"] })), []);
  }
  assert.deepEqual(faults(waiving({ purl: "pkg:npm/@acme/ui", versions: "*" })), []);
  assert.deepEqual(faults(waiving({ purl: "pkg:npm/@acme/*" })), []);
});

Deno.test("a package has as many ranges as can be compared with each version, and any number of versions", () => {
  const ranges = (count: number, purl = "pkg:npm/axios") =>
    Array.from({ length: count }, (_, i) => ({ purl, versions: `>=1.${i}.0 <1.${i}.9` }));
  const other = ranges(250, "pkg:npm/lodash");
  assert.deepEqual(faults(blocking(...ranges(250), ...other)), []);
  assert.deepEqual(faults(blocking(...ranges(251), ...other)), [
    "/rules/block/entries/250/versions",
  ]);
  const long = { purl: "pkg:npm/axios", versions: "1.x||".repeat(199) + "1.x" };
  const exceptions = [long, long, long].map((entry) => ({ ...entry, rules: ["min_age"] }));
  assert.deepEqual(faults({ exceptions }), ["/exceptions/2/versions"]);
  const wild = [...ranges(200, "pkg:npm/a*"), ...ranges(51, "pkg:npm/*b")];
  assert.deepEqual(faults(blocking(...wild)), ["/rules/block/entries/250/versions"]);
  const single = Array.from({ length: 2_000 }, (_, i) => ({ purl: `pkg:npm/axios@1.${i}.0` }));
  assert.deepEqual(faults(blocking(...single)), []);
  const stored = blocking(...ranges(300));
  assert.deepEqual(faults(blocking(...ranges(299), ...other), stored), []);
  assert.deepEqual(
    faults(blocking({ purl: "pkg:npm/axios", versions: "9" }, ...ranges(300)), stored),
    [
      "/rules/block/entries/300/versions",
    ],
  );
});

Deno.test("two spellings of a package do not give it two ages", () => {
  const aged = (packages: Record<string, string>) => ({ rules: { min_age: { packages } } });
  const twice = aged({ "pkg:pypi/Flask": "0", "pkg:pypi/flask": "30d" });
  assert.deepEqual(faults(twice), ["/rules/min_age/packages/pkg:pypi~1flask"]);
  assert.deepEqual(faults(twice, twice), []);
  assert.deepEqual(faults(twice, aged({ "pkg:pypi/Flask": "0" })).length, 1);
  assert.deepEqual(faults(aged({ "pkg:pypi/Flask": "1d", "pkg:pypi/flask": "1d" })), []);
  assert.deepEqual(faults(aged({ "pkg:npm/JSON": "1d", "pkg:npm/json": "2d" })), []);
});

Deno.test("what is stored already is still read, and stays beside what is new", () => {
  const old = axios("1.14.1, 0.30.4");
  const stored = blocking(old);
  compilePolicy(stored, { org: "acme", revision: "r1", schemes: SCHEMES });
  assert.deepEqual(faults(blocking(axios("^3"), old), stored), []);
  assert.deepEqual(faults(blocking(old, axios("1.14.1, 0.30.5")), stored), [
    "/rules/block/entries/1/versions",
  ]);
  const waived = { exceptions: [{ ...old, rules: ["min_age"] }] };
  assert.deepEqual(faults(waived, stored), ["/exceptions/0/versions"], "in another list it is new");
});
