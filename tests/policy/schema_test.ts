import assert from "node:assert/strict";
import fc from "fast-check";
import { entryId } from "../../policy/entry.ts";
import { parsePolicy } from "../../policy/schema.ts";
import { RULES } from "../../policy/rules/mod.ts";
import { PolicyInvalid } from "../../policy/store/errors.ts";
import { SCHEMES } from "./world.ts";

/** `pointer: detail` of each fault of a document. */
function faults(document: unknown): string[] {
  try {
    parsePolicy(document, SCHEMES);
  } catch (error) {
    assert.ok(error instanceof PolicyInvalid, String(error));
    return error.faults.map(({ pointer, detail }) => `${pointer}: ${detail}`);
  }
  return [];
}

function pointers(document: unknown): string[] {
  return faults(document).map((fault) => fault.slice(0, fault.indexOf(": "))).sort();
}

Deno.test("the empty document is the one that an installation starts with", () => {
  assert.deepEqual(parsePolicy({}, SCHEMES), {
    mode: "enforce",
    auth: "open",
    downloads: "proxy",
    verify: "proxy",
    on_advisory_failure: "stale",
    rules: {
      block: { level: "deny", entries: [] },
      min_age: {
        level: "deny",
        age: "10d",
        ecosystems: {},
        packages: {},
        unknown: "deny",
        audit_override: true,
        security_fixes: true,
      },
      yanked: { level: "deny" },
      publisher_downgrade: { level: "deny", scope: "major", ignore_after: "365d" },
      malware: { level: "deny" },
      vulnerable: { level: "off", severity: "high", unknown: "allow" },
      new_dependency: { level: "off", age: "10d", unknown: "allow" },
      namespace: { level: "off", names: [] },
      allow_only: { level: "off", entries: [] },
      freeze: { level: "off" },
      typosquat: { level: "off", age: "90d", unknown: "deny" },
      install_scripts: { level: "off", when: "always", allow: [], unknown: "allow" },
      license: { level: "off", allow: [], deny: [], unknown: "allow" },
      deprecated: { level: "off", unknown: "allow" },
      new_package: { level: "off", age: "30d", unknown: "deny" },
    },
    exceptions: [],
    approvals: { default: "14d", maximum: "90d" },
    on_store_failure: "deny",
    limits: { per_token: "60000/m", per_user: "60000/m", per_address: "600000/m" },
    registries: [],
    webhooks: [],
    identities: [],
  });
});

Deno.test("what a document says stays, and what it leaves out is filled in", () => {
  const document = parsePolicy({
    mode: "audit",
    rules: { min_age: { age: "3d", packages: { "pkg:npm/@acme/*": "0" } } },
    exceptions: [{ purl: "pkg:npm/axios@1.0.0", rules: ["yanked"], until: "2026-12-01" }],
    webhooks: [{ url: "https://hooks.example/x", events: ["refusal"], secret: "s" }],
  }, SCHEMES);
  assert.equal(document.mode, "audit");
  assert.equal(document.rules.min_age.age, "3d");
  assert.equal(document.rules.min_age.unknown, "deny");
  assert.deepEqual(document.rules.min_age.packages, { "pkg:npm/@acme/*": "0" });
  assert.deepEqual(document.exceptions, [
    { purl: "pkg:npm/axios@1.0.0", rules: ["yanked"], until: "2026-12-01" },
  ]);
  assert.deepEqual(document.webhooks, [
    { url: "https://hooks.example/x", events: ["refusal"], secret: "s" },
  ]);
});

Deno.test("what is no object is no policy", () => {
  for (const input of [null, 1, "x", [], true, undefined, () => {}, new Date(), new Map()]) {
    assert.notDeepEqual(faults(input), [], String(input));
  }
});

