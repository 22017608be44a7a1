import assert from "node:assert/strict";
import { inWorld } from "./world.ts";

const ORG = "/admin/v1/orgs/acme";

Deno.test("what is done over the API is in the audit log: who, when, what, before and after", () =>
  inWorld(async ({ call, clock, secrets }) => {
    const since = clock.now += 60_000;
    await call("PUT", `${ORG}/policy`, { body: { mode: "audit" }, token: secrets.editor });
    await call("PATCH", `${ORG}/policy`, { body: { mode: "enforce" } });
    const { body: entry } = await call("POST", `${ORG}/exceptions`, {
      body: { purl: "pkg:npm/vite", rules: ["min_age"], reason: "mends our build" },
      token: secrets.editor,
    });
    await call("DELETE", `${ORG}/exceptions/${entry.id}`, { token: secrets.admin });
    const { body: made } = await call("POST", `${ORG}/tokens`, {
      body: { user: "bob", role: "client" },
      token: secrets.editor,
    });
    await call("DELETE", `${ORG}/tokens/${made.id}`, { token: secrets.admin });
    await call("DELETE", `${ORG}/policy`);

    const { status, items, body } = await call(
      "GET",
      `${ORG}/audit?since=${new Date(since).toISOString()}`,
      { token: secrets.viewer },
    );
    assert.equal(status, 200);
    assert.equal(body.cursor, null);
    const exception = { purl: "pkg:npm/vite", rules: ["min_age"], reason: "mends our build" };
    assert.deepEqual(
      items.map(({ by, action, target, changes }) => [by, action, target, changes]).reverse(),
      [
        ["editor", "policy.replaced", null, [
          { pointer: "/mode", before: "enforce", after: "audit" },
        ]],
        ["root", "policy.replaced", null, [
          { pointer: "/mode", before: "audit", after: "enforce" },
        ]],
        ["editor", "policy.replaced", null, [{ pointer: "/exceptions/0", after: exception }]],
        ["admin", "policy.replaced", null, [{ pointer: "/exceptions/0", before: exception }]],
        ["editor", "token.created", made.id, []],
        ["admin", "token.removed", made.id, []],
        ["root", "policy.removed", null, []],
      ],
    );
    assert.deepEqual(items[1].before, { user: "bob", role: "client", expires: null });
    assert(items.every(({ at, org }) => at === new Date(since).toISOString() && org === "acme"));
  }));

Deno.test("the audit log is filtered and paged, as JSON, JSON lines and CSV", () =>
  inWorld(async ({ call, secrets }) => {
    for (const mode of ["audit", "enforce", "audit"]) {
      await call("PATCH", `${ORG}/policy`, { body: { mode }, token: secrets.editor });
    }
    const { items } = await call("GET", `${ORG}/audit?action=policy.replaced&by=editor`);
    assert.equal(items.length, 3);
    assert.equal((await call("GET", `${ORG}/audit?by=nobody`)).items.length, 0);

    const first = await call("GET", `${ORG}/audit?action=policy.replaced&limit=2&format=jsonl`);
    assert.equal(first.headers.get("content-type"), "application/jsonl");
    const next = /^<(\/admin[^>]*)>; rel="next"$/.exec(first.headers.get("link") ?? "");
    assert(next);
    const rest = await call("GET", next[1]);
    const lines = (first.text + rest.text).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => JSON.parse(line)), items);
    assert.equal(rest.headers.get("link"), null);

    const csv = await call("GET", `${ORG}/audit?action=policy.replaced&limit=1&format=csv`);
    const [head, row] = csv.text.split("\r\n");
    assert.equal(head, "id,at,org,by,action,target,reason,before,after,changes,truncated");
    assert(row.includes(`"[{""pointer"":""/mode"",""before"":""enforce"",""after"":""audit""}]"`));
  }));

Deno.test("the audit log is for viewers and above of its org, and refuses other questions", () =>
  inWorld(async ({ call, secrets }) => {
    assert.equal((await call("GET", `${ORG}/audit`, { token: secrets.client })).status, 403);
    assert.equal((await call("GET", `${ORG}/audit`, { token: null })).status, 401);
    const other = await call("GET", "/admin/v1/orgs/other/audit", { token: secrets.viewer });
    assert.equal(other.status, 403);
    for (const query of ["action=policy.replace", "user=x", "since=soon", "limit=0", "cursor=x"]) {
      assert.equal((await call("GET", `${ORG}/audit?${query}`)).status, 400, query);
    }
  }));
