/** npm's audit override: what an advisory answer lifts, from what, for whom and for how long. */
import assert from "node:assert/strict";
import { createApp } from "../../routes/app.ts";
import { testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const BULK = "/npm/-/npm/v1/security/advisories/bulk";
const QUICK = "/npm/-/npm/v1/security/audits/quick";
const AGENT = "npm/12.0.0 node/v24.0.0 linux x64";
/** Of `left`: 1.0.0 is old, the others are an hour old; below 1.2.0 they are vulnerable. */
const YOUNG = ["1.1.0", "1.2.0", "1.3.0", "1.4.0"];

async function zipped(body: unknown): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([JSON.stringify(body)]).stream();
  return await new Response(stream.pipeThrough(new CompressionStream("gzip"))).bytes();
}

async function setting(
  { policy, policies }: { policy?: unknown; policies?: Record<string, unknown> } = {},
) {
  const registry = startNpmRegistry();
  const hourAgo = new Date(Date.now() - 3600_000);
  for (const name of ["left", "right"]) {
    registry.publish({ name, version: "1.0.0" });
    for (const version of YOUNG) registry.publish({ name, version, publishedAt: hourAgo });
  }
  registry.advise("left", { vulnerable_versions: "<1.2.0" });
  registry.advise("left", { vulnerable_versions: "=1.3.0 || <1.0.1" });
  const proxy = await testProxy({ upstreams: { npm: registry.url }, policy, policies });
  const app = createApp(proxy.deps);
  const send = (path: string, { ip = "10.0.0.1", ...init }: RequestInit & { ip?: string } = {}) =>
    app(
      new Request(`http://proxy.example${path}`, {
        ...init,
        headers: { "user-agent": AGENT, ...init.headers },
      }),
      { remoteAddr: { transport: "tcp", hostname: ip, port: 4711 } },
    );
  return {
    registry,
    proxy,
    send,
    /** `npm audit` of one package, with a gzipped body as npm sends it. */
    async audit(
      { name = "left", versions = ["1.0.0"], prefix = "", ip }: {
        name?: string;
        versions?: string[];
        prefix?: string;
        ip?: string;
      } = {},
    ) {
      const response = await send(`${prefix}${BULK}`, {
        method: "POST",
        ip,
        headers: { "content-encoding": "gzip", "content-type": "application/json" },
        body: await zipped({ [name]: versions }),
      });
      return { status: response.status, text: await response.text() };
    },
    async versions(
      { name = "left", prefix = "", ip }: { name?: string; prefix?: string; ip?: string } = {},
    ) {
      const response = await send(`${prefix}/npm/${name}`, { ip });
      assert.equal(response.status, 200);
      return Object.keys((await response.json()).versions);
    },
    async file(version: string, { prefix = "", ip }: { prefix?: string; ip?: string } = {}) {
      const response = await send(`${prefix}/npm/left/-/left-${version}.tgz`, { ip });
      await response.arrayBuffer();
      return response.status;
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

Deno.test("an audit lifts `min_age` from the versions outside every vulnerable range, files included", async () => {
  await using it = await setting();
  assert.deepEqual(await it.versions(), ["1.0.0"]);
  assert.equal(await it.file("1.2.0"), 403);
  const { status, text } = await it.audit();
  assert.equal(status, 200);
  assert.equal(JSON.parse(text).left.length, 2);
  assert.deepEqual(await it.versions(), ["1.0.0", "1.2.0", "1.4.0"]);
  assert.equal(await it.file("1.2.0"), 200);
  assert.equal(await it.file("1.3.0"), 403, "vulnerable by the second advisory");
  assert.equal(await it.file("1.1.0"), 403, "vulnerable by the first one");
  assert.deepEqual(await it.versions({ name: "right" }), ["1.0.0"], "another package");
  const [install] = await it.proxy.installs();
  assert.deepEqual([install.version, install.verdict], ["1.2.0", "allow"]);
});

Deno.test("the older audit (`audits/quick`) lifts likewise", async () => {
  await using it = await setting();
  const body = await zipped({
    name: "project",
    requires: { left: "^1.0.0" },
    dependencies: { left: { version: "1.0.0" } },
  });
  const response = await it.send(QUICK, {
    method: "POST",
    headers: { "content-encoding": "gzip" },
    body,
  });
  assert.equal(response.status, 200);
  assert.equal(Object.keys((await response.json()).advisories).length, 2);
  assert.deepEqual(await it.versions(), ["1.0.0", "1.2.0", "1.4.0"]);
});

Deno.test("the lift ends after 60 s", async () => {
  await using it = await setting();
  await it.audit();
  it.proxy.clock.now += 59_999;
  assert.equal(await it.file("1.2.0"), 200);
  assert.deepEqual(await it.versions(), ["1.0.0", "1.2.0", "1.4.0"]);
  it.proxy.clock.now += 1;
  assert.deepEqual(await it.versions(), ["1.0.0"]);
  assert.equal(await it.file("1.2.0"), 403);
});

Deno.test("the lift is for that client alone: org, user and address", async () => {
  await using it = await setting({ policies: { acme: {} } });
  const prefix = "/o-acme/u-alice";
  await it.audit({ prefix });
  assert.equal((await it.versions({ prefix })).length, 3);
  for (
    const other of [
      { prefix, ip: "10.0.0.2" },
      { prefix: "/o-acme/u-bob" },
      { prefix: "/o-acme" },
      { prefix: "/o-default/u-alice" },
      {},
    ]
  ) {
    assert.deepEqual(await it.versions(other), ["1.0.0"], JSON.stringify(other));
    assert.equal(await it.file("1.2.0", other), 403);
  }
  assert.equal((await it.versions({ prefix })).length, 3, "and still for that one");
});

Deno.test("a 304 hides neither the beginning of a lift nor its end", async () => {
  await using it = await setting();
  const etagged = async (etag = "") => {
    const response = await it.send("/npm/left", { headers: { "if-none-match": etag } });
    await response.body?.cancel();
    return { status: response.status, etag: response.headers.get("etag") ?? "" };
  };
  const before = await etagged();
  assert.equal((await etagged(before.etag)).status, 304);
  await it.audit();
  const lifted = await etagged(before.etag);
  assert.equal(lifted.status, 200);
  it.proxy.clock.now += 60_000;
  assert.equal((await etagged(lifted.etag)).status, 200);
});

Deno.test("`audit_override: false` lifts nothing", async () => {
  await using it = await setting({ policy: { rules: { min_age: { audit_override: false } } } });
  assert.equal((await it.audit()).status, 200);
  assert.deepEqual(await it.versions(), ["1.0.0"]);
  assert.equal(await it.file("1.2.0"), 403);
});

Deno.test("what another rule withholds stays withheld", async () => {
  await using it = await setting({
    policy: {
      rules: { block: { entries: [{ purl: "pkg:npm/left", versions: "1.2.0" }] } },
    },
  });
  await it.audit();
  assert.deepEqual(await it.versions(), ["1.0.0", "1.4.0"]);
  assert.equal(await it.file("1.2.0"), 403);
});

Deno.test("a release without evidence stays withheld after one with it", async () => {
  await using it = await setting();
  const at = (hours: number) => new Date(Date.now() - hours * 3600_000);
  it.registry.publish({
    name: "left",
    version: "2.0.0",
    trust: "trusted_publisher",
    publishedAt: at(3),
  });
  it.registry.publish({ name: "left", version: "2.0.1", publishedAt: at(2) });
  await it.audit();
  assert.deepEqual(await it.versions(), ["1.0.0", "1.2.0", "1.4.0", "2.0.0"]);
  assert.equal(await it.file("2.0.1"), 403);
});

Deno.test("the audit that a plain `npm install` sends opens nothing", async () => {
  await using it = await setting();
  const { status, text } = await it.audit({ name: "right", versions: ["1.0.0"] });
  assert.deepEqual([status, text], [200, "{}"]);
  assert.deepEqual(await it.versions(), ["1.0.0"]);
  assert.deepEqual(await it.versions({ name: "right" }), ["1.0.0"]);
});

for (
  const [what, fault, status] of [
    [
      "fails",
      { kind: "status", status: 500, body: '{"left":[{"vulnerable_versions":"<1"}]}' },
      502,
    ],
    ["answers nonsense", { kind: "body", body: "<html>" }, 502],
    ["answers no object", { kind: "body", body: "[]" }, 502],
    ["answers without ranges", { kind: "body", body: '{"left":[{"title":"x"}]}' }, 200],
    [
      "names no readable range",
      { kind: "body", body: '{"left":[{"vulnerable_versions":"?"}]}' },
      200,
    ],
    ["answers an empty list", { kind: "body", body: '{"left":[]}' }, 200],
  ] as const
) {
  Deno.test(`an advisory service that ${what} opens nothing`, async () => {
    await using it = await setting();
    it.registry.fault(/security/, fault);
    assert.equal((await it.audit()).status, status);
    assert.deepEqual(await it.versions(), ["1.0.0"]);
    assert.equal(await it.file("1.2.0"), 403);
  });
}

Deno.test("an advisory service that is silent is 504", async () => {
  await using registry = startNpmRegistry();
  registry.fault(/security/, { kind: "stall" });
  await using proxy = await testProxy({
    upstreams: { npm: registry.url },
    limits: { firstByteMs: 100 },
  });
  const response = await proxy.fetch(BULK, { method: "POST", body: "{}" });
  assert.equal(response.status, 504);
  assert.equal((await response.json()).code, "upstream_timeout");
});

Deno.test("a body that is too large is 413, one that is broken 400; upstream hears of neither", async () => {
  await using it = await setting();
  const post = async (body: BodyInit, encoding?: string) => {
    const headers = encoding ? { "content-encoding": encoding } : undefined;
    const response = await it.send(BULK, { method: "POST", body, headers });
    assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
    return [response.status, (await response.json()).code];
  };
  const large = "x".repeat(8 * 1024 * 1024 + 1);
  assert.deepEqual(await post(large), [413, "body_too_large"]);
  assert.deepEqual(await post(await zipped(large), "gzip"), [413, "body_too_large"]);
  assert.deepEqual(await post("no gzip", "gzip"), [400, "body_invalid"]);
  const cut = (await zipped({ left: ["1.0.0"] })).slice(0, -4);
  assert.deepEqual(await post(cut, "gzip"), [400, "body_invalid"]);
  assert.deepEqual(it.registry.requests, []);
});

Deno.test("search, ping and keys come from upstream; other services do not exist", async () => {
  await using it = await setting();
  const get = async (path: string) => {
    const response = await it.send(path);
    return { status: response.status, text: await response.text() };
  };
  assert.equal((await get("/npm/-/ping")).status, 200);
  assert.equal(JSON.parse((await get("/npm/-/npm/v1/keys")).text).keys.length, 1);
  assert.equal(JSON.parse((await get("/npm/-/v1/search?text=left")).text).total, 1);
  const head = await it.send("/npm/-/ping", { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  for (const path of ["/npm/-/whoami", "/npm/-/npm/v1/tokens", "/npm/-/all", "/-/user/x"]) {
    assert.equal((await get(path)).status, 404, path);
  }
  const paths = it.registry.requests.map(({ path }) => path);
  assert.deepEqual(paths, ["/-/ping", "/-/npm/v1/keys", "/-/v1/search?text=left", "/-/ping"]);
});

Deno.test("a service that is busy says when to come back, as an index does", async () => {
  await using it = await setting();
  const headers = { "retry-after": "30" };
  for (const status of [429, 503]) {
    it.registry.fault(/search/, { kind: "status", status, body: "busy", headers });
    const response = await it.send("/npm/-/v1/search?text=left");
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "30");
    assert.equal((await response.json()).code, "upstream_busy");
  }
});

for (const line of ["204 No Content", "205 Reset Content\r\ncontent-length: 0"]) {
  Deno.test(`a service that answers ${line.slice(0, 3)} is passed on as 204, without a body`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answering = (async () => {
      for await (const connection of listener) {
        await connection.read(new Uint8Array(4096));
        await connection.write(new TextEncoder().encode(`HTTP/1.1 ${line}\r\n\r\n`));
        connection.close();
      }
    })();
    await using proxy = await testProxy({
      upstreams: { npm: `http://127.0.0.1:${listener.addr.port}/` },
    });
    const base = proxy.listen();
    for (const method of ["GET", "HEAD"]) {
      const response = await fetch(`${base}/npm/-/ping`, { method });
      assert.deepEqual([response.status, await response.text()], [204, ""], method);
    }
    listener.close();
    await answering;
  });
}

Deno.test("a service that sends elsewhere, or says that nothing is new, is 502", async () => {
  await using it = await setting();
  for (const status of [300, 302, 304]) {
    it.registry.fault(/search/, { kind: "status", status });
    const response = await it.send("/npm/-/v1/search?text=left");
    assert.equal(response.status, 502);
    assert.match(await response.text(), RegExp(`answers ${status}`));
  }
});
