/** uv from outside: what it installs and locks, what it is refused, and what it prints. */
import assert from "node:assert/strict";
import type { ProxyOptions } from "../proxy.ts";
import { installed } from "../registry/installed.ts";
import { assertDone, assertRefused } from "./printed.ts";
import { type PypiWorld, pypiWorld, simple } from "./pypi_world.ts";
import type { RunResult, Workspace } from "./workspace.ts";

const missing = ["uv", "python3"].filter((program) => !installed(program));

function test(sentence: string, run: (world: PypiWorld) => Promise<void>, options?: ProxyOptions) {
  Deno.test({
    name: `uv ${sentence}${missing.length === 0 ? "" : ` (skipped: no ${missing} on PATH)`}`,
    ignore: missing.length > 0,
    async fn() {
      await using world = await pypiWorld(options);
      await run(world);
    },
  });
}

/** A project that is pointed at an index as the README says. */
async function project(world: PypiWorld, index: string, requirement?: string): Promise<Workspace> {
  const found = await world.project();
  await found.write("uv.toml", `[[index]]\nname = "proxy"\nurl = "${index}"\ndefault = true\n`);
  await found.write(
    "pyproject.toml",
    '[project]\nname = "app"\nversion = "0.1"\nrequires-python = ">=3.8"\n' +
      `dependencies = [${requirement === undefined ? "" : JSON.stringify(requirement)}]\n`,
  );
  return found;
}

const uv = (where: Workspace, ...args: string[]) => where.run(["uv", ...args]);

/** Without a lockfile, and so without any digest to compare with. */
function install(where: Workspace, ...args: string[]): Promise<RunResult> {
  return uv(where, "pip", "install", "--no-config", "--target", "target", ...args);
}

test("installs old releases by ranges, each wheel on record", async (world) => {
  const where = await project(world, simple(`${world.base}/o-acme/u-bob`), "teapot>=1");
  assertDone(await uv(where, "sync"));
  const records = await world.proxy.installs("acme");
  assert.deepEqual(records.map(({ user, purl }) => `${user} ${purl}`).sort(), [
    "bob pkg:pypi/tea-leaf@1.0",
    "bob pkg:pypi/teapot@1.0",
  ]);
  assert.equal(world.wheels().length, 2);
});

test("says why nothing in a range is left", async (world) => {
  const where = await project(world, simple(world.base), "tea-leaf>1.0");
  assertRefused(await uv(where, "lock"), ["tea-leaf==1.5 was yanked (reason: min_age: published"]);
});

test("is refused a pinned young release, with package and reason printed", async (world) => {
  const where = await project(world, simple(world.base), "tea-leaf==1.5");
  assertRefused(await uv(where, "sync"), ["403", "tea-leaf", "min_age"]);
  assert.deepEqual(await world.proxy.installs(), []);
  assert.deepEqual(world.wheels(), []);
});

test("is refused a young release of its lockfile", async (world) => {
  const where = await project(world, world.registry.index, "tea-leaf==1.5");
  assertDone(await uv(where, "lock"));
  const lock = (await where.read("uv.lock")).replaceAll(world.registry.index, simple(world.base))
    .replaceAll(world.registry.url, `${world.base}/pypi/`);
  await where.write("uv.lock", lock);
  assertRefused(await uv(where, "sync", "--frozen"), ["403", "tea-leaf", "min_age"]);
  assert.deepEqual(await world.proxy.installs(), []);
});

test("installs from its lockfile", async (world) => {
  const where = await project(world, simple(world.base), "teapot");
  assertDone(await uv(where, "lock"));
  assertDone(await uv(where, "sync", "--frozen", "--no-cache"));
  assert.equal((await world.proxy.installs()).length, 2);
});

test("builds from a source archive", async (world) => {
  const where = await project(world, simple(world.base), "saucer");
  assertDone(await uv(where, "sync"));
  // It may fetch a source archive for its metadata, and once more to build it.
  const names = (await world.proxy.installs()).map(({ filename }) => filename);
  assert.deepEqual([...new Set(names)], ["saucer-1.0.tar.gz"]);
});

for (const kind of ["wheel", "sdist"] as const) {
  test(`unpacks no ${kind} that is not the one of its index`, async (world) => {
    world.registry.publish({ name: "strainer", version: "1.0", files: [kind], tamper: true });
    const where = await world.project();
    assertRefused(await install(where, "--index-url", simple(world.base), "strainer"), [
      "Failed to",
    ]);
    assert.ok(!await where.exists("target/strainer"));
    assert.deepEqual(await world.proxy.installs(), []);
    assert.ok(world.proxy.lines.some(({ event }) => event === "broken"));
    assertDone(await install(where, "--index-url", simple(world.base), "saucer", "teapot"));
  });
}

test("signs in with the index's token, and gets nothing without", async (world) => {
  const secret = await world.proxy.clientToken("acme", "bob");
  const where = await project(world, simple(`${world.base}/o-acme`), "tea-leaf");
  assertRefused(await uv(where, "sync"), ["401"]);
  assert.deepEqual(world.registry.requests, []);
  const named = { UV_INDEX_PROXY_USERNAME: "token", UV_INDEX_PROXY_PASSWORD: secret };
  assertDone(await where.run(["uv", "sync"], named));
  assert.deepEqual((await world.proxy.installs("acme")).map(({ user }) => user), ["bob"]);
}, { policies: { acme: { auth: "token" } } });
