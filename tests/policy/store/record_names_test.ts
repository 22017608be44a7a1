import assert from "node:assert/strict";
import { DAY, input, withRecords } from "./records_fixture.ts";

Deno.test("the orgs on record are found among many records of each", () =>
  withRecords(async ({ records }) => {
    assert.deepEqual(await records.orgs("install"), []);
    for (const org of ["globex", "acme", "acme-2", "acme"]) {
      await records.add("install", input("npm:lodash@4.17.21", { org }));
      await records.add("install", input("npm:lodash@4.17.21", { org, user: "" }));
    }
    await records.add("refusal", input("npm:lodash@4.17.21", { org: "strict", verdict: "deny" }));
    assert.deepEqual(await records.orgs("install"), ["acme", "acme-2", "globex"]);
    assert.deepEqual(await records.orgs("refusal"), ["strict"]);
  }));

Deno.test("each package is named once, as its registry spells it, with installs on record only", () =>
  withRecords(async ({ records, clock }) => {
    await records.add("install", input("npm:forgotten@1.0.0"));
    clock.now += 400 * DAY;
    const names = Array.from({ length: 23 }, (_, i) => `package-${i}`);
    for (const name of names) {
      await records.add("install", input(`npm:${name}@1.0.0`));
      await records.add("install", input(`npm:${name}@1.1.0`));
    }
    await records.add("install", input("pypi:LiteLLM@1.82.8"));
    await records.add("install", input("cargo:serde_json@1.0.0"));
    await records.add("install", input("npm:other@1.0.0", { org: "globex" }));
    await records.add("refusal", input("npm:refused@1.0.0", { verdict: "deny" }));
    const found = await Array.fromAsync(records.names("acme"));
    assert.deepEqual(
      found.map((one) => `${one.ecosystem}:${one.package}`).sort(),
      [...names.map((name) => `npm:${name}`), "pypi:LiteLLM", "cargo:serde_json"].sort(),
    );
    assert.deepEqual(await Array.fromAsync(records.names("nobody")), []);
  }));
