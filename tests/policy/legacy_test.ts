import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePolicy } from "../../policy/schema.ts";
import { PolicyInvalid } from "../../policy/store/errors.ts";
import { DAY, findings, NOW, policy, release, SCHEMES } from "./world.ts";

function pointers(document: unknown): string[] {
  try {
    parsePolicy(document, SCHEMES);
  } catch (error) {
    assert.ok(error instanceof PolicyInvalid, String(error));
    return error.faults.map(({ pointer }) => pointer).sort();
  }
  return [];
}

Deno.test("a thinkst configuration becomes a complete document of ours", () => {
  const document = parsePolicy({
    MIN_AGE_DAYS: 7,
    ALLOW_YANKED: true,
    ALLOW_CHANGED_PUBLISHER: true,
    ALLOW_AUDIT_OVERRIDE: false,
    REWRITE_DOWNLOAD_URLS: false,
    "webhook-url": "https://hooks.example/a",
    "approval-webhook-url": "https://hooks.example/b",
    blocklist: { "npm/axios==0.30.4": "ALL", "pypi/requests": ["2.31.0", "2.32.0"] },
    allowlist: { "cargo:serde": "1.0.200" },
  }, SCHEMES);
  assert.equal(document.rules.min_age.age, "7d");
  assert.equal(document.rules.min_age.audit_override, false);
  assert.equal(document.rules.yanked.level, "off");
  assert.equal(document.rules.publisher_downgrade.level, "off");
  assert.equal(document.downloads, "direct");
  assert.deepEqual(document.webhooks, [
    { url: "https://hooks.example/a" },
    { url: "https://hooks.example/b", events: ["refusal"] },
  ]);
  assert.deepEqual(document.rules.block.entries, [
    { purl: "pkg:npm/axios", versions: "=0.30.4" },
    { purl: "pkg:pypi/requests", versions: "==2.31.0" },
    { purl: "pkg:pypi/requests", versions: "==2.32.0" },
  ]);
  assert.deepEqual(document.exceptions, [
    { purl: "pkg:cargo/serde", versions: "=1.0.200", rules: ["min_age"] },
  ]);
});

Deno.test("the opposite settings, and those left out, are translated, too", () => {
  const document = parsePolicy({
    MIN_AGE_DAYS: 0,
    ALLOW_YANKED: false,
    ALLOW_CHANGED_PUBLISHER: false,
    ALLOW_AUDIT_OVERRIDE: true,
    REWRITE_DOWNLOAD_URLS: true,
    "webhook-url": "",
  }, SCHEMES);
  const ours = parsePolicy({ rules: { min_age: { age: "0" } } }, SCHEMES);
  assert.deepEqual(document, ours);
  assert.deepEqual(parsePolicy({ blocklist: {} }, SCHEMES), parsePolicy({}, SCHEMES));
  assert.equal(parsePolicy({ MIN_AGE_DAYS: 1.5 }, SCHEMES).rules.min_age.age, "36h");
});

Deno.test("names are prefixed by an ecosystem, as PURL or not, or mean all three", () => {
  const blocked = (blocklist: unknown) =>
    parsePolicy({ blocklist }, SCHEMES).rules.block.entries.map(({ purl, versions }) =>
      versions ? `${purl} ${versions}` : purl
    );
  assert.deepEqual(blocked(["npm/axios", "npm:axios", "pkg:npm/axios"]), [
    "pkg:npm/axios",
    "pkg:npm/axios",
    "pkg:npm/axios",
  ]);
  assert.deepEqual(blocked(["axios"]), ["pkg:npm/axios", "pkg:pypi/axios", "pkg:cargo/axios"]);
  assert.deepEqual(blocked(["@acme/ui@1.0.0", "pkg:npm/%40acme/ui"]), [
    "pkg:npm/%40acme/ui =1.0.0",
    "pkg:npm/%40acme/ui",
  ]);
  assert.deepEqual(blocked(["cargo-rs/serde==1.0.0"]), ["pkg:cargo/serde =1.0.0"]);
  assert.deepEqual(blocked({ requests: "2.31" }), ["pkg:pypi/requests ==2.31"]);
  assert.deepEqual(blocked({ "npm/axios": ["1.0.0", "ALL"] }), ["pkg:npm/axios"]);
  assert.deepEqual(blocked({ "npm/axios@1.0.0": "1.0.0" }), ["pkg:npm/axios =1.0.0"]);
  assert.deepEqual(blocked({ "npm/constructor": "ALL" }), ["pkg:npm/constructor"]);
});

