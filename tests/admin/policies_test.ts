import assert from "node:assert/strict";
import { inWorld, member } from "./world.ts";

const PATH = "/admin/v1/orgs/acme/policy";

Deno.test("an org without a policy reads the built-in one, then the org default's, then its own", () =>
  inWorld(async ({ call }) => {
    const builtin = await call("GET", PATH);
    assert.equal(builtin.status, 200);
    assert.equal(builtin.headers.get("policy-source"), "builtin");
    assert.equal(member(builtin.body, "rules", "min_age", "age"), "10d");

    const ofDefault = { rules: { min_age: { age: "3d" } } };
    assert.equal(
      (await call("PUT", "/admin/v1/orgs/default/policy", { body: ofDefault })).status,
      201,
    );
    const inherited = await call("GET", PATH);
    assert.equal(inherited.headers.get("policy-source"), "default");
    assert.equal(member(inherited.body, "rules", "min_age", "age"), "3d");

    await call("PUT", PATH, { body: { auth: "token" } });
    const own = await call("GET", PATH);
    assert.equal(own.headers.get("policy-source"), "own");
    assert.equal(own.body.auth, "token");
    assert.equal(member(own.body, "rules", "min_age", "age"), "10d");
  }));

Deno.test("PUT answers the complete document with its revision, 201 the first time", () =>
  inWorld(async ({ call, policies }) => {
    const first = await call("PUT", PATH, { body: { mode: "audit" } });
    assert.equal(first.status, 201);
    const second = await call("PUT", PATH, { body: { auth: "identify" } });
    assert.equal(second.status, 200);
    assert.equal(second.body.mode, "enforce");
    assert.equal(second.headers.get("etag"), `"${(await policies.read("acme"))?.revision}"`);
    assert.deepEqual((await call("GET", PATH)).body, second.body);
    assert.notEqual(first.headers.get("etag"), second.headers.get("etag"));
  }));

Deno.test("GET with the current tag is 304 until the policy changes", () =>
  inWorld(async ({ call }) => {
    for (let i = 0; i < 2; i++) {
      const etag = (await call("GET", PATH)).headers.get("etag") ?? "";
      assert.match(etag, /^"[\w-]+"$/);
      const again = await call("GET", PATH, { headers: { "if-none-match": `"x", W/${etag}` } });
      assert.deepEqual([again.status, again.text], [304, ""]);
      await call("PATCH", PATH, { body: { mode: i === 0 ? "audit" : "enforce" } });
      const changed = await call("GET", PATH, { headers: { "if-none-match": etag } });
      assert.equal(changed.status, 200);
    }
  }));

Deno.test("of two that change the same revision, the second gets 412 and nothing is lost", () =>
  inWorld(async ({ call }) => {
    await call("PUT", PATH, { body: {} });
    const etag = (await call("GET", PATH)).headers.get("etag") ?? "";
    const headers = { "if-match": etag };
    const answers = await Promise.all([
      call("PATCH", PATH, { body: { mode: "audit" }, headers }),
      call("PATCH", PATH, { body: { auth: "token" }, headers }),
      call("PUT", PATH, { body: { downloads: "direct" }, headers }),
    ]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412, 412]);
    const winner = answers.find(({ status }) => status === 200);
    assert.deepEqual((await call("GET", PATH)).body, winner?.body);
    for (const { status, body } of answers) {
      if (status === 412) assert.equal(body.type, "urn:package-proxy:problem:precondition_failed");
    }
    assert.equal((await call("DELETE", PATH, { headers })).status, 412);
  }));

Deno.test("of concurrent first policies of an org one alone is stored, where each demands to be it", () =>
  inWorld(async ({ call, policies }) => {
    const inherited = (await call("GET", PATH)).headers.get("etag") ?? "";
    const conditions: Record<string, string>[] = [
      { "if-none-match": "*" },
      { "if-match": inherited },
    ];
    for (const headers of conditions) {
      const answers = await Promise.all(
        ["1d", "2d", "3d"].map((age) =>
          call("PUT", PATH, { body: { rules: { min_age: { age } } }, headers })
        ),
      );
      assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 412, 412]);
      assert.equal((await call("DELETE", PATH)).status, 204);
    }
    assert.equal((await policies.history("acme", { limit: 10 })).items.length, 4);
  }));

