/** A request that was answered from memory, and comes again: whatever has changed meanwhile counts. */
import assert from "node:assert/strict";
import { createApp } from "../../routes/app.ts";
import { DAY, type ProxyOptions, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const NPM = { "user-agent": "npm/11.0.0 node/v24.0.0", "accept": "application/json" };
/** The first renders, the second is remembered, the third is known. */
const OFTEN = 4;

async function setting(options: ProxyOptions = {}) {
  const registry = startNpmRegistry({ cacheControl: "public, max-age=300" });
  registry.publish({ name: "left", version: "1.0.0" });
  registry.publish({ name: "left", version: "1.1.0", publishedAt: daysAgo(20) });
  const proxy = await testProxy({ ...options, upstreams: { npm: registry.url } });
  const app = createApp(proxy.deps);
  const ask = async (
    path: string,
    { ip = "198.51.100.7", ...init }: RequestInit & { ip?: string } = {},
  ) => {
    const remoteAddr = { transport: "tcp", hostname: ip, port: 50_000 } as const;
    const request = new Request(`http://proxy.example${path}`, { headers: NPM, ...init });
    const response = await app(request, { remoteAddr });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    registry,
    proxy,
    ask,
    async often(path: string, init: Parameters<typeof ask>[1] = {}) {
      for (let i = 1; i < OFTEN; i++) await ask(path, init);
      return await ask(path, init);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const daysAgo = (days: number) => new Date(Date.now() - days * DAY).toISOString();
const blocking = (version: string) => ({
  rules: { block: { entries: [{ purl: `pkg:npm/left@${version}` }] } },
});
const versions = (text: string) => Object.keys(JSON.parse(text).versions);

Deno.test("a repeated answer is the one that was given first, byte by byte and header by header", async () => {
  await using it = await setting();
  const first = await it.ask("/npm/left");
  const again = await it.often("/npm/left");
  assert.equal(again.text, first.text);
  assert.deepEqual([...again.headers], [...first.headers]);
  assert.equal(it.registry.requests.filter(({ path }) => path === "/left").length, 1);
  const etag = first.headers.get("etag") ?? "";
  const unchanged = await it.ask("/npm/left", { headers: { ...NPM, "if-none-match": etag } });
  assert.equal(unchanged.status, 304);
  assert.equal(unchanged.text, "");
  assert.equal(unchanged.headers.get("etag"), etag);
  assert.equal(unchanged.headers.get("content-length"), null);
});

Deno.test("a changed policy counts for the next request", async () => {
  await using it = await setting();
  assert.deepEqual(versions((await it.often("/npm/left")).text), ["1.0.0", "1.1.0"]);
  const by = { by: "test" };
  await it.proxy.deps.policies.replace("default", blocking("1.1.0"), by);
  assert.deepEqual(versions((await it.often("/npm/left")).text), ["1.0.0"]);
  await it.proxy.deps.policies.replace("default", { ...blocking("1.1.0"), auth: "token" }, by);
  assert.equal((await it.often("/npm/left")).status, 401);
});

Deno.test("an org's own first policy counts, where the default org's held before", async () => {
  await using it = await setting();
  const path = "/o-acme/npm/left";
  assert.deepEqual(versions((await it.often(path)).text), ["1.0.0", "1.1.0"]);
  await it.proxy.deps.policies.replace("acme", blocking("1.0.0"), { by: "test" });
  assert.deepEqual(versions((await it.often(path)).text), ["1.1.0"]);
  assert.deepEqual(versions((await it.often("/npm/left")).text), ["1.0.0", "1.1.0"]);
});

Deno.test("a version that comes of age appears, and what upstream publishes too", async () => {
  await using it = await setting();
  it.registry.publish({ name: "young", version: "1.0.0" });
  it.registry.publish({ name: "young", version: "2.0.0", publishedAt: daysAgo(9.999) });
  assert.deepEqual(versions((await it.often("/npm/young")).text), ["1.0.0"]);
  it.proxy.clock.now += 200_000;
  assert.deepEqual(versions((await it.often("/npm/young")).text), ["1.0.0", "2.0.0"]);
  it.registry.publish({ name: "young", version: "1.5.0" });
  assert.equal(versions((await it.often("/npm/young")).text).length, 2);
  it.proxy.clock.now += 200_000;
  assert.equal(versions((await it.often("/npm/young")).text).length, 3);
});

Deno.test("what is served while upstream fails says so, however often it is asked for", async () => {
  await using it = await setting();
  await it.often("/npm/left");
  it.proxy.clock.now += 400_000;
  it.registry.fault(/left/, { kind: "status", status: 500 });
  assert.match((await it.often("/npm/left")).headers.get("warning") ?? "", /^110 /);
  assert.match((await it.ask("/npm/left")).headers.get("warning") ?? "", /^110 /);
});

Deno.test("forms and codings are told apart", async () => {
  await using it = await setting();
  const corgi = "application/vnd.npm.install-v1+json";
  const full = await it.often("/npm/left");
  const short = await it.often("/npm/left", { headers: { ...NPM, accept: corgi } });
  const zipped = await it.often("/npm/left", { headers: { ...NPM, "accept-encoding": "gzip" } });
  assert.equal(full.headers.get("content-type"), "application/json");
  assert.equal(short.headers.get("content-type"), corgi);
  assert.equal(zipped.headers.get("content-encoding"), "gzip");
  assert.equal((await it.ask("/npm/left")).headers.get("content-encoding"), null);
  assert.deepEqual((await it.ask("/npm/left", { method: "HEAD" })).text, "");
  assert.equal((await it.ask("/npm/left", { method: "PUT", body: "{}" })).status, 405);
});

Deno.test("tokens are looked at, although somebody without one got the same address", async () => {
  await using it = await setting();
  await it.often("/npm/left");
  const headers = { ...NPM, authorization: "Bearer pp_unknown" };
  assert.equal((await it.ask("/npm/left", { headers })).status, 401);
});

Deno.test("limits count repeated requests too", async () => {
  await using it = await setting({ policy: { limits: { per_address: "6/m" } } });
  const statuses: number[] = [];
  for (let i = 0; i < 8; i++) statuses.push((await it.ask("/npm/left")).status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
  assert.equal((await it.ask("/npm/left", { ip: "198.51.100.8" })).status, 200);
});

Deno.test("an address that is a package to npm stays a page to browsers", async () => {
  await using it = await setting();
  it.registry.publish({ name: "setup", version: "1.0.0" });
  it.registry.publish({ name: "npm", version: "1.0.0" });
  const browser = { headers: { "user-agent": "Mozilla/5.0", accept: NPM.accept } };
  assert.deepEqual(versions((await it.often("/setup")).text), ["1.0.0"]);
  assert.match((await it.ask("/setup", browser)).headers.get("content-type") ?? "", /html/);
  assert.deepEqual(versions((await it.often("/npm")).text), ["1.0.0"]);
  assert.equal(JSON.parse((await it.ask("/npm", browser)).text).registry, "npm");
});

Deno.test("an instant in the address is judged anew each time", async () => {
  await using it = await setting();
  const path = `/before/${daysAgo(25)}/npm/left`;
  assert.deepEqual(versions((await it.often(path)).text), ["1.0.0"]);
});

Deno.test("a lift after `npm audit` counts, and ends, for the client that has it", async () => {
  await using it = await setting();
  it.registry.publish({ name: "young", version: "1.0.0" });
  it.registry.publish({ name: "young", version: "1.0.1", publishedAt: daysAgo(0.1) });
  it.registry.advise("young", { vulnerable_versions: "<1.0.1" });
  assert.deepEqual(versions((await it.often("/npm/young")).text), ["1.0.0"]);
  const audit = await it.ask("/npm/-/npm/v1/security/advisories/bulk", {
    method: "POST",
    headers: { ...NPM, "content-type": "application/json" },
    body: JSON.stringify({ young: ["1.0.0"] }),
  });
  assert.equal(audit.status, 200);
  assert.deepEqual(versions((await it.often("/npm/young")).text), ["1.0.0", "1.0.1"]);
  const other = await it.often("/npm/young", { ip: "198.51.100.8" });
  assert.deepEqual(versions(other.text), ["1.0.0"]);
  it.proxy.clock.now += 61_000;
  assert.deepEqual(versions((await it.often("/npm/young")).text), ["1.0.0"]);
});

const bearer = (secret: string) => ({ headers: { ...NPM, authorization: `Bearer ${secret}` } });

Deno.test("a token gets its own org's answers, from memory too, and whoever shares the address does not", async () => {
  await using it = await setting({
    policies: { acme: blocking("1.0.0"), umbrella: { ...blocking("1.1.0"), auth: "token" } },
  });
  const make = async (org: string) => {
    const made = { org, user: "alice", role: "client", expires: null, by: "test" } as const;
    return (await it.proxy.deps.tokens.create(made)).secret;
  };
  const [acme, umbrella] = [await make("acme"), await make("umbrella")];
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(versions((await it.often("/npm/left", bearer(acme))).text), ["1.1.0"]);
    assert.deepEqual(versions((await it.often("/npm/left", bearer(umbrella))).text), ["1.0.0"]);
    assert.deepEqual(versions((await it.often("/npm/left")).text), ["1.0.0", "1.1.0"]);
  }
  const basic = { headers: { ...NPM, authorization: `Basic ${btoa(`alice:${acme}`)}` } };
  assert.deepEqual(versions((await it.often("/npm/left", basic)).text), ["1.1.0"]);
  assert.equal((await it.often("/o-umbrella/npm/left", bearer(acme))).status, 403);
  assert.equal((await it.often("/o-umbrella/npm/left")).status, 401);
});

Deno.test("a token that is removed or runs out gets nothing more, whatever it got before", async () => {
  await using it = await setting();
  const { tokens } = it.proxy.deps;
  const made = { org: "default", user: "alice", role: "client", by: "test" } as const;
  const removed = await tokens.create({ ...made, expires: null });
  const ending = await tokens.create({
    ...made,
    expires: new Date(it.proxy.clock.now + 3_000).toISOString(),
  });
  assert.equal((await it.often("/npm/left", bearer(removed.secret))).status, 200);
  assert.equal((await it.often("/npm/left", bearer(ending.secret))).status, 200);
  await tokens.remove("default", removed.token.id, { by: "test" });
  assert.equal((await it.ask("/npm/left", bearer(removed.secret))).status, 401);
  it.proxy.clock.now += 4_000;
  assert.equal((await it.ask("/npm/left", bearer(ending.secret))).status, 401);
});

Deno.test("limits count a token's repeated requests too", async () => {
  await using it = await setting({ policy: { limits: { per_token: "5/m" } } });
  const { tokens } = it.proxy.deps;
  const made = {
    org: "default",
    user: "alice",
    role: "client",
    expires: null,
    by: "test",
  } as const;
  const { secret } = await tokens.create(made);
  await it.often("/npm/left");
  const statuses: number[] = [];
  for (let i = 0; i < 7; i++) statuses.push((await it.ask("/npm/left", bearer(secret))).status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429]);
});
