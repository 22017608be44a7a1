/** `"verify": "client"`: files pass as upstream sends them, judged and on record. */
import assert from "node:assert/strict";
import { faultyKv } from "../faults/faulty_kv.ts";
import { type Driver, DRIVERS } from "../contract/drivers.ts";
import { DAY, type ProxyOptions, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

const POLICY = { verify: "client" };

async function setting(driver: Driver, options: ProxyOptions = {}) {
  const world = driver.start();
  const publish = (version: string, publishedAt: Date) =>
    world.publish({ name: "package", version, publishedAt });
  const old = publish("1.0.0", new Date("2020-01-01"));
  const young = publish("1.1.0", new Date(Date.now() - DAY));
  const upstreams = { [driver.id]: world.upstream };
  const proxy = await testProxy({ policy: POLICY, ...options, upstreams });
  const base = proxy.listen();
  return {
    world,
    proxy,
    old,
    /** By a client of its own, over a socket. */
    ask: (path: string, init: RequestInit = {}) =>
      fetch(`${base}${driver.mount}${path}`, {
        redirect: "manual",
        ...init,
        headers: driver.headers,
      }),
    young,
    async [Symbol.asyncDispose]() {
      await world.server[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

for (const driver of DRIVERS) {
  const test = (name: string, run: () => Promise<void>) => Deno.test(`${driver.id}: ${name}`, run);

  test("left to the client, a file arrives as upstream has it, and is on record", async () => {
    await using it = await setting(driver);
    const response = await it.ask(it.old.path);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-length"), String(it.old.bytes.length));
    assert.deepEqual(await response.bytes(), it.old.bytes);
    const [record, ...more] = await it.proxy.installs();
    assert.deepEqual(more, []);
    assert.equal(record.purl, `pkg:${driver.id}/package@1.0.0`);
    assert.equal(record.verdict, "allow");
    assert.equal(record.sha256, undefined, "nobody has compared it");
    it.world.server.fault(it.world.files, { kind: "tamper" });
    const other = await it.ask(it.old.path);
    assert.equal(other.status, 200);
    assert.notDeepEqual(await other.bytes(), it.old.bytes, "comparing is the client's part");
  });

  test("left to the client, a withheld file is still refused and nothing is asked for", async () => {
    await using it = await setting(driver);
    const refused = await it.ask(it.young.path);
    await refused.body?.cancel();
    assert.match(refused.headers.get("policy-decision") ?? "", /code=min_age/);
    assert.ok(!it.world.server.requests.some(({ path }) => it.world.files.test(path)));
    assert.deepEqual(await it.proxy.installs(), []);
    assert.equal((await it.proxy.refusals()).length, 1);
  });

  test("left to the client, HEAD says the same and records nothing", async () => {
    await using it = await setting(driver);
    const response = await it.ask(it.old.path, { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-length"), String(it.old.bytes.length));
    assert.deepEqual(await it.proxy.installs(), []);
  });
}

const [NPM] = DRIVERS;

Deno.test("left to the client, a file is on record before its first byte", async () => {
  await using it = await setting(NPM);
  it.world.server.fault(it.world.files, { kind: "stall_body", after: 0 });
  const response = await it.ask(it.old.path);
  assert.equal((await it.proxy.installs()).length, 1);
  await response.body?.cancel();
});

Deno.test("a client that is not known to compare gets what is its index's, or nothing", async () => {
  await using it = await setting(NPM);
  it.world.server.fault(it.world.files, { kind: "tamper" });
  const agents = [
    "yarn/4.18.1",
    "got (https://github.com/sindresorhus/got)",
    "curl/8",
    "anpm/1",
    "npm/3.10.10 node/v10.24.1 linux x64",
    "npm-registry-fetch@18.0.2/node@v20.20.2+x64 (linux)",
  ];
  for (const agent of agents) {
    const headers = { ...NPM.headers, "user-agent": agent };
    const response = await it.proxy.fetch(`${NPM.mount}${it.old.path}`, { headers });
    await assert.rejects(async () => await response.bytes());
  }
  assert.deepEqual(await it.proxy.installs(), []);
});

Deno.test("every version of a client that compares gets its files as upstream sends them", async () => {
  await using it = await setting(NPM);
  it.world.server.fault(it.world.files, { kind: "tamper" });
  const agents = [
    "npm/5.10.0 node/v10.24.1 linux x64",
    "npm/6.14.18 node/v14.21.3 linux x64",
    "npm/12.2.0 node/v22.23.3 linux x64 workspaces/false",
    "pnpm/5.18.11 npm/? node/v14.21.3 linux x64",
    "pnpm/12.4.2 npm/? node/? linux x64",
    "yarn/1.6.0 npm/? node/v10.24.1 linux x64",
    "Bun/1.0.36",
    "Deno/2.0.6",
  ];
  for (const agent of agents) {
    const headers = { ...NPM.headers, "user-agent": agent };
    const response = await it.proxy.fetch(`${NPM.mount}${it.old.path}`, { headers });
    assert.notDeepEqual(await response.bytes(), it.old.bytes, agent);
  }
});

Deno.test("left to the client, no record is no file", async () => {
  const faulty = faultyKv();
  await using it = await setting(NPM, { wrapKv: faulty.wrap });
  await (await it.ask(it.old.path)).bytes();
  faulty.fail("throws");
  const refused = await it.ask(it.old.path);
  assert.equal(refused.status, 503);
  assert.notDeepEqual(await refused.bytes(), it.old.bytes);
  faulty.fail(null);
  assert.equal((await it.proxy.installs()).length, 1);
});

Deno.test("left to the client, a file that breaks off breaks off there, and takes nobody's turn", async () => {
  await using it = await setting(NPM, { limits: { filesAtOnce: 1, queueMs: 5_000 } });
  it.world.server.fault(it.world.files, { kind: "reset", after: 20 });
  for (let i = 0; i < 3; i++) {
    const response = await it.ask(it.old.path);
    await assert.rejects(async () => await response.bytes());
  }
  it.world.server.mend();
  assert.deepEqual(await (await it.ask(it.old.path)).bytes(), it.old.bytes);
  // They began, and whoever began may have something.
  assert.equal((await it.proxy.installs()).length, 4);
});

Deno.test("left to the client, a client that goes away takes nobody's turn", async () => {
  await using it = await setting(NPM, { limits: { filesAtOnce: 1, queueMs: 5_000 } });
  it.world.server.fault(it.world.files, { kind: "stall_body", after: 20 });
  const response = await it.ask(it.old.path);
  it.world.server.mend();
  const next = it.ask(it.old.path);
  await response.body?.cancel();
  assert.deepEqual(await (await next).bytes(), it.old.bytes);
});

Deno.test("left to the client, what upstream does not have or say is no file", async () => {
  await using it = await setting(NPM);
  for (const [status, wanted] of [[404, 404], [500, 502]]) {
    it.world.server.fault(it.world.files, { kind: "status", status });
    const response = await it.ask(it.old.path);
    assert.equal(response.status, wanted);
    await response.body?.cancel();
  }
});

Deno.test("left to the client, a file of a registry that the policy names arrives too", async () => {
  await using registry = startNpmRegistry();
  const { tarball } = registry.publish({ name: "@acme/tool", version: "1.0.0" });
  const registries = [{ ecosystem: "npm", packages: "pkg:npm/@acme/*", url: registry.url }];
  await using proxy = await testProxy({ policy: { ...POLICY, registries } });
  const response = await proxy.fetch("/npm/@acme/tool/-/tool-1.0.0.tgz", { headers: NPM.headers });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.bytes(), tarball);
  assert.equal((await proxy.installs()).length, 1);
});

Deno.test("what stands beside a file is compared here, whoever asks", async () => {
  await using registry = startPypiRegistry();
  const [wheel] = registry.publish({ name: "demo", version: "1.0" });
  await using proxy = await testProxy({ policy: POLICY, upstreams: { pypi: registry.index } });
  const path = `/pypi/${wheel.path}.metadata`;
  const headers = { "user-agent": "pip/25.0" };
  const good = await proxy.fetch(path, { headers });
  assert.equal(await good.text(), wheel.metadata);
  registry.publish({ name: "demo", version: "1.1" });
  proxy.clock.now += 60_000;
  registry.fault(/\.metadata$/, { kind: "body", body: "Name: another" });
  const other = `/pypi/${registry.files("demo")[1].path}.metadata`;
  const response = await proxy.fetch(other, { headers });
  assert.equal(response.status, 200);
  await assert.rejects(async () => await response.bytes());
});