Deno.test("a version that only one ecosystem can take, and only as letters, needs that ecosystem's name", () => {
  for (const version of ["1.x", ">=1.0.0", "latest", "2004d"]) {
    assert.deepEqual(pointers({ blocklist: { "left-pad": version } }), ["/blocklist/left-pad"]);
  }
  assert.deepEqual(pointers({ blocklist: ["left-pad==^1.0.0", "left-pad@1.x"] }), [
    "/blocklist/0",
    "/blocklist/1",
  ]);
  assert.deepEqual(pointers({ blocklist: { "pypi/pytz": ["2004d"] } }), []);
  assert.deepEqual(pointers({ blocklist: { "pypi/pytz": ["latest"] } }), ["/blocklist/pypi~1pytz"]);
});

Deno.test("the cargo download blocklist looks up a key that is never stored (thinkst): a blocked crate is withheld", () => {
  const judged = policy({ blocklist: { "cargo/serde": "1.0.0" } });
  assert.deepEqual(findings(judged, [release({ ecosystem: "cargo", name: "serde" })]), [
    "1.0.0: blocked",
  ]);
});

Deno.test("allow-listing a PyPI version removes its files (thinkst): it lifts the age, and nothing else", () => {
  const judged = policy({ allowlist: { "pypi/requests": "2.32.0" } });
  const file = release({
    ecosystem: "pypi",
    name: "requests",
    version: "2.32.0",
    publishedAt: NOW - DAY,
  });
  assert.deepEqual(findings(judged, [file, file]), []);
  assert.deepEqual(findings(judged, [{ ...file, yanked: "" }, { ...file, version: "2.32.1" }]), [
    "2.32.0: yanked",
    "2.32.1: min_age",
  ]);
});

Deno.test("wrong types are listed with their pointers", () => {
  assert.deepEqual(
    pointers({
      MIN_AGE_DAYS: "7",
      ALLOW_YANKED: 1,
      ALLOW_CHANGED_PUBLISHER: null,
      ALLOW_AUDIT_OVERRIDE: "true",
      REWRITE_DOWNLOAD_URLS: {},
      "webhook-url": "hooks",
      "approval-webhook-url": 5,
      blocklist: {
        "npm/a b": "ALL",
        "npm/axios": 1,
        "npm/next": ["1.0.0", "latest"],
        "npm/vite@1.0.0": "2.0.0",
      },
      allowlist: [1, "npm/axios==", "npm/axios==x"],
    }),
    [
      "/ALLOW_AUDIT_OVERRIDE",
      "/ALLOW_CHANGED_PUBLISHER",
      "/ALLOW_YANKED",
      "/MIN_AGE_DAYS",
      "/REWRITE_DOWNLOAD_URLS",
      "/allowlist/0",
      "/allowlist/1",
      "/allowlist/2",
      "/approval-webhook-url",
      "/blocklist/npm~1a b",
      "/blocklist/npm~1axios",
      "/blocklist/npm~1next",
      "/blocklist/npm~1vite@1.0.0",
      "/webhook-url",
    ],
  );
  for (const days of [-1, NaN, Infinity, 40_000]) {
    assert.deepEqual(pointers({ MIN_AGE_DAYS: days }), ["/MIN_AGE_DAYS"]);
  }
  assert.deepEqual(pointers({ blocklist: "axios" }), ["/blocklist"]);
});

Deno.test("the two kinds of documents cannot be mixed", () => {
  assert.deepEqual(pointers({ MIN_AGE_DAYS: 7, rules: {}, mode: "audit" }), ["/mode", "/rules"]);
});

Deno.test("a list with a key that is JavaScript's own is refused", () => {
  const document = JSON.parse('{"blocklist":{"__proto__":"ALL"}}');
  assert.deepEqual(pointers(document), ["/blocklist/__proto__"]);
});

Deno.test("reading any configuration throws nothing but PolicyInvalid, and what it becomes is a document", () => {
  const name = fc.oneof(
    fc.constantFrom("npm/axios", "axios@1.0.0", "@a/b", "pypi:x==1"),
    fc.string(),
  );
  const versions = fc.oneof(fc.constantFrom("ALL", "1.0.0", ["1.0.0"]), fc.jsonValue());
  const configuration = fc.record({
    MIN_AGE_DAYS: fc.oneof(fc.double(), fc.nat(), fc.jsonValue()),
    blocklist: fc.oneof(fc.dictionary(name, versions), fc.array(name), fc.jsonValue()),
    allowlist: fc.dictionary(name, versions),
    "webhook-url": fc.oneof(fc.webUrl(), fc.string()),
  }, { requiredKeys: ["blocklist"] });
  fc.assert(
    fc.property(configuration, (input) => {
      let document;
      try {
        document = parsePolicy(input, SCHEMES);
      } catch (error) {
        assert.ok(error instanceof PolicyInvalid, String(error));
        return;
      }
      assert.deepEqual(parsePolicy(JSON.parse(JSON.stringify(document)), SCHEMES), document);
    }),
    { numRuns: 500 },
  );
});
