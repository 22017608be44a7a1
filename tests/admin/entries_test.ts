import assert from "node:assert/strict";
import { inWorld, member, type World } from "./world.ts";

const ORG = "/admin/v1/orgs/acme";
const LISTS = {
  block: { purl: "pkg:npm/axios", versions: "<1", reason: "stolen" },
  exceptions: { purl: "pkg:npm/axios", rules: ["min_age"], until: "2026-12-01" },
};

for (const [name, entry] of Object.entries(LISTS)) {
  const path = `${ORG}/${name}`;

  Deno.test(`${name}: an entry is added, listed, there already, and removed by its id`, () =>
    inWorld(async ({ call, secrets, policies }) => {
      const added = await call("POST", path, { body: entry, token: secrets.editor });
      assert.equal(added.status, 201);
      const { id } = added.body;
      assert.deepEqual(added.body, { id, ...entry });
      assert.equal(added.headers.get("location"), `${path}/${id}`);
      assert.deepEqual((await call("GET", path)).items, [{ id, ...entry }]);
      assert.equal((await policies.history("acme", { limit: 1 })).items[0].by, "editor");

      const again = await call("POST", path, { body: entry });
      assert.deepEqual([again.status, again.body], [200, added.body]);
      assert.equal((await call("DELETE", `${path}/000000000000`)).status, 404);
      assert.equal((await call("DELETE", `${path}/${id}`)).status, 204);
      assert.equal((await call("DELETE", `${path}/${id}`)).status, 404);
      assert.deepEqual((await call("GET", path)).body, { items: [], cursor: null });
    }));

  Deno.test(`${name}: faults are named from the entry on, and nothing is stored`, () =>
    inWorld(async ({ call, policies }) => {
      await call("POST", path, { body: { ...entry, purl: "pkg:npm/first" } });
      const before = await policies.read("acme");
      const { status, body } = await call("POST", path, {
        body: { ...entry, purl: "pkg:nowhere/x", surplus: 1 },
      });
      assert.equal(status, 422);
      assert(Array.isArray(body.errors));
      assert.deepEqual(body.errors.map(({ pointer }) => pointer).sort(), ["/purl", "/surplus"]);
      const none = await call("POST", path, { body: [] });
      assert.deepEqual([none.status, member(none.body, "errors", 0, "pointer")], [422, ""]);
      assert.deepEqual(await policies.read("acme"), before);
    }));

  Deno.test(`${name}: pages hold every entry once while others are added`, () =>
    inWorld(async ({ call }) => {
      await add(call, path, entry, 25);
      const seen: unknown[] = [];
      let cursor: unknown = null;
      let late = 25;
      do {
        const page = await call("GET", `${path}?limit=10${cursor ? `&cursor=${cursor}` : ""}`);
        seen.push(...page.items.map(({ purl }) => purl));
        cursor = page.body.cursor;
        if (cursor !== null) {
          await call("POST", path, { body: { ...entry, purl: `pkg:npm/p${late++}` } });
        }
      } while (cursor !== null);
      assert.deepEqual(seen, Array.from({ length: 27 }, (_, i) => `pkg:npm/p${i}`));
    }));
}

Deno.test("pages go on behind their last entry though earlier ones are removed, it included", () =>
  inWorld(async ({ call }) => {
    const path = `${ORG}/block`;
    await add(call, path, {}, 6);
    const first = await call("GET", `${path}?limit=2`);
    await call("DELETE", `${path}/${first.items[0].id}`);
    const next = await call("GET", `${path}?limit=2&cursor=${first.body.cursor}`);
    assert.deepEqual(next.items.map(({ purl }) => purl), ["pkg:npm/p2", "pkg:npm/p3"]);
    const foreign = await call("GET", `${ORG}/exceptions?cursor=${first.body.cursor}`);
    assert.equal(foreign.status, 400);
  }));

Deno.test("pages leave none out that lies between two that are the same", () =>
  inWorld(async ({ call }) => {
    const path = `${ORG}/block`;
    const put = async (...names: string[]) => {
      const entries = names.map((name) => ({ purl: `pkg:npm/${name}` }));
      await call("PUT", `${ORG}/policy`, { body: { rules: { block: { entries } } } });
    };
    await put("a", "b", "a", "c");
    const { body } = await call("GET", `${path}?limit=1`);
    for (const before of [[], ["x"], ["x", "y", "z"]]) {
      await put(...before, "a", "b", "a", "c");
      const { items } = await call("GET", `${path}?cursor=${body.cursor}`);
      assert.deepEqual(items.map(({ purl }) => purl), ["pkg:npm/b", "pkg:npm/a", "pkg:npm/c"]);
    }
    await put("b", "a", "c");
    const third = await call("GET", `${path}?limit=2`);
    await put("a", "c", "d", "d", "a");
    const { items } = await call("GET", `${path}?cursor=${third.body.cursor}`);
    assert.equal(items[0].purl, "pkg:npm/c");
  }));

