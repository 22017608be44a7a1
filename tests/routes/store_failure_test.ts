/** What goes on while the database fails, where an org's policy says `"on_store_failure": "allow"`. */
import assert from "node:assert/strict";
import { faultyKv } from "../faults/faulty_kv.ts";
import { DAY, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64", "accept": "application/json" };
const INDEX = "/npm/left";
const FILE = "/npm/left/-/left-1.0.0.tgz";
const YOUNG = "/npm/left/-/left-1.1.0.tgz";
/** Past the time for which policies and tokens count without another look. */
const FORGOTTEN_MS = 6_000;

async function setting(policy: Record<string, unknown>) {
  const registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0" });
  registry.publish({ name: "left", version: "1.1.0", publishedAt: new Date(Date.now() - DAY) });
  const faulty = faultyKv();
  const proxy = await testProxy({ upstreams: { npm: registry.url }, wrapKv: faulty.wrap, policy });
  const made = { org: "default", user: "bob", role: "client", expires: null, by: "test" } as const;
  const { secret, token } = await proxy.deps.tokens.create(made);
  const authorization = `Bearer ${secret}`;
  return {
    registry,
    faulty,
    proxy,
    token,
    authorization,
    async status(path: string, headers: Record<string, string> = { authorization }) {
      const response = await proxy.fetch(path, { headers: { ...NPM, ...headers } });
      await response.arrayBuffer();
      return response.status;
    },
    health: async () => await (await proxy.fetch("/health")).json(),
    events: () => proxy.lines.map(({ event }) => event),
    async [Symbol.asyncDispose]() {
      faulty.fail(null);
      faulty.release();
      await proxy.deps.records.flush();
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const ALLOW = { auth: "token", on_store_failure: "allow" };

Deno.test("deny, the default: without the database nothing goes out, and it recovers by itself", async () => {
  await using it = await setting({ auth: "token" });
  assert.equal(await it.status(INDEX), 200);
  it.faulty.fail("throws");
  it.proxy.clock.now += FORGOTTEN_MS;
  for (const path of [INDEX, FILE]) assert.equal(await it.status(path), 503, path);
  it.faulty.fail(null);
  for (const path of [INDEX, FILE]) assert.equal(await it.status(path), 200, path);
  assert.equal((await it.health()).late_records.ever, 0);
});

Deno.test("allow: the last policy goes on judging, files go out, and their records are stored later", async () => {
  await using it = await setting(ALLOW);
  assert.equal(await it.status(INDEX), 200);
  it.faulty.fail("throws");
  it.proxy.clock.now += FORGOTTEN_MS;
  const during = it.proxy.clock.now;
  for (const [path, status] of [[INDEX, 200], [FILE, 200], [YOUNG, 403], [FILE, 200]] as const) {
    assert.equal(await it.status(path), status, path);
  }
  assert.equal(await it.status(INDEX, {}), 401, "who has no token still needs one");
  const health = await it.health();
  assert.equal(health.status, "unavailable");
  assert.deepEqual(health.late_records, { waiting: 3, ever: 3 });
  assert.equal(it.events().filter((event) => event === "records_wait").length, 1);
  it.proxy.clock.now += 60_000;
  it.faulty.fail(null);
  assert.equal(await it.proxy.deps.records.flush(), true);
  const installs = await it.proxy.installs();
  assert.deepEqual(installs.map(({ user, version }) => [user, version]), [
    ["bob", "1.0.0"],
    ["bob", "1.0.0"],
  ]);
  for (const { at } of installs) {
    assert.ok(Math.abs(Date.parse(at) - during) < 1_000, "the time of the download");
  }
  assert.deepEqual((await it.proxy.refusals()).map(({ code }) => code), ["min_age"]);
  assert.deepEqual((await it.health()).late_records, { waiting: 0, ever: 3 });
  assert.equal(it.events().at(-1), "records_stored");
  const stats = await it.proxy.deps.records.stats("default", {});
  assert.deepEqual([stats.installs, stats.refusals], [2, 1]);
});

Deno.test("allow: a database that only takes nothing in holds no file back", async () => {
  await using it = await setting(ALLOW);
  it.faulty.fail("unwritable");
  assert.equal(await it.status(FILE), 200);
  assert.equal(await it.status(FILE), 200, "from memory, too");
  assert.deepEqual((await it.health()).late_records, { waiting: 2, ever: 2 });
  // It stores them by itself.
  it.faulty.fail(null);
  while ((await it.health()).late_records.waiting > 0) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal((await it.proxy.installs()).length, 2);
});

Deno.test("allow: a commit whose answer was lost is counted once", async () => {
  await using it = await setting(ALLOW);
  it.faulty.fail("flaky");
  for (let i = 0; i < 6; i++) assert.equal(await it.status(FILE), 200);
  it.faulty.fail(null);
  assert.equal(await it.proxy.deps.records.flush(), true);
  assert.equal((await it.proxy.installs()).length, 6);
  assert.equal((await it.proxy.deps.records.stats("default", {})).installs, 6);
});

Deno.test("allow: a silent database is waited for once, not by every request", async () => {
  await using it = await setting(ALLOW);
  assert.equal(await it.status(FILE), 200);
  it.faulty.fail("silent");
  it.proxy.clock.now += FORGOTTEN_MS;
  await it.status(FILE);
  const begin = performance.now();
  for (const path of [INDEX, FILE, INDEX, FILE]) assert.equal(await it.status(path), 200, path);
  assert.ok(performance.now() - begin < 2_000, `${performance.now() - begin} ms`);
});

Deno.test("allow does not last for longer than an hour", async () => {
  await using it = await setting(ALLOW);
  assert.equal(await it.status(INDEX), 200);
  it.faulty.fail("throws");
  it.proxy.clock.now += 59 * 60_000;
  assert.equal(await it.status(INDEX), 200);
  it.proxy.clock.now += 60_000;
  assert.equal(await it.status(INDEX), 503);
  assert.equal(await it.status(FILE), 503);
});

Deno.test("allow: what was never seen, or was not good, stays out", async () => {
  await using it = await setting(ALLOW);
  await it.proxy.deps.policies.replace("strict", { on_store_failure: "deny" }, { by: "test" });
  assert.equal(await it.status(INDEX), 200);
  assert.equal(await it.status("/o-strict/npm/left", {}), 200);
  it.faulty.fail("throws");
  it.proxy.clock.now += FORGOTTEN_MS;
  assert.equal(await it.status("/o-new/npm/left", {}), 503, "an org never asked for");
  assert.equal(await it.status("/o-strict/npm/left", {}), 503, "an org that denies");
  assert.equal(await it.status(INDEX, { authorization: "Bearer pp_unknown" }), 503);
  assert.equal(await it.status(INDEX), 200, "and what allows goes on");
});

Deno.test("allow: a revoked and an expired token are none, and a changed policy counts when the database is back", async () => {
  await using it = await setting(ALLOW);
  const soon = new Date(it.proxy.clock.now + 10_000).toISOString();
  const made = { org: "default", user: "eve", role: "client", expires: soon, by: "test" } as const;
  const { secret } = await it.proxy.deps.tokens.create(made);
  const eve = { authorization: `Bearer ${secret}` };
  assert.deepEqual([await it.status(INDEX), await it.status(INDEX, eve)], [200, 200]);
  await it.proxy.deps.tokens.remove("default", it.token.id, { by: "test" });
  it.faulty.fail("throws");
  it.proxy.clock.now += FORGOTTEN_MS;
  assert.deepEqual([await it.status(INDEX), await it.status(INDEX, eve)], [503, 200]);
  it.proxy.clock.now += FORGOTTEN_MS;
  assert.equal(await it.status(INDEX, eve), 503, "it has expired");
  it.faulty.fail(null);
  await it.proxy.deps.policies.update(
    "default",
    (document) => ({ ...document, auth: "open", on_store_failure: "deny" }),
    { by: "test" },
  );
  assert.equal(await it.status(INDEX, {}), 200);
  it.faulty.fail("throws");
  it.proxy.clock.now += FORGOTTEN_MS;
  assert.equal(await it.status(INDEX, {}), 503);
});

Deno.test("ORGS=closed: an org known before is no stranger while the database fails", async () => {
  const registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0" });
  const faulty = faultyKv();
  await using proxy = await testProxy({
    upstreams: { npm: registry.url },
    wrapKv: faulty.wrap,
    settings: { orgs: "closed" },
    policies: { acme: { on_store_failure: "allow" } },
  });
  const status = async (org: string) => {
    const response = await proxy.fetch(`/o-${org}/npm/left`, { headers: NPM });
    await response.arrayBuffer();
    return response.status;
  };
  assert.deepEqual([await status("acme"), await status("nobody")], [200, 404]);
  faulty.fail("throws");
  proxy.clock.now += FORGOTTEN_MS;
  assert.deepEqual([await status("acme"), await status("nobody")], [200, 503]);
  faulty.fail(null);
  await registry[Symbol.asyncDispose]();
});
