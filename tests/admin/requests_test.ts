import assert from "node:assert/strict";
import { keys } from "../../policy/store/keys.ts";
import type { RequestInput } from "../../policy/store/request.ts";
import type { News } from "../../policy/store/types.ts";
import { wish } from "../policy/store/exceptions_fixture.ts";
import { inWorld, member, START, type World } from "./world.ts";

const DAY = 86_400_000;
const ORG = "/admin/v1/orgs/acme";
const PAGE = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
const FORM = { ...PAGE, "content-type": "application/x-www-form-urlencoded" };

/** Somebody asks: the request's id, and the link that approvers got, as path with query. */
async function asked({ requests, kv }: World, more: Partial<RequestInput> = {}) {
  const { request: { id } } = await requests.ask(wish(more));
  const stored = await Array.fromAsync(kv.list<News>({ prefix: keys.allNews() }));
  const link = new URL(stored.findLast(({ value }) => value.link !== null)?.value.link ?? "");
  return { id, path: `${ORG}/requests/${id}/decide`, link: link.pathname + link.search };
}

async function exceptions({ policies }: World): Promise<unknown[]> {
  const list = member((await policies.read("acme"))?.document ?? { exceptions: [] }, "exceptions");
  assert(Array.isArray(list));
  return list;
}

Deno.test("requests are listed with filters and in every format, and read one by one", () =>
  inWorld(async (world) => {
    const { call, clock, secrets } = world;
    const first = await asked(world);
    clock.now += 1_000;
    const second = await asked(world, { user: "bob", reason: '=HYPERLINK("x")' });
    const list = await call("GET", `${ORG}/requests`, { token: secrets.viewer });
    assert.deepEqual(list.items.map(({ id }) => id), [second.id, first.id]);
    const page = await call("GET", `${ORG}/requests?limit=1`);
    const { body: { cursor } } = page;
    assert.match(page.headers.get("link") ?? "", /rel="next"/);
    const next = await call("GET", `${ORG}/requests?limit=1&cursor=${cursor}`);
    assert.deepEqual(next.items.map(({ id }) => id), [first.id]);
    assert.deepEqual((await call("GET", `${ORG}/requests?status=denied`)).items, []);
    assert.equal((await call("GET", `${ORG}/requests?status=closed`)).status, 400);
    const csv = await call("GET", `${ORG}/requests?format=csv`);
    assert.equal(csv.text.split("\r\n").length, 4);
    assert.match(csv.text, /"'=HYPERLINK/);
    assert.equal(
      (await call("GET", `${ORG}/requests?format=jsonl`)).text.trim().split("\n").length,
      2,
    );
    const one = await call("GET", `${ORG}/requests/${first.id}`, { token: secrets.viewer });
    assert.equal(one.body.reason, "mends our build");
    assert.equal((await call("GET", `${ORG}/requests/none`)).status, 404);
    assert.equal((await call("GET", `${ORG}/requests`, { token: secrets.client })).status, 403);
    assert.equal((await call("GET", `${ORG}/requests`, { token: null })).status, 401);
  }));

Deno.test("an editor decides by the plain API, once", () =>
  inWorld(async (world) => {
    const { call, secrets } = world;
    const { id, path } = await asked(world);
    const body = { decision: "approve", days: 3, comment: "go" };
    for (const token of [secrets.viewer, secrets.client]) {
      assert.equal((await call("POST", path, { token, body })).status, 403);
    }
    assert.equal((await call("POST", path, { token: null, body })).status, 401);
    const reply = await call("POST", path, { token: secrets.editor, body });
    assert.equal(reply.status, 200);
    assert.equal(reply.body.status, "approved");
    assert.deepEqual(reply.body.decided, {
      by: "editor",
      at: new Date(START).toISOString(),
      until: "2026-11-23T12:00:00Z",
      comment: "go",
    });
    assert.deepEqual(await exceptions(world), [{
      purl: "pkg:npm/axios@1.0.0",
      rules: ["min_age"],
      until: "2026-11-23T12:00:00Z",
      reason: "mends our build (asked by alice, approved by editor, OPS-1)",
    }]);
    const again = await call("POST", path, { body: { decision: "deny" } });
    assert.equal(again.status, 410);
    assert.match(String(again.body.detail), /approved by editor/);
    const log = await call("GET", `${ORG}/audit?action=exception.approved`);
    assert.deepEqual(log.items.map(({ target, by, reason }) => [target, by, reason]), [
      [id, "editor", "go"],
    ]);
  }));

Deno.test("a decision with a fault decides nothing", () =>
  inWorld(async (world) => {
    const { call, secrets } = world;
    const { path, id } = await asked(world);
    const wrong: [unknown, string][] = [
      [{}, "/decision"],
      [{ decision: "yes" }, "/decision"],
      [{ decision: "approve", until: "soon" }, "/until"],
      [{ decision: "approve", until: "2026-11-20" }, "/until"],
      [{ decision: "approve", until: "2027-02-19" }, "/until"],
      [{ decision: "approve", days: 91 }, "/days"],
      [{ decision: "approve", days: 0 }, "/days"],
      [{ decision: "approve", days: 1.5 }, "/days"],
      [{ decision: "approve", days: 1, until: "2026-11-30" }, "/days"],
      [{ decision: "deny", comment: "x".repeat(501) }, "/comment"],
      [{ decision: "deny", rules: [] }, "/rules"],
      [[], ""],
    ];
    for (const [body, pointer] of wrong) {
      const reply = await call("POST", path, { token: secrets.editor, body });
      assert.equal(reply.status, 422, JSON.stringify(body));
      assert.equal(member(reply.body, "errors", 0, "pointer"), pointer, reply.text);
    }
    const headers = { "content-type": "text/plain" };
    assert.equal((await call("POST", path, { body: "{}", headers })).status, 415);
    assert.equal(
      (await call("POST", `${ORG}/requests/none/decide`, { body: { decision: "deny" } })).status,
      404,
    );
    assert.equal((await call("GET", `${ORG}/requests/${id}`)).body.status, "open");
    assert.deepEqual(await exceptions(world), []);
  }));

Deno.test("who asked does not approve, unless as admin", () =>
  inWorld(async (world) => {
    const { call, secrets } = world;
    const mine = await asked(world, { user: "editor" });
    const body = { decision: "approve" };
    const reply = await call("POST", mine.path, { token: secrets.editor, body });
    assert.equal(reply.status, 403);
    assert.match(String(reply.body.detail), /Somebody else/);
    const admins = await asked(world, { user: "admin" });
    assert.equal((await call("POST", admins.path, { token: secrets.admin, body })).status, 200);
  }));

Deno.test("the link shows the request to whoever has it, and decides with a token", () =>
  inWorld(async (world) => {
    const { call, secrets } = world;
    const { link } = await asked(world, { reason: "<script>alert(1)</script>" });
    const page = await call("GET", link, { token: null, headers: PAGE });
    assert.equal(page.status, 200);
    assert.match(page.text, /Let pkg:npm\/axios@1\.0\.0 through\?/);
    assert.ok(page.text.includes("&lt;script&gt;alert(1)&lt;/script&gt;"));
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'.*form-action 'self'; frame-ancestors 'none'/);
    assert.equal((await call("GET", link, { token: null, headers: PAGE })).status, 200);

    const nobody = await call("POST", link, {
      token: null,
      headers: FORM,
      body: "decision=approve",
    });
    assert.equal(nobody.status, 401);
    assert.match(nobody.headers.get("content-type") ?? "", /^text\/html/);
    for (const token of ["pp_wrong", secrets.viewer, "two words", ""]) {
      const body = `${new URLSearchParams({ token, decision: "approve" })}`;
      const reply = await call("POST", link, { token: null, headers: FORM, body });
      assert.equal(reply.status, token === secrets.viewer ? 403 : 401, token);
    }
    assert.deepEqual(await exceptions(world), []);

    const fields = { token: secrets.editor, decision: "approve", days: "", comment: " " };
    const body = `${new URLSearchParams(fields)}`;
    const done = await call("POST", link, { token: null, headers: FORM, body });
    assert.equal(done.status, 200);
    assert.match(done.text, /let through until 2026-12-04T12:00:00Z/);
    assert.ok(!done.text.includes(secrets.editor));
    assert.equal((await exceptions(world)).length, 1);
    for (const method of ["GET", "POST"]) {
      const again = await call(method, link, {
        token: null,
        headers: FORM,
        body: method === "POST" ? body : undefined,
      });
      assert.equal(again.status, 410, method);
      assert.match(again.text, /approved by editor/);
    }
    assert.equal((await exceptions(world)).length, 1);
  }));

Deno.test("a link that was changed counts for nothing, one that is over no longer", () =>
  inWorld(async (world) => {
    const { call, clock, secrets } = world;
    const mine = await asked(world);
    const other = await asked(world, { user: "bob" });
    const foreign = await asked(world, { org: "other" });
    const query = new URL(mine.link, "http://x.example").search;
    const expires = Number(new URLSearchParams(query).get("expires"));
    const forged = [
      `${other.path}${query}`,
      mine.link.replace(`expires=${expires}`, `expires=${expires + 60}`),
      mine.link.slice(0, -3),
      `${mine.path}?expires=${expires}`,
      `${mine.path}?signature=x`,
      `${mine.path}${new URL(foreign.link, "http://x.example").search}`,
    ];
    for (const link of forged) {
      assert.equal((await call("GET", link, { token: null })).status, 403, link);
      const reply = await call("POST", link, {
        token: secrets.editor,
        body: { decision: "approve" },
      });
      assert.equal(reply.status, 403, link);
    }
    assert.equal((await call("GET", mine.path)).status, 403, "without a signature");
    clock.now = START + 14 * DAY;
    const late = await call("POST", mine.link, {
      token: secrets.editor,
      body: { decision: "deny" },
    });
    assert.equal(late.status, 410);
    const plain = await call("POST", mine.path, {
      token: secrets.editor,
      body: { decision: "deny" },
    });
    assert.equal(plain.status, 410);
    assert.match(String(plain.body.detail), /Nobody decided/);
    assert.equal(
      (await call("POST", mine.link, { body: { decision: "deny" }, token: null })).status,
      401,
    );
  }));

Deno.test("curl may send the decision as a form, or JSON that it calls a form", () =>
  inWorld(async (world) => {
    const { call } = world;
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const first = await asked(world);
    const form = await call("POST", first.path, { headers, body: "decision=approve&days=2" });
    assert.equal(member(form.body, "decided", "until"), "2026-11-22T12:00:00Z");
    const second = await asked(world, { user: "bob" });
    const json = await call("POST", second.path, { headers, body: '{"decision": "deny"}' });
    assert.equal(json.body.status, "denied");
    const third = await asked(world, { user: "carol" });
    const twice = await call("POST", third.path, {
      headers,
      body: "decision=deny&decision=approve",
    });
    assert.equal(twice.status, 400);
    const large = await call("POST", third.path, {
      headers,
      body: `comment=${"x".repeat(70_000)}`,
    });
    assert.equal(large.status, 413);
  }));
