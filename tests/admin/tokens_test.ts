import assert from "node:assert/strict";
import { inWorld, member } from "./world.ts";

const PATH = "/admin/v1/orgs/acme/tokens";

Deno.test("a token is made, works, is listed without its secret, and ends when removed", () =>
  inWorld(async ({ call, tokens }) => {
    const made = await call("POST", PATH, {
      body: { user: "bob@corp.com", role: "viewer", expires: "90d" },
    });
    assert.equal(made.status, 201);
    const { id, secret, ...rest } = made.body;
    assert(typeof secret === "string");
    assert.deepEqual(rest, {
      org: "acme",
      user: "bob@corp.com",
      role: "viewer",
      created: "2026-11-20T12:00:00.000Z",
      by: "root",
      expires: "2027-02-18T12:00:00.000Z",
    });
    assert.equal(made.headers.get("location"), `${PATH}/${id}`);
    assert.equal((await tokens.find(secret))?.user, "bob@corp.com");
    assert.equal((await call("GET", PATH, { token: secret })).status, 200);
    const listed = await call("GET", PATH);
    assert.equal(listed.items.filter((token) => token.id === id).length, 1);
    assert(!listed.text.includes("pp_") && !listed.text.includes("secret"));
    assert.equal((await call("DELETE", `${PATH}/${id}`)).status, 204);
    assert.equal((await call("GET", PATH, { token: secret })).status, 401);
    assert.equal((await call("DELETE", `${PATH}/${id}`)).status, 404);
  }));

Deno.test("an editor makes and revokes tokens of its org, but none of an admin", () =>
  inWorld(async ({ call, secrets, tokens }) => {
    const token = secrets.editor;
    for (const role of ["editor", "viewer", "client"]) {
      const { status, body } = await call("POST", PATH, { token, body: { user: "bob", role } });
      assert.deepEqual([status, body.by], [201, "editor"]);
    }
    const body = { user: "bob", role: "admin" };
    assert.equal((await call("POST", PATH, { token, body })).status, 403);
    const admin = (await tokens.list("acme", { limit: 100 })).items
      .find(({ role }) => role === "admin");
    assert.equal((await call("DELETE", `${PATH}/${admin?.id}`, { token })).status, 403);
    assert(await tokens.find(secrets.admin));
    const made = await call("POST", "/admin/v1/orgs/other/tokens", { token: secrets.admin, body });
    assert.equal(made.status, 201);
    assert.equal((await call("DELETE", `${PATH}/${admin?.id}`)).status, 204);
  }));

for (
  const [pointer, body] of [
    ["/user", { user: "Bob", role: "client" }],
    ["/user", { user: "", role: "client" }],
    ["/user", { user: "root", role: "client" }],
    ["/user", { user: "proxy", role: "client" }],
    ["/user", { role: "client" }],
    ["/role", { user: "bob", role: "emperor" }],
    ["/role", { user: "bob" }],
    ["/org", { user: "bob", role: "client", org: "other" }],
    ["/expires", { user: "bob", role: "client", expires: "soon" }],
    ["/expires", { user: "bob", role: "client", expires: 5 }],
    ["/expires", { user: "bob", role: "client", expires: "0" }],
    ["/expires", { user: "bob", role: "client", expires: "2026-11-20T12:00:00Z" }],
    ["", []],
  ] as const
) {
  Deno.test(`no token is made of ${JSON.stringify(body)}`, () =>
    inWorld(async ({ call }) => {
      const before = (await call("GET", PATH)).text;
      const answer = await call("POST", PATH, { body });
      assert.equal(answer.status, 422);
      assert.equal(member(answer.body, "errors", 0, "pointer"), pointer);
      assert.equal((await call("GET", PATH)).text, before);
    }));
}

Deno.test("pages of tokens hold each once, newest first", () =>
  inWorld(async ({ call }) => {
    for (let i = 0; i < 5; i++) {
      await call("POST", PATH, { body: { user: `u${i}`, role: "client", expires: null } });
    }
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const page = await call("GET", `${PATH}?limit=4${cursor ? `&cursor=${cursor}` : ""}`);
      seen.push(...page.items.map(({ user }) => user));
      cursor = page.body.cursor;
      await call("POST", PATH, { body: { user: "late", role: "client" } });
    } while (cursor !== null);
    assert.deepEqual(seen.slice(0, 5), ["u4", "u3", "u2", "u1", "u0"]);
    assert.equal(seen.length, 9);
  }));