Deno.test("entries added at once are all kept", () =>
  inWorld(async ({ call }) => {
    const bodies = Array.from({ length: 10 }, (_, i) => ({ purl: `pkg:npm/p${i}` }));
    await Promise.all(bodies.map((body) => call("POST", `${ORG}/block`, { body })));
    const { items } = await call("GET", `${ORG}/block`);
    assert.deepEqual(items.map(({ purl }) => purl).sort(), bodies.map(({ purl }) => purl));
  }));

Deno.test("the same entry added by several at once is there once, and one alone has added it", () =>
  inWorld(async ({ call, policies }) => {
    const path = `${ORG}/block`;
    const body = { purl: "pkg:npm/x" };
    const answers = await Promise.all([1, 2, 3].map(() => call("POST", path, { body })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 201]);
    assert.deepEqual((await call("GET", path)).items.map(({ purl }) => purl), ["pkg:npm/x"]);
    assert.equal((await policies.history("acme", { limit: 10 })).items.length, 1);
  }));

Deno.test("an entry nested ten thousand deep is refused, whatever the org has", () =>
  inWorld(async ({ call }) => {
    const purl = "pkg:npm/x";
    const deep = `{"purl":"${purl}","reason":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
    for (let i = 0; i < 2; i++) {
      assert.equal((await call("POST", `${ORG}/block`, { body: deep })).status, 422);
      await call("POST", `${ORG}/block`, { body: { purl, reason: "stolen" } });
    }
  }));

Deno.test("an inherited entry that an org adds becomes its own, once", () =>
  inWorld(async ({ call }) => {
    const body = { purl: "pkg:npm/x" };
    await call("POST", "/admin/v1/orgs/default/block", { body });
    assert.equal((await call("POST", `${ORG}/block`, { body })).status, 201);
    const { items, headers } = await call("GET", `${ORG}/block`);
    assert.deepEqual(items.map(({ purl }) => purl), ["pkg:npm/x"]);
    assert.equal(headers.get("policy-source"), "own");
  }));

Deno.test("a range that npm would read parts of is refused at its place, and nothing is stored", () =>
  inWorld(async ({ call }) => {
    const body = { purl: "pkg:npm/axios", versions: "1.14.1, 0.30.4" };
    const reply = await call("POST", `${ORG}/block`, { body });
    assert.equal(reply.status, 422);
    assert.equal(member(reply.body, "errors", 0, "pointer"), "/versions");
    assert.deepEqual((await call("GET", `${ORG}/block`)).items, []);
  }));

Deno.test("an entry of an org without a policy is added to what it inherits", () =>
  inWorld(async ({ call }) => {
    await call("POST", "/admin/v1/orgs/default/block", { body: { purl: "pkg:npm/of-default" } });
    assert.equal((await call("GET", `${ORG}/block`)).headers.get("policy-source"), "default");
    await call("POST", `${ORG}/block`, { body: { purl: "pkg:npm/own" } });
    const { items, headers } = await call("GET", `${ORG}/block`);
    assert.deepEqual(items.map(({ purl }) => purl), ["pkg:npm/of-default", "pkg:npm/own"]);
    assert.equal(headers.get("policy-source"), "own");
  }));

Deno.test("If-Match guards entries too", () =>
  inWorld(async ({ call }) => {
    const path = `${ORG}/block`;
    const { headers, body } = await call("POST", path, { body: { purl: "pkg:npm/a" } });
    const stale = { "if-match": headers.get("etag") ?? "" };
    const other = { purl: "pkg:npm/b" };
    assert.equal((await call("POST", path, { body: other, headers: stale })).status, 201);
    assert.equal((await call("DELETE", `${path}/${body.id}`, { headers: stale })).status, 412);
    assert.equal((await call("GET", path)).items.length, 2);
  }));

async function add(call: World["call"], path: string, entry: object, count: number) {
  for (let i = 0; i < count; i++) {
    const { status } = await call("POST", path, { body: { ...entry, purl: `pkg:npm/p${i}` } });
    assert.equal(status, 201);
  }
}