Deno.test("every fault of a document is listed, each with its JSON Pointer", () => {
  assert.deepEqual(
    pointers({
      mode: "off",
      colour: "red",
      rules: {
        min_age: {
          age: "ten days",
          ecosystems: { gem: "1d", npm: 3 },
          packages: { "pkg:npm/axios@1.0.0": "1d", "axios": "1d" },
          unknown: "maybe",
          audit_override: "yes",
        },
        block: {
          level: "hard",
          entries: [
            { purl: "pkg:npm/axios", versions: "one to two" },
            { purl: "pkg:pypi/requests", versions: "^1" },
            { purl: "pkg:cargo/serde", versions: "=>1" },
            { purl: "pkg:npm/axios@1.0.0", versions: "1" },
            { purl: "pkg:npm/axios", versions: " " },
            { versions: "1" },
            { purl: "pkg:npm/axios", comment: "x" },
            "pkg:npm/axios",
          ],
        },
        publisher_downgrade: { scope: "minor", ignore_after: "1y" },
        yanked: [],
        phishing: {},
      },
      webhooks: [{ url: "ftp://x.example" }, {}],
    }),
    [
      "/colour",
      "/mode",
      "/rules/block/entries/0/versions",
      "/rules/block/entries/1/versions",
      "/rules/block/entries/2/versions",
      "/rules/block/entries/3/versions",
      "/rules/block/entries/4/versions",
      "/rules/block/entries/5/purl",
      "/rules/block/entries/6/comment",
      "/rules/block/entries/7",
      "/rules/block/level",
      "/rules/min_age/age",
      "/rules/min_age/audit_override",
      "/rules/min_age/ecosystems/gem",
      "/rules/min_age/ecosystems/npm",
      "/rules/min_age/packages/axios",
      "/rules/min_age/packages/pkg:npm~1axios@1.0.0",
      "/rules/min_age/unknown",
      "/rules/phishing",
      "/rules/publisher_downgrade/ignore_after",
      "/rules/publisher_downgrade/scope",
      "/rules/yanked",
      "/webhooks/0/url",
      "/webhooks/1/url",
    ],
  );
});

Deno.test("faults are sentences for people", () => {
  assert.deepEqual(faults({ colour: "red", exceptions: [{ rules: ["yanked"] }] }), [
    "/exceptions/0/purl: is required",
    "/colour: unknown key",
  ]);
});

Deno.test("an exception names rules that can be waived: block cannot", () => {
  const purl = "pkg:npm/axios";
  const waivable = RULES.filter((rule) => rule.waivable).map(({ id }) => id);
  assert.deepEqual(faults({ exceptions: [{ purl, rules: ["min_age", "block"] }] }), [
    '/exceptions/0/rules/1: "block" cannot be waived: exceptions may name ' + waivable.join(", "),
  ]);
  assert.deepEqual(pointers({ exceptions: [{ purl }] }), ["/exceptions/0/rules"]);
  assert.deepEqual(pointers({ exceptions: [{ purl, rules: [] }] }), ["/exceptions/0/rules"]);
  assert.deepEqual(pointers({ exceptions: [{ purl, rules: ["yank"] }] }), [
    "/exceptions/0/rules/0",
  ]);
  assert.deepEqual(pointers({ exceptions: [{ purl, rules: ["yanked"], until: "soon" }] }), [
    "/exceptions/0/until",
  ]);
});

Deno.test("exceptions that were asked for last no longer than the maximum, and for a while", () => {
  const { approvals } = parsePolicy({ approvals: { maximum: "14d" } }, SCHEMES);
  assert.deepEqual(approvals, { default: "14d", maximum: "14d" });
  assert.deepEqual(faults({ approvals: { default: "15d", maximum: "2w" } }), [
    "/approvals/default: 15d is longer than the maximum, 2w",
  ]);
  assert.deepEqual(pointers({ approvals: { maximum: "13d" } }), ["/approvals/default"]);
  assert.deepEqual(pointers({ approvals: { default: "0" } }), ["/approvals/default"]);
  assert.deepEqual(pointers({ approvals: { default: "soon" } }), ["/approvals/default"]);
  assert.deepEqual(pointers({ approvals: { default: "1d", minimum: "1d" } }), [
    "/approvals/minimum",
  ]);
});

Deno.test("a registry's address is absolute and without secrets, its token no other secret", () => {
  const good = { ecosystem: "npm", packages: "pkg:npm/@acme/*", url: "https://npm.example/" };
  assert.deepEqual(faults({ registries: [{ ...good, token_env: "REGISTRY_TOKEN_ACME" }] }), []);
  const files = ["https://files.example", "http://127.0.0.1:8080/"];
  assert.deepEqual(faults({ registries: [{ ...good, files }] }), []);
  for (
    const file of ["files.example", "ftp://x.example", "https://x.example/y", "https://u@x.e", 1]
  ) {
    const document = { registries: [{ ...good, files: [...files, file] }] };
    assert.deepEqual(pointers(document), ["/registries/0/files/2"], String(file));
  }
  assert.deepEqual(pointers({ registries: [{ ...good, files: Array(101).fill(files[0]) }] }), [
    "/registries/0/files",
  ]);
  const wrong = {
    url: ["/npm", "npm.example", "ftp://x.example", "https://u:p@x.example", "https://x.example?a"],
    token_env: ["ADMIN_TOKEN", "REGISTRY_TOKEN_", "REGISTRY_TOKEN_a b", "XREGISTRY_TOKEN_A"],
    packages: ["pkg:pypi/acme", "pkg:npm/acme@1.0.0", "acme"],
  };
  for (const [key, values] of Object.entries(wrong)) {
    for (const value of values) {
      const document = { registries: [{ ...good, [key]: value }] };
      assert.deepEqual(pointers(document), [`/registries/0/${key}`], value);
    }
  }
  assert.deepEqual(pointers({ registries: [{ ...good, ecosystem: "gem" }] }), [
    "/registries/0/ecosystem",
    "/registries/0/packages",
  ]);
});

