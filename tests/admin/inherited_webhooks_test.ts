import assert from "node:assert/strict";
import { inWorld } from "./world.ts";

const PATH = "/admin/v1/orgs/acme/policy";
const DEFAULT = "/admin/v1/orgs/default/policy";
const SHARED = { url: "https://hooks.example/shared", secret: "hush" };
const OWN = { url: "https://hooks.example/own", secret: "ours" };
const SHOWN = { url: "https://hooks.example/(hidden)", secret: "(hidden)", inherited: true };
/** Adds an entry to the policy, which begins as a copy of the default's. */
const BLOCK = { path: "/admin/v1/orgs/acme/block", body: { purl: "pkg:npm/left-pad" } };

Deno.test("the default's webhooks keep their secrets from editors of other orgs, copied or not", () =>
  inWorld(async ({ call, secrets, policies }) => {
    await call("PUT", DEFAULT, { body: { webhooks: [SHARED] } });
    const token = secrets.editor;
    const before = await call("GET", PATH, { token });
    assert.deepEqual(before.body.webhooks, [SHOWN]);
    assert.equal((await call("POST", BLOCK.path, { token, body: BLOCK.body })).status, 201);
    const changed = await call("PATCH", PATH, { token, body: { mode: "audit" } });
    assert.deepEqual(changed.body.webhooks, [SHOWN]);
    const read = await call("GET", PATH, { token });
    const history = await call("GET", `${PATH}/history`, { token });
    for (const { status, text } of [changed, read, history]) {
      assert.equal(status, 200);
      assert(!text.includes("hush") && !text.includes("/shared"), text);
    }
    // They are told all the same, and admins see them.
    assert.deepEqual(
      (await policies.get("acme")).webhooks.map(({ url, secret }) => [url, secret]),
      [
        [SHARED.url, SHARED.secret],
      ],
    );
    assert.deepEqual((await call("GET", PATH)).body.webhooks, [{ ...SHARED, inherited: true }]);
  }));

Deno.test("what was inherited stays as it is where it is sent back as it was shown", () =>
  inWorld(async ({ call, secrets }) => {
    await call("PUT", DEFAULT, { body: { webhooks: [SHARED] } });
    const token = secrets.editor;
    const { body } = await call("GET", PATH, { token });
    const put = await call("PUT", PATH, { token, body: { ...body, webhooks: [OWN, SHOWN] } });
    assert.equal(put.status, 201, put.text);
    assert.deepEqual(put.body.webhooks, [OWN, SHOWN]);
    const patched = await call("PATCH", PATH, {
      token,
      body: { webhooks: [{ ...SHOWN, events: ["alert"] }, OWN] },
    });
    assert.equal(patched.status, 200, patched.text);
    assert.deepEqual((await call("GET", PATH)).body.webhooks, [
      { ...SHARED, events: ["alert"], inherited: true },
      OWN,
    ]);
    const without = await call("PATCH", PATH, { token, body: { webhooks: [OWN] } });
    assert.deepEqual(without.body.webhooks, [OWN]);
  }));

Deno.test("nobody makes up an inherited webhook", () =>
  inWorld(async ({ call, secrets }) => {
    const token = secrets.editor;
    for (const webhook of [SHOWN, { ...OWN, inherited: true }]) {
      for (const method of ["PUT", "PATCH"] as const) {
        const refused = await call(method, PATH, { token, body: { webhooks: [webhook] } });
        assert.equal(refused.status, 422, refused.text);
        assert.match(refused.text, /"pointer":"\/webhooks\/0"/);
        assert.match(refused.text, /is none that this policy has inherited/);
      }
    }
    const twice = { webhooks: [SHOWN, SHOWN] };
    await call("PUT", DEFAULT, { body: { webhooks: [SHARED] } });
    assert.equal((await call("PUT", PATH, { token, body: twice })).status, 422);
  }));
