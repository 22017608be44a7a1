import assert from "node:assert/strict";
import { ulid } from "ulid";
import { PolicyUnreadable } from "../../../policy/store/errors.ts";
import { PolicyDocuments } from "../../../policy/store/policy_documents.ts";
import { withPolicies } from "./policies_fixture.ts";

/** As a later version of the proxy might have left it, or a hand in the database. */
async function store(kv: Deno.Kv, org: string, json: string): Promise<void> {
  const documents = new PolicyDocuments(kv, 1_000);
  const revision = { revision: ulid(), at: "2026-11-23T00:00:00.000Z", by: "test", json };
  assert.ok(await documents.write(org, revision, null));
}

for (
  const [what, json] of [
    ["a key that is not known", '{"moode":"audit"}'],
    ["a level that is not known", '{"rules":{"min_age":{"level":"sometimes"}}}'],
    ["a range that cannot be read", '{"rules":{"block":{"entries":[{"purl":"pkg:npm/x@>>1"}]}}}'],
    ["no object", "7"],
  ]
) {
  Deno.test(`a stored policy with ${what} is unreadable, never the default one, until it is replaced`, async () => {
    await withPolicies(async (world) => {
      const { policies, kv } = world;
      await store(kv.real, "acme", json);
      for (let i = 0; i < 2; i++) {
        await assert.rejects(policies.get("acme"), PolicyUnreadable);
        assert.equal(policies.peek("acme"), undefined);
        world.now += 6_000;
      }
      assert.equal((await policies.get("beta")).org, "default", "others have theirs");
      await policies.replace("acme", { mode: "audit" }, { by: "test" });
      assert.equal((await policies.get("acme")).mode, "audit");
    });
  });
}
