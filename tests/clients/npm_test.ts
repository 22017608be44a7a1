/** What only npm does: audits, look-ups, credentials, and a look at the real registry. */
import assert from "node:assert/strict";
import { ECOSYSTEMS } from "../../ecosystems/mod.ts";
import { DAY, type ProxyOptions, testProxy } from "../proxy.ts";
import { npmClient } from "./npm_clients.ts";
import { type NpmWorld, npmWorld, type Project } from "./npm_world.ts";
import { assertDone, assertRefused } from "./printed.ts";
import { openWorkspace } from "./workspace.ts";

const npm = npmClient("npm");
const skipped = npm.missing === null ? "" : ` (skipped: ${npm.missing})`;

function test(sentence: string, run: (world: NpmWorld) => Promise<void>, options?: ProxyOptions) {
  Deno.test({
    name: `npm ${sentence}${skipped}`,
    ignore: npm.missing !== null,
    async fn() {
      await using world = await npmWorld(npm, options);
      await run(world);
    },
  });
}

const npmIn = (project: Project, ...args: string[]) => project.run([...npm.command, ...args]);

test("audit fix gets the young release that fixes an advisory, and no other", async (world) => {
  const { registry, base, proxy } = world;
  registry.publish({ name: "teapot", version: "1.0.0" });
  registry.publish({ name: "teapot", version: "1.0.1", publishedAt: new Date(Date.now() - DAY) });
  registry.advise("teapot", { vulnerable_versions: "<1.0.1", title: "Leaks at the spout" });
  const project = await world.project(`${base}/npm/`, {
    files: {
      "package.json": JSON.stringify({ dependencies: { teapot: "^1.0.0", whistle: "^1.0.0" } }),
    },
  });
  assertDone(await npmIn(project, "install", "--no-audit"));
  assert.equal(await version(project, "teapot"), "1.0.0");

  const audit = await npmIn(project, "audit");
  assert.equal(audit.code, 1);
  assert.match(audit.text, /Leaks at the spout/);
  assertDone(await npmIn(project, "audit", "fix"));
  assert.equal(await version(project, "teapot"), "1.0.1");
  assert.equal(await version(project, "whistle"), "1.0.0");
  assertRefused(await project.add("whistle@1.1.0"), npm.pinned(base));

  const record = (await proxy.installs()).find(({ purl }) => purl === "pkg:npm/teapot@1.0.1");
  assert.equal(record?.verdict, "allow");
});

test("audit fix leaves a vulnerable package alone where the policy says so", async (world) => {
  const { registry, base } = world;
  registry.publish({ name: "teapot", version: "1.0.0" });
  registry.publish({ name: "teapot", version: "1.0.1", publishedAt: new Date(Date.now() - DAY) });
  registry.advise("teapot", { vulnerable_versions: "<1.0.1" });
  const project = await world.project(`${base}/npm/`);
  assertDone(await project.add("teapot"));
  assert.notEqual((await npmIn(project, "audit", "fix")).code, 0);
  assert.equal(await version(project, "teapot"), "1.0.0");
}, { policy: { rules: { min_age: { audit_override: false } } } });

test("view, dist-tag, ping and search answer by the policy", async (world) => {
  const project = await world.project(`${world.base}/npm/`);
  const view = await npmIn(project, "view", "kettle", "versions", "dist-tags", "--json");
  assertDone(view);
  assert.deepEqual(JSON.parse(view.stdout), {
    "versions": ["1.0.0"],
    "dist-tags": { "latest": "1.0.0" },
  });
  assert.equal((await npmIn(project, "dist-tag", "ls", "kettle")).stdout, "latest: 1.0.0\n");
  assert.match((await npmIn(project, "ping")).text, /PONG/);
  const search = await npmIn(project, "search", "kettle", "--json");
  assertDone(search);
  assert.equal(JSON.parse(search.stdout)[0].name, "kettle");
  assertRefused(await npmIn(project, "view", "nothing-here"), ["E404"]);
});

test("publish is told that the proxy is read-only", async (world) => {
  const secret = await world.proxy.clientToken("default", "bob");
  const project = await world.project(`${world.base}/npm/`, {
    token: secret,
    files: { "package.json": JSON.stringify({ name: "mug", version: "1.0.0" }) },
  });
  assertRefused(await npmIn(project, "publish"), ["E405", "read-only"]);
});

test("is asked for a token in words that it prints", async (world) => {
  const project = await world.project(`${world.base}/npm/`);
  assertRefused(await project.add("kettle"), ["E401"]);
}, { policy: { auth: "token" } });

test("may say who asks by Basic's user name, and must where that is demanded", async (world) => {
  const address = `${world.base}/npm/`;
  const nobody = await world.project(address);
  assertRefused(await nobody.add("kettle"), ["E401"]);
  const credentials = `${address.replace(/^http:/, "")}:_auth=${btoa("alice:")}`;
  const project = await world.project(address, {
    files: { ".npmrc": `registry=${address}\n${credentials}\n` },
  });
  assertDone(await project.add("kettle"));
  const users = (await world.proxy.installs()).map(({ user }) => user);
  assert.deepEqual(users, ["alice", "alice", "alice"]);
}, { policy: { auth: "identify" } });

Deno.test({
  name: "npm installs express from the real registry, with LIVE=1 only",
  ignore: npm.missing !== null || Deno.env.get("LIVE") !== "1",
  async fn() {
    const upstreams = Object.fromEntries(
      await Promise.all(ECOSYSTEMS.map(async (it) => [it.id, await it.defaultUpstream()])),
    );
    await using proxy = await testProxy({ upstreams });
    await using workspace = await openWorkspace();
    const files = npm.config(`${proxy.listen()}/npm/`);
    for (const [path, text] of Object.entries(files)) await workspace.write(path, text);
    await workspace.write("package.json", { name: "app", version: "1.0.0", private: true });
    assertDone(await workspace.run([...npm.command, ...npm.add("express")]));
    const lock = JSON.parse(await workspace.read("package-lock.json"));
    const packages = Object.keys(lock.packages).filter((path) => path !== "");
    assert.ok(packages.length > 20, `${packages.length} packages`);
    assert.equal((await proxy.installs()).length, packages.length);
  },
});

async function version(project: Project, name: string): Promise<string> {
  return JSON.parse(await project.read(`node_modules/${name}/package.json`)).version;
}