Deno.test("If-Match with an inherited tag is lost to a change of the default's policy", () =>
  inWorld(async ({ call, policies }) => {
    const update = policies.update.bind(policies);
    policies.update = async (...change) => {
      await policies.replace("default", { mode: "audit" }, { by: "somebody faster" });
      return await update(...change);
    };
    for (let i = 0; i < 2; i++) { // the built-in policy, then one of `default`
      const headers = { "if-match": (await call("GET", PATH)).headers.get("etag") ?? "" };
      assert.equal((await call("PATCH", PATH, { body: { auth: "token" }, headers })).status, 412);
    }
    assert.equal(await policies.read("acme"), null);
  }));

Deno.test("without If-Match, concurrent patches of different members all count", () =>
  inWorld(async ({ call }) => {
    await Promise.all([
      call("PATCH", PATH, { body: { mode: "audit" } }),
      call("PATCH", PATH, { body: { auth: "token" } }),
      call("PATCH", PATH, { body: { rules: { min_age: { age: "2w" } } } }),
    ]);
    const { body } = await call("GET", PATH);
    assert.deepEqual([body.mode, body.auth, member(body, "rules", "min_age", "age")], [
      "audit",
      "token",
      "2w",
    ]);
  }));

Deno.test("If-Match with several tags, with an inherited one, and If-None-Match are honoured", () =>
  inWorld(async ({ call }) => {
    const inherited = (await call("GET", PATH)).headers.get("etag") ?? "";
    const put = (headers: Record<string, string>) => call("PUT", PATH, { body: {}, headers });
    assert.equal((await put({ "if-match": '"x"' })).status, 412);
    assert.equal((await put({ "if-match": "*" })).status, 412);
    assert.equal((await put({ "if-match": inherited, "if-none-match": "*" })).status, 201);
    assert.equal((await put({ "if-none-match": "*" })).status, 412);
    assert.equal((await put({ "if-match": inherited })).status, 412);
    const etag = (await call("GET", PATH)).headers.get("etag") ?? "";
    assert.equal((await put({ "if-match": `"x", ${etag}` })).status, 200);
    assert.equal((await put({ "if-match": "*" })).status, 200);
  }));