Deno.test("keys that mean something to JavaScript are unknown keys, at every depth", () => {
  const document = JSON.parse(
    '{"__proto__":{"mode":"audit"},"constructor":1,"rules":{"toString":{},' +
      '"min_age":{"__proto__":{},"packages":{"__proto__":"0"},"ecosystems":{"valueOf":"0"}}}}',
  );
  assert.deepEqual(pointers(document), [
    "/__proto__",
    "/constructor",
    "/rules/min_age/__proto__",
    "/rules/min_age/ecosystems/valueOf",
    "/rules/min_age/packages/__proto__",
    "/rules/toString",
  ]);
  assert.equal(Object.hasOwn(Object.prototype, "mode"), false);
});

Deno.test("a document nested ten thousand deep is refused, not followed", () => {
  const deep = `{"rules":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}}`;
  assert.ok(faults(JSON.parse(deep)).some((fault) => fault.includes("nested deeper")));
});

Deno.test("a long list of faults ends", () => {
  const entries = Array.from({ length: 5_000 }, () => ({ purl: 1 }));
  const found = faults({ rules: { block: { entries } } });
  assert.equal(found.length, 1_001);
  assert.equal(found.at(-1), ": 4000 more faults");
});

Deno.test("an entry's id says what the entry says, whatever the order of its keys", () => {
  const id = entryId({ purl: "pkg:npm/axios", versions: "<1", reason: undefined });
  assert.match(id, /^[0-9a-f]{12}$/);
  assert.equal(entryId({ versions: "<1", purl: "pkg:npm/axios" }), id);
  assert.notEqual(entryId({ versions: "<2", purl: "pkg:npm/axios" }), id);
  assert.notEqual(
    entryId({ purl: "pkg:npm/axios", rules: ["a", "b"] }),
    entryId({
      purl: "pkg:npm/axios",
      rules: ["b", "a"],
    }),
  );
});

/** Documents that are nearly right. */
const almost = fc.record({
  mode: fc.constantFrom("enforce", "audit", "x"),
  auth: fc.constantFrom("open", "token", 1),
  rules: fc.record({
    min_age: fc.record({
      level: fc.constantFrom("deny", "warn", "off"),
      age: fc.oneof(fc.constantFrom("10d", "0", "2w"), fc.string()),
      packages: fc.dictionary(
        fc.constantFrom("pkg:npm/*", "pkg:pypi/a", "pkg:x/y"),
        fc.constant("1d"),
      ),
    }, { requiredKeys: [] }),
    block: fc.record({
      entries: fc.array(fc.record({
        purl: fc.constantFrom("pkg:npm/axios", "pkg:npm/@a/*", "pkg:cargo/x", "pkg:pypi/y@1.0"),
        versions: fc.oneof(fc.constantFrom("<1", ">=2", "*"), fc.string({ maxLength: 4 })),
        reason: fc.string(),
      }, { requiredKeys: ["purl"] })),
    }, { requiredKeys: [] }),
  }, { requiredKeys: [] }),
  exceptions: fc.array(fc.record({
    purl: fc.constantFrom("pkg:npm/axios", "pkg:npm/axios@1.0.0"),
    rules: fc.subarray(["yanked", "min_age", "block"]),
    until: fc.constantFrom("2026-12-01", "2026-12-01T00:00:00Z", "2026-99-01"),
  }, { requiredKeys: ["purl", "rules"] })),
}, { requiredKeys: [] });

Deno.test("reading any JSON as a policy throws nothing but PolicyInvalid, and reading twice changes nothing", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.jsonValue(), almost, fc.dictionary(fc.string(), fc.jsonValue())),
      (input) => {
        let document;
        try {
          document = parsePolicy(input, SCHEMES);
        } catch (error) {
          assert.ok(error instanceof PolicyInvalid, String(error));
          assert.ok(error.faults.length > 0);
          return;
        }
        assert.deepEqual(parsePolicy(JSON.parse(JSON.stringify(document)), SCHEMES), document);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("most documents of the property test above are nearly right, and some are right", () => {
  const right = fc.sample(almost, 200).filter((document) => faults(document).length === 0);
  assert.ok(right.length > 0 && right.length < 200, `${right.length} of 200`);
});
