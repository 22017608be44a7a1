import assert from "node:assert/strict";
import { inWorld, member } from "./world.ts";

const ORG = "/admin/v1/orgs/acme";
const PURL = "pkg:npm/%40acme/left@1.1.0";

Deno.test("an editor lets one release through for an hour, and takes it back by its address", () =>
  inWorld(async ({ call, clock, secrets, exceptions }) => {
    const body = { purl: PURL, reason: "production is down" };
    const made = await call("POST", `${ORG}/break-glass`, { token: secrets.editor, body });
    assert.equal(made.status, 201);
    assert.equal(made.body.until, "2026-11-20T13:00:00Z");
    assert.equal(made.body.reason, "break-glass by editor: production is down");
    assert.equal(made.headers.get("location"), `${ORG}/exceptions/${made.body.id}`);
    const listed = await call("GET", `${ORG}/exceptions`);
    assert.deepEqual(listed.items, [made.body]);
    const log = await call("GET", `${ORG}/audit?action=break_glass`);
    assert.deepEqual(
      log.items.map(({ by, target, reason }) => [by, target, reason]),
      [["editor", PURL, "production is down"]],
    );
    const removed = await call("DELETE", `${ORG}/exceptions/${made.body.id}`);
    assert.equal(removed.status, 204);

    await call("POST", `${ORG}/break-glass`, { body });
    clock.now += 3600_000;
    assert.equal((await exceptions.expire()).ended, 1);
    assert.deepEqual((await call("GET", `${ORG}/exceptions`)).items, []);
  }));

Deno.test("the glass stays whole for others, for more than one release, and without a reason", () =>
  inWorld(async ({ call, secrets }) => {
    const body = { purl: PURL, reason: "x" };
    for (const token of [secrets.viewer, secrets.client]) {
      assert.equal((await call("POST", `${ORG}/break-glass`, { token, body })).status, 403);
    }
    assert.equal((await call("POST", `${ORG}/break-glass`, { token: null, body })).status, 401);
    const wrong: [unknown, string][] = [
      [{ purl: PURL }, "/reason"],
      [{ purl: PURL, reason: " " }, "/reason"],
      [{ purl: PURL, reason: "x".repeat(501) }, "/reason"],
      [{ reason: "x" }, "/purl"],
      [{ purl: "pkg:npm/left", reason: "x" }, "/purl"],
      [{ purl: "pkg:npm/*@1.0.0", reason: "x" }, "/purl"],
      [{ purl: "pkg:npm/left@1.x", reason: "x" }, "/purl"],
      [{ purl: "left@1.0.0", reason: "x" }, "/purl"],
      [{ ...body, until: "2030-01-01" }, "/until"],
    ];
    for (const [body, pointer] of wrong) {
      const reply = await call("POST", `${ORG}/break-glass`, { body });
      assert.equal(reply.status, 422, JSON.stringify(body));
      assert.equal(member(reply.body, "errors", 0, "pointer"), pointer, reply.text);
    }
    assert.deepEqual((await call("GET", `${ORG}/exceptions`)).items, []);
  }));

Deno.test("an org without a policy is back under the default's when its broken glass is taken back", () =>
  inWorld(async ({ call }) => {
    const source = async () => (await call("GET", `${ORG}/policy`)).headers.get("policy-source");
    const made = await call("POST", `${ORG}/break-glass`, { body: { purl: PURL, reason: "x" } });
    assert.equal(await source(), "own");
    assert.equal((await call("DELETE", `${ORG}/exceptions/${made.body.id}`)).status, 204);
    assert.equal(await source(), "builtin");
    const log = await call("GET", `${ORG}/audit?action=policy.removed`);
    assert.equal(log.items.length, 1);
  }));
