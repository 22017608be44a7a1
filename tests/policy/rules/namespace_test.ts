import assert from "node:assert/strict";
import { findings, NOW, only, release } from "../world.ts";

const names = ["pkg:npm/@acme/*", "pkg:npm/acme-tool", "pkg:pypi/acme-*", "pkg:cargo/acme_core"];
const OURS = only({ namespace: { level: "deny", names } });

Deno.test("namespace withholds our names and lets others through, in each ecosystem's spelling", () => {
  const named = (ecosystem: string, name: string) => release({ ecosystem, name });
  for (
    const ours of [
      named("npm", "@acme/ui"),
      named("npm", "acme-tool"),
      named("pypi", "Acme_Billing"),
      named("cargo", "acme-core"),
    ]
  ) {
    assert.deepEqual(findings(OURS, [ours]), ["1.0.0: namespace"], ours.name);
    const verdict = OURS.judgeName?.(ours.ecosystem, ours.name, NOW);
    assert.deepEqual([verdict?.action, verdict?.code], ["deny", "namespace"], ours.name);
  }
  for (
    const other of [
      named("npm", "@acmes/ui"),
      named("npm", "acme-tools"),
      named("pypi", "acme"),
      named("cargo", "acme"),
    ]
  ) {
    assert.deepEqual(findings(OURS, [other]), [], other.name);
    assert.equal(OURS.judgeName?.(other.ecosystem, other.name, NOW).action, "allow", other.name);
  }
});

Deno.test("namespace means nothing that a private registry has", () => {
  const registries = [
    { ecosystem: "npm", packages: "pkg:npm/@acme/*", url: "https://npm.acme.example/" },
  ];
  const judged = only({ namespace: { level: "deny", names } }, { registries });
  assert.deepEqual(findings(judged, [release({ name: "@acme/ui" })]), []);
  assert.equal(judged.judgeName?.("npm", "@acme/ui", NOW).action, "allow");
  assert.equal(judged.judgeName?.("npm", "acme-tool", NOW).action, "deny");
});

Deno.test("namespace withholds a name that no package can have", () => {
  assert.equal(OURS.judgeName?.("npm", "", NOW).code, "metadata_invalid");
});

Deno.test("a policy without namespace judges nothing by its name", () => {
  assert.equal(only({ namespace: { names } }).judgeName, null);
});

Deno.test("namespace warns where told to, and exceptions waive it until they end", () => {
  const judged = only({ namespace: { level: "warn", names } });
  assert.deepEqual(findings(judged, [release({ name: "@acme/ui" })]), ["warn 1.0.0: namespace"]);
  // It was asked for there, and is handed out.
  const [warned] = judged.judge([release({ name: "@acme/ui" })], NOW).verdicts;
  assert.doesNotMatch(warned.message, /public registry/);
  const exceptions = [{ purl: "pkg:npm/@acme/ui", rules: ["namespace"], until: "2026-12-24" }];
  const excepted = only({ namespace: { level: "deny", names } }, { exceptions });
  assert.equal(excepted.judgeName?.("npm", "@acme/ui", NOW).action, "allow");
  const later = Date.parse("2026-12-24");
  assert.equal(excepted.judgeName?.("npm", "@acme/ui", later).action, "deny");
});
