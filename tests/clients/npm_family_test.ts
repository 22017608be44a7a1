/** Each npm-family client from outside: what it installs, what it is refused, and what it prints. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { DAY } from "../proxy.ts";
import { NPM_CLIENTS, type NpmClient } from "./npm_clients.ts";
import { type NpmWorld, npmWorld, type Project } from "./npm_world.ts";
import { assertDone, assertRefused } from "./printed.ts";

const TREE = ["pkg:npm/%40pottery/cup@1.0.0", "pkg:npm/kettle@1.0.0", "pkg:npm/whistle@1.0.0"];
const TREE_FILES = [
  "/@pottery/cup/-/cup-1.0.0.tgz",
  "/kettle/-/kettle-1.0.0.tgz",
  "/whistle/-/whistle-1.0.0.tgz",
];

for (const client of NPM_CLIENTS) {
  const skipped = client.missing === null ? "" : ` (skipped: ${client.missing})`;
  const test = (sentence: string, run: (world: NpmWorld) => Promise<void>, options = {}) =>
    Deno.test({
      name: `${client.name} ${sentence}${skipped}`,
      ignore: client.missing !== null,
      async fn() {
        await using world = await npmWorld(client, options);
        await run(world);
      },
    });

  test("installs a tree of old releases, each file on record for its user", async (world) => {
    const project = await world.project(`${world.base}/o-acme/u-alice/npm/`);
    assertDone(await project.add("kettle"));
    await assertTree(project);
    assert.deepEqual(world.fetched(), TREE_FILES);
    const records = await world.proxy.installs("acme");
    assert.deepEqual(records.map((record) => record.purl).sort(), TREE);
    for (const { org, user, ecosystem, verdict } of records) {
      assert.deepEqual([org, user, ecosystem, verdict], ["acme", "alice", "npm", "allow"]);
    }
    assert.deepEqual(await world.proxy.installs(), []);
  });

  test("gets an older release for `latest` while the newest is young", async (world) => {
    const project = await world.project(`${world.base}/npm/`);
    assertDone(await project.add("kettle@latest"));
    await assertTree(project);
  });

  test("installs a scoped package by a range without its young release", async (world) => {
    const project = await world.project(`${world.base}/npm/`);
    assertDone(await project.add("@pottery/cup@^1.0.0"));
    assert.equal(load(project, "@pottery/cup"), "@pottery/cup@1.0.0");
    assert.deepEqual((await world.proxy.installs()).map(({ purl }) => purl), [TREE[0]]);
  });

  test("is refused a pinned young release and says so", async (world) => {
    const project = await world.project(`${world.base}/npm/`);
    assertRefused(await project.add("whistle@1.1.0"), client.pinned(world.base));
    assert.deepEqual(world.fetched(), []);
  });

  test("is refused the file of a young release that a lockfile names", async (world) => {
    const lock = await lockedDirectly(client, world, "whistle@1.1.0");
    const before = world.fetched();
    const project = await world.project(`${world.base}/npm/`, {
      files: { ...lock, ...client.unguarded },
    });
    assertRefused(await project.frozen(), client.file(world.base));
    assert.equal(await project.exists("node_modules/whistle/index.js"), false);
    assert.deepEqual(await world.proxy.installs(), []);
    const refusals = await world.proxy.refusals();
    assert.deepEqual([...new Set(refusals.map(({ purl }) => purl))], ["pkg:npm/whistle@1.1.0"]);
    assert.equal(refusals[0].code, "min_age");
    assert.deepEqual(world.fetched(), before);
  });

  test("installs from a lockfile of the public registry, on record each time", async (world) => {
    const lock = await lockedDirectly(client, world, "@pottery/cup@1.0.0");
    world.registry.requests.splice(0);
    for (const time of [1, 2]) {
      const project = await world.project(`${world.base}/npm/`, { files: lock });
      assertDone(await project.frozen());
      assert.equal(load(project, "@pottery/cup"), "@pottery/cup@1.0.0");
      const records = await world.proxy.installs();
      assert.deepEqual(records.map(({ purl }) => purl), Array(time).fill(TREE[0]));
      assert.deepEqual(world.fetched(), [TREE_FILES[0]]);
    }
  });

  test("sends its token for indexes and files, and gets nothing without one", async (world) => {
    const secret = await world.proxy.clientToken("acme", "bob");
    const address = `${world.base}/o-acme/npm/`;
    const nobody = await world.project(address);
    assertRefused(await nobody.add("kettle"), []);
    assert.deepEqual(world.registry.requests, []);
    const project = await world.project(address, { token: secret });
    assertDone(await project.add("kettle"));
    await assertTree(project);
    const records = await world.proxy.installs("acme");
    assert.deepEqual(records.map(({ user, purl }) => `${user} ${purl}`).sort(), [
      `bob ${TREE[0]}`,
      `bob ${TREE[1]}`,
      `bob ${TREE[2]}`,
    ]);
  }, { policies: { acme: { auth: "token" } } });

  test("gets a release once it is old enough, whatever the client has cached", async (world) => {
    const project = await world.project(`${world.base}/npm/`);
    assertDone(await project.add("kettle"));
    await assertTree(project);
    world.proxy.clock.now += 6 * DAY;
    assertDone(await project.add("kettle@1.1.0"));
    const { version } = JSON.parse(await project.read("node_modules/kettle/package.json"));
    assert.equal(version, "1.1.0");
  });

  test("follows a redirect to the upstream's file, on record all the same", async (world) => {
    const project = await world.project(`${world.base}/npm/`);
    assertDone(await project.add("kettle"));
    await assertTree(project);
    const records = await world.proxy.installs();
    assert.deepEqual([...new Set(records.map(({ purl }) => purl))].sort(), TREE);
  }, { policy: { downloads: "redirect" } });

  const itself = client.mismatch === null ? "does not compare" : "compares";
  test(
    `${itself} a file with its index, and gets no other with \`verify: client\` either`,
    async (world) => {
      const { registry, base, proxy } = world;
      const { tarball } = registry.publish({ name: "other", version: "9.0.0" });
      registry.fault(/cup-1\.0\.0\.tgz$/, { kind: "body", body: tarball });
      // npm and pnpm try again after ten seconds and a minute.
      const once = { npm_config_fetch_retries: "0", pnpm_config_fetch_retries: "0" };
      const direct = await world.project(registry.url, { files: client.unguarded });
      const taken = await direct.add("@pottery/cup@1.0.0", once);
      if (client.mismatch === null) assertDone(taken);
      else assertRefused(taken, client.mismatch);

      const project = await world.project(`${base}/npm/`);
      assertRefused(await project.add("@pottery/cup@1.0.0", once), client.mismatch ?? []);
      const broken = proxy.lines.some(({ event }) => event === "broken");
      assert.equal(broken, client.mismatch === null, "the proxy compares for those who do not");
      registry.mend();
      assertDone(await project.add("@pottery/cup@1.0.0", once));
      assert.equal(load(project, "@pottery/cup"), "@pottery/cup@1.0.0");
    },
    { policy: { verify: "client" } },
  );

  test("installs a package named like a page of the proxy from the root", async (world) => {
    world.registry.publish({ name: "health", version: "1.0.0" });
    const project = await world.project(`${world.base}/`);
    assertDone(await project.add("health"));
    assert.equal(load(project, "health"), "health@1.0.0");
  });
}

/** The files of a project that was installed without the proxy, now with the proxy's addresses. */
async function lockedDirectly(client: NpmClient, world: NpmWorld, spec: string) {
  const project = await world.project(world.registry.url, { files: client.unguarded });
  assertDone(await project.add(spec));
  const lock = await project.read(client.lockfile);
  return {
    "package.json": await project.read("package.json"),
    [client.lockfile]: lock.replaceAll(world.registry.url, `${world.base}/npm/`),
  };
}

async function assertTree(project: Project): Promise<void> {
  assert.deepEqual(load(project, "kettle"), [
    "kettle@1.0.0",
    "whistle@1.0.0",
    "@pottery/cup@1.0.0",
  ]);
  assert.ok(await project.exists("node_modules/.bin/kettle"));
}

/** What the installed package exports. */
function load(project: Project, name: string): unknown {
  return createRequire(join(project.project, "package.json"))(name);
}
