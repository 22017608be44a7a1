/** Methods, ranges and conditions that somebody else's servers have fallen for. */
import assert from "node:assert/strict";
import { send } from "./wire.ts";
import { assertNothingLeaks, attackWorld, NEST_PATHS, SECRET_PATHS, textOf } from "./world.ts";

const PATHS = [
  "/",
  "/setup",
  "/health",
  "/why/pkg:npm/left",
  "/npm/left",
  "/npm/left/-/left-1.0.0.tgz",
  "/pypi/simple/demo-tool/",
  "/cargo/de/mo/demo",
  "/cargo/api/v1/crates/demo",
];
const WRITES = [
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "PROPFIND",
  "MKCOL",
  "COPY",
  "LOCK",
  "PURGE",
  "BAN",
  "REPORT",
  "SEARCH",
  "QUERY",
  "M-SEARCH",
  "DEBUG",
  "TRACK",
  "FOO",
  "get",
];

Deno.test("a method that is none of reading's is 405, names those that are, and does nothing", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  const before = new Set(it.asked());
  for (const path of PATHS) {
    for (const method of WRITES) {
      const { statuses, text } = await send(
        base,
        `${method} ${path} HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n\r\n`,
      );
      assert.deepEqual(statuses, [405], `${method} ${path}: ${text}`);
      assert.match(text, /^allow: GET, HEAD/im, `${method} ${path}`);
      assert.ok(!/^access-control-/im.test(text), text);
    }
  }
  assert.deepEqual(it.asked().filter((asked) => !before.has(asked)), []);
  assert.deepEqual(await it.proxy.installs(), []);
});

Deno.test("TRACE and CONNECT echo nothing", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  for (const line of ["TRACE / HTTP/1.1", "TRACE /npm/left HTTP/1.1", "CONNECT a:1 HTTP/1.1"]) {
    const { statuses, text } = await send(
      base,
      `${line}\r\nHost: proxy.example\r\nCookie: mine=1\r\nConnection: close\r\n\r\n`,
    );
    assert.ok(statuses.length <= 1 && statuses.every((status) => status >= 400), text);
    assert.ok(!text.includes("mine=1"), text);
  }
});

Deno.test("headers that rename the method or the path change neither", async () => {
  await using it = await attackWorld();
  const authorization = `Bearer ${it.strangers.editor}`;
  const revision = (await it.proxy.deps.policies.read("acme"))?.revision;
  for (
    const [name, value] of [
      ["x-http-method-override", "DELETE"],
      ["x-http-method", "DELETE"],
      ["x-method-override", "DELETE"],
      ["x-original-url", "/admin/v1/orgs/vault/policy"],
      ["x-rewrite-url", "/admin/v1/orgs/vault/policy"],
      ["x-original-uri", "/admin/v1/orgs/vault/policy"],
      ["x-forwarded-prefix", "/o-vault"],
      ["x-forwarded-uri", "/o-vault/npm/left"],
      ["x-accel-redirect", "/etc/passwd"],
    ]
  ) {
    const headers = { [name]: value };
    const response = await it.proxy.fetch("/admin/v1/orgs/acme/policy?_method=DELETE", {
      headers: { authorization, ...headers },
    });
    assert.ok([200, 400].includes(response.status));
    assertNothingLeaks(await textOf(response), it, name);
    const index = await it.proxy.fetch("/npm/left", { headers });
    assert.equal((await index.json()).name, "left");
  }
  assert.equal((await it.proxy.deps.policies.read("acme"))?.revision, revision);
});

Deno.test("HEAD tells no more than GET would, and is no way to a refused file", async () => {
  await using it = await attackWorld();
  const head = (path: string, authorization = `Bearer ${it.strangers.client}`) =>
    it.proxy.fetch(path, { method: "HEAD", headers: { authorization } });
  assert.equal((await head("/npm/left/-/left-1.1.0.tgz")).status, 403);
  assert.equal((await head("/npm/@acme/tool/-/tool-1.0.0.tgz")).status, 403);
  for (const path of SECRET_PATHS) {
    const response = await head(`/o-vault${path}`);
    assert.equal(response.status, 403, path);
    assertNothingLeaks(await textOf(response), it, path);
  }
  for (const path of NEST_PATHS) {
    const response = await it.proxy.fetch(`/o-nest${path}`, { method: "HEAD" });
    assert.equal(response.status, 401, path);
    assertNothingLeaks(await textOf(response), it, path);
  }
});

Deno.test("a range is no way around the digest, the record or the policy", async () => {
  await using it = await attackWorld();
  const file = "/npm/left/-/left-1.0.0.tgz";
  const whole = new Uint8Array(await (await it.proxy.fetch(file)).arrayBuffer());
  for (
    const range of [
      "bytes=0-0",
      "bytes=-1",
      "bytes=1-",
      "bytes=9-1",
      "bytes=0-0,0-0",
      `bytes=${Array.from({ length: 1_000 }, (_, i) => `${i}-`).join(",")}`,
      "bytes=0-18446744073709551616",
      "lines=1-2",
      "bytes",
    ]
  ) {
    const headers = { range, "if-range": "*" };
    const response = await it.proxy.fetch(file, { headers });
    assert.equal(response.status, 200, "the whole file or nothing");
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), whole);
    for (
      const refused of ["/npm/left/-/left-1.1.0.tgz", "/o-vault/npm/@vault/tool/-/tool-2.0.0.tgz"]
    ) {
      const { status } = await it.proxy.fetch(refused, { headers });
      assert.ok([401, 403].includes(status), `${refused} ${status}`);
    }
    const index = await it.proxy.fetch("/npm/left", { headers });
    assert.deepEqual(Object.keys((await index.json()).versions), ["1.0.0"]);
  }
  assert.equal(
    (await it.proxy.installs()).length,
    10,
    "each was handed out whole, and is on record",
  );
});

Deno.test("a HEAD that says it is a form is read as one without a body", async () => {
  await using it = await attackWorld();
  const headers = { "content-type": "application/x-www-form-urlencoded", "content-length": "7" };
  for (const query of ["", "?expires=2099-01-01T00:00:00.000Z&signature=x"]) {
    const path = `/admin/v1/orgs/vault/requests/${it.ids[0]}/decide${query}`;
    const statuses = await Promise.all(["GET", "HEAD"].map(async (method) => {
      const response = await it.proxy.fetch(path, { method, headers });
      await response.text();
      return response.status;
    }));
    assert.deepEqual(statuses, [403, 403]);
  }
});
