import assert from "node:assert/strict";
import { found, user } from "../policy/store/alerts_fixture.ts";
import { inWorld, member } from "./world.ts";

const PATH = "/admin/v1/orgs/acme/alerts";

Deno.test("alerts are read by viewers of the org, newest first, one by one too", () =>
  inWorld(async ({ call, alerts, clock, secrets }) => {
    await alerts.raise(found(), "axios");
    clock.now += 60_000;
    await alerts.raise(found({ package: "litellm", ecosystem: "pypi" }), "litellm");
    await alerts.raise(found({ org: "globex" }), "axios");
    const token = secrets.viewer;
    const { items } = await call("GET", PATH, { token });
    assert.deepEqual(items.map((alert) => alert.package), ["litellm", "axios"]);
    const one = await call("GET", `${PATH}/${items[1].id}`, { token });
    assert.deepEqual(one.body, items[1]);
    assert.equal(member(one.body, "installs", "users", 0, "user"), "alice");
    assert.equal((await call("GET", `${PATH}/none`, { token })).status, 404);
    assert.equal((await call("GET", PATH, { token: secrets.client })).status, 403);
    assert.equal((await call("GET", "/admin/v1/orgs/globex/alerts", { token })).status, 403);
  }));

Deno.test("alerts are filtered by status and time, and paged", () =>
  inWorld(async ({ call, alerts, clock }) => {
    for (const name of ["a", "b", "c"]) {
      await alerts.raise(found({ package: name }), name);
      clock.now += 3_600_000;
    }
    const names = async (query: string) =>
      (await call("GET", `${PATH}?${query}`)).items.map((alert) => alert.package);
    assert.deepEqual(await names("since=150m"), ["c", "b"]);
    assert.deepEqual(await names("since=150m&until=90m"), ["b"]);
    assert.deepEqual(await names("status=acknowledged"), []);
    const first = await call("GET", `${PATH}?limit=2`);
    assert.deepEqual(await names(`limit=2&cursor=${first.body.cursor}`), ["a"]);
    for (const query of ["status=shut", "since=soon", "cursor=bm8", "severity=high"]) {
      assert.equal((await call("GET", `${PATH}?${query}`)).status, 400, query);
    }
  }));

Deno.test("an editor acknowledges with a comment, which the audit log tells; a viewer does not", () =>
  inWorld(async ({ call, alerts, secrets }) => {
    await alerts.raise(found(), "axios");
    const { items: [{ id }] } = await call("GET", PATH);
    const path = `${PATH}/${id}/acknowledge`;
    const body = { comment: "machines wiped" };
    assert.equal((await call("POST", path, { token: secrets.viewer, body })).status, 403);
    const wrong = await call("POST", path, { body: { comment: 1, more: 2 } });
    assert.equal(wrong.status, 422);
    assert.deepEqual(
      [member(wrong.body, "errors", 0, "pointer"), member(wrong.body, "errors", 1, "pointer")]
        .sort(),
      ["/comment", "/more"],
    );
    const done = await call("POST", path, { token: secrets.editor, body });
    assert.equal(done.body.status, "acknowledged");
    assert.equal(member(done.body, "acknowledged", "by"), "editor");
    assert.equal((await call("POST", path, { body: {} })).text, done.text);
    assert.equal((await call("POST", `${PATH}/none/acknowledge`, { body: {} })).status, 404);
    const { items } = await call("GET", "/admin/v1/orgs/acme/audit?action=alert.acknowledged");
    assert.deepEqual(items.map(({ by, target, reason }) => [by, target, reason]), [
      ["editor", id, "machines wiped"],
    ]);
  }));

Deno.test("alerts as CSV are one line each, without members of members", () =>
  inWorld(async ({ call, alerts }) => {
    const users = [user("alice"), user("bob")];
    await alerts.raise(found({ installs: { count: 4, users, more_users: 0 } }), "axios");
    const { text } = await call("GET", `${PATH}?format=csv`);
    const [head, line, end] = text.split("\r\n");
    const cells = new Map(head.split(",").map((name, at) => [name, line.split(",")[at]]));
    assert.deepEqual(
      ["advisory", "malware", "package", "versions", "installs", "users", "status"]
        .map((name) => cells.get(name)),
      ["MAL-2026-1", "true", "axios", "1.14.1", "4", "alice bob", "open"],
    );
    assert.equal(end, "");
    const jsonl = await call("GET", `${PATH}?format=jsonl`);
    assert.deepEqual(JSON.parse(jsonl.text), (await call("GET", PATH)).items[0]);
  }));