Deno.test("PATCH merges: null takes a member back to its default, lists are replaced", () =>
  inWorld(async ({ call }) => {
    await call("PUT", PATH, {
      body: {
        mode: "audit",
        rules: { min_age: { age: "5d", ecosystems: { npm: "1d", pypi: "2d" } } },
      },
    });
    const patched = await call("PATCH", PATH, {
      body: { mode: null, rules: { min_age: { ecosystems: { npm: null, cargo: "3d" } } } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    assert.equal(patched.status, 200);
    assert.equal(patched.body.mode, "enforce");
    assert.equal(member(patched.body, "rules", "min_age", "age"), "5d");
    assert.deepEqual(member(patched.body, "rules", "min_age", "ecosystems"), {
      pypi: "2d",
      cargo: "3d",
    });
  }));

Deno.test("DELETE goes back to the default's policy, once", () =>
  inWorld(async ({ call }) => {
    assert.equal((await call("DELETE", PATH)).status, 404);
    await call("PUT", PATH, { body: {} });
    assert.deepEqual((await call("DELETE", PATH)).text, "");
    assert.equal((await call("GET", PATH)).headers.get("policy-source"), "builtin");
    assert.equal((await call("DELETE", PATH)).status, 404);
  }));

Deno.test("a document with faults is 422 naming each of them, and changes nothing", () =>
  inWorld(async ({ call }) => {
    await call("PUT", PATH, { body: { mode: "audit" } });
    const before = (await call("GET", PATH)).text;
    const faulty = {
      mode: "perhaps",
      rules: { min_age: { age: "soon" }, block: { entries: [{ purl: "nonsense" }] } },
      "a/b": 1,
    };
    for (const method of ["PUT", "PATCH"]) {
      const { status, headers, body } = await call(method, PATH, { body: faulty });
      assert.equal(status, 422);
      assert.equal(headers.get("content-type"), "application/problem+json");
      assert(Array.isArray(body.errors));
      assert.deepEqual(body.errors.map(({ pointer }) => pointer).sort(), [
        "/a~1b",
        "/mode",
        "/rules/block/entries/0/purl",
        "/rules/min_age/age",
      ]);
    }
    assert.equal((await call("PATCH", PATH, { body: [] })).status, 422);
    assert.equal((await call("PUT", PATH, { body: "null" })).status, 422);
    assert.equal((await call("PATCH", PATH, { body: '{"__proto__": {"mode": 1}}' })).status, 422);
    assert.equal((await call("GET", PATH)).text, before);
  }));

Deno.test("bodies: JSON in UTF-8 of any usual type, within the bound", () =>
  inWorld(async ({ call }) => {
    const send = (type: string, body: string, more = {}) =>
      call("PUT", PATH, { body, headers: { "content-type": type, ...more } });
    for (
      const type of [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/x-www-form-urlencoded",
      ]
    ) {
      assert((await send(type, "{}")).status < 300, type);
    }
    assert.equal((await send("text/plain", "{}")).status, 415);
    assert.equal((await send("application/merge-patch+json", "{}")).status, 415);
    assert.equal((await send("application/x-www-form-urlencoded", "a=b")).status, 415);
    assert.equal(
      (await send("application/json", "{}", { "content-encoding": "gzip" })).status,
      415,
    );
    for (const text of ["", "{", "{} {}", "{'a': 1}"]) {
      assert.equal((await send("application/json", text)).status, 400, text);
    }
    const white = " ".repeat(10 * 1024 * 1024);
    assert.equal((await send("application/json", `{}${white}`)).status, 413);
    assert.equal((await send("application/json", `{}${white.slice(2)}`)).status, 200);
    const deep = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
    const answer = await call("PATCH", PATH, { body: deep });
    assert([400, 422].includes(answer.status), `${answer.status}`);
  }));

Deno.test("a policy of 10,000 entries is stored and read back", () =>
  inWorld(async ({ call }) => {
    const entries = Array.from({ length: 10_000 }, (_, i) => ({ purl: `pkg:npm/package-${i}` }));
    assert.equal(
      (await call("PUT", PATH, { body: { rules: { block: { entries } } } })).status,
      201,
    );
    assert.deepEqual(member((await call("GET", PATH)).body, "rules", "block", "entries"), entries);
  }));

Deno.test("history has every revision, newest first: when, by whom, the document", () =>
  inWorld(async ({ call, secrets, clock }) => {
    await call("PUT", PATH, { body: { mode: "audit" } });
    clock.now += 1_000;
    await call("PATCH", PATH, { body: { auth: "token" }, token: secrets.editor });
    clock.now += 1_000;
    await call("DELETE", PATH, { token: secrets.admin });
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const query = cursor === null ? "" : `&cursor=${cursor}`;
      const { items, body } = await call("GET", `${PATH}/history?limit=2${query}`);
      for (const { by, at, document } of items) {
        seen.push([by, at, document === null ? null : member(document, "auth")]);
      }
      cursor = body.cursor;
      if (cursor !== null) await call("PUT", PATH, { body: {} }); // later revisions do not shift pages
    } while (cursor !== null);
    assert.deepEqual(seen, [
      ["admin", "2026-11-20T12:00:02.000Z", null],
      ["editor", "2026-11-20T12:00:01.000Z", "token"],
      ["root", "2026-11-20T12:00:00.000Z", "open"],
    ]);
    assert.equal((await call("GET", `${PATH}/history?limit=101`)).status, 400);
    assert.equal((await call("GET", `${PATH}/history?cursor=x`)).status, 400);
  }));

Deno.test("a viewer sees neither the secrets of webhooks nor the paths of their addresses", () =>
  inWorld(async ({ call, secrets }) => {
    const webhooks = [{ url: "https://hooks.example/a", secret: "hush" }];
    assert.equal((await call("PUT", PATH, { body: { webhooks } })).status, 201);
    for (const path of [PATH, `${PATH}/history`]) {
      const { text } = await call("GET", path, { token: secrets.viewer });
      assert(text.includes("https://hooks.example/(hidden)"), text);
      assert(!text.includes("hush") && !text.includes("hooks.example/a"), text);
      const { text: whole } = await call("GET", path, { token: secrets.editor });
      assert(whole.includes("hush") && whole.includes("https://hooks.example/a"), whole);
    }
  }));

Deno.test("a stored policy that cannot be read is 500, and PUT mends it", () =>
  inWorld(async ({ call, kv }) => {
    await kv.set(["policy", "acme"], "nonsense");
    const unread = await call("GET", PATH);
    assert.deepEqual([unread.status, unread.body.type], [
      500,
      "urn:package-proxy:problem:policy_unreadable",
    ]);
    assert((await call("PUT", PATH, { body: {} })).status < 300);
    assert.equal((await call("GET", PATH)).status, 200);
  }));
