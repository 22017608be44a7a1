/** `new_dependency` end to end: the age of other packages is asked of their own registry. */
import assert from "node:assert/strict";
import { DAY, testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const NPM = { "user-agent": "npm/12.0.0", accept: "application/json" };
const off = { level: "off" };
const rules = (more: Record<string, unknown> = {}) => ({
  min_age: { level: "off" },
  malware: off,
  new_dependency: { level: "deny", ...more },
});

async function setting(document: Record<string, unknown> = { rules: rules() }) {
  const npm = startNpmRegistry();
  const proxy = await testProxy({ upstreams: { npm: npm.url }, policy: document });
  const ago = (days: number) => new Date(proxy.clock.now - days * DAY);
  npm.publish({ name: "axios", version: "1.14.0", dependencies: { old: "1" } });
  npm.publish({
    name: "axios",
    version: "1.14.1",
    publishedAt: ago(0.1),
    dependencies: { old: "1", young: "1" },
  });
  npm.publish({ name: "old", version: "1.0.0" });
  npm.publish({ name: "young", version: "1.0.0", publishedAt: ago(1) });
  return {
    npm,
    proxy,
    async versions(name = "axios"): Promise<string[]> {
      const response = await proxy.fetch(`/npm/${name}`, { headers: NPM });
      const body = await response.json();
      return response.status === 200 ? Object.keys(body.versions) : [`${response.status}`];
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await npm[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a release that adds a young package is withheld, and its file refused, until that is old", async () => {
  await using it = await setting();
  assert.deepEqual(await it.versions(), ["1.14.0"]);
  const refused = await it.proxy.fetch("/npm/axios/-/axios-1.14.1.tgz", { headers: NPM });
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("policy-decision") ?? "", /^deny; code=new_dependency; until="/);
  await refused.body?.cancel();
  it.proxy.clock.now += 9 * DAY;
  assert.deepEqual(await it.versions(), ["1.14.0", "1.14.1"]);
});

Deno.test("only added dependencies are asked for, and not at every request", async () => {
  await using it = await setting();
  for (let i = 0; i < 3; i++) await it.versions();
  const asked = it.npm.requests.map(({ path }) => path).filter((path) => path !== "/axios");
  assert.deepEqual(asked, ["/young"]);
});

Deno.test("without the dependency's age the setting decides", async () => {
  for (const [unknown, kept] of [["allow", ["1.14.0", "1.14.1"]], ["deny", ["1.14.0"]]] as const) {
    await using it = await setting({ rules: rules({ unknown }) });
    it.npm.fault(/^\/young/, { kind: "status", status: 503 });
    assert.deepEqual(await it.versions(), kept, unknown);
  }
});

Deno.test("a silent registry keeps a client waiting for two seconds at most", async () => {
  await using it = await setting({ rules: rules({ unknown: "deny" }) });
  it.npm.fault(/^\/young/, { kind: "stall" });
  const begun = performance.now();
  assert.deepEqual(await it.versions(), ["1.14.0"]);
  const waited = performance.now() - begun;
  assert.ok(waited > 1_500 && waited < 3_500, `${waited} ms`);
  await it.npm[Symbol.asyncDispose]();
});

Deno.test("a package of a private registry counts as ours, and nobody else is asked about it", async () => {
  await using own = startNpmRegistry();
  await using it = await setting({
    rules: rules({ unknown: "deny" }),
    registries: [{ ecosystem: "npm", packages: "pkg:npm/young", url: own.url }],
  });
  assert.deepEqual(await it.versions(), ["1.14.0", "1.14.1"]);
  assert.ok(!it.npm.requests.some(({ path }) => path === "/young"));
});

Deno.test("a young package is not hidden among more dependencies than are asked about", async () => {
  await using it = await setting();
  const many = Array.from({ length: 51 }, (_, i) => `old-${i}`);
  for (const name of many) it.npm.publish({ name, version: "1.0.0" });
  const dependencies = Object.fromEntries([...many, "young"].map((name) => [name, "1"]));
  const publishedAt = new Date(it.proxy.clock.now - DAY);
  it.npm.publish({ name: "padded", version: "1.0.0" });
  it.npm.publish({ name: "padded", version: "1.0.1", publishedAt, dependencies });
  assert.deepEqual(await it.versions("padded"), ["1.0.0"]);
  assert.ok(it.npm.requests.length < 60, `${it.npm.requests.length} requests`);
  delete dependencies.young;
  delete dependencies["old-50"];
  it.npm.publish({ name: "broad", version: "1.0.0" });
  it.npm.publish({ name: "broad", version: "1.0.1", publishedAt, dependencies });
  assert.deepEqual(await it.versions("broad"), ["1.0.0", "1.0.1"]);
});

Deno.test("cargo's index states dependencies too", async () => {
  await using cargo = startCargoRegistry();
  await using proxy = await testProxy({
    upstreams: { cargo: cargo.url },
    policy: { rules: rules() },
  });
  const ago = (days: number) => new Date(proxy.clock.now - days * DAY);
  cargo.publish({ name: "arrayref", version: "0.3.9", publishedAt: ago(900) });
  cargo.publish({
    name: "arrayref",
    version: "0.3.10",
    publishedAt: ago(0.1),
    dependencies: { "proc-macro1": "^1" },
  });
  cargo.publish({ name: "proc-macro1", version: "1.0.0", publishedAt: ago(1) });
  const status = async (version: string) => {
    const response = await proxy.fetch(`/cargo/crates/arrayref/${version}/download`);
    await response.arrayBuffer();
    return response.status;
  };
  assert.deepEqual([await status("0.3.9"), await status("0.3.10")], [200, 403]);
});
