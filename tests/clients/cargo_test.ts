/** cargo from outside: what it builds, what it is refused, and what it prints. */
import assert from "node:assert/strict";
import { DAY, type ProxyOptions, type TestProxy, testProxy } from "../proxy.ts";
import { type CargoRegistry, startCargoRegistry } from "../registry/cargo.ts";
import { installed } from "../registry/installed.ts";
import { assertDone, assertRefused } from "./printed.ts";
import { openWorkspace, type RunResult, type Workspace } from "./workspace.ts";

const missing = installed("cargo") ? null : "no cargo on PATH";

interface World {
  readonly registry: CargoRegistry;
  readonly proxy: TestProxy;
  readonly base: string;
  /** A program that depends on `kettle` in this range, from an index address. */
  project(index: string, range: string, token?: string): Promise<Project>;
}

interface Project extends Workspace {
  cargo(...args: string[]): Promise<RunResult>;
}

function test(sentence: string, run: (world: World) => Promise<void>, options?: ProxyOptions) {
  Deno.test({
    name: `cargo ${sentence}${missing === null ? "" : ` (skipped: ${missing})`}`,
    ignore: missing !== null,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const registry = stack.use(startCargoRegistry({ separate: true }));
      publishTree(registry);
      const proxy = stack.use(await testProxy({ ...options, upstreams: { cargo: registry.url } }));
      const base = proxy.listen();
      await run({
        registry,
        proxy,
        base,
        async project(index, range, token) {
          const workspace = stack.use(await openWorkspace());
          const files = { ...program(range), ".cargo/config.toml": configuration(index, token) };
          for (const [path, text] of Object.entries(files)) await workspace.write(path, text);
          return { ...workspace, cargo: (...args) => workspace.run(["cargo", ...args]) };
        },
      });
    },
  });
}

function publishTree(registry: CargoRegistry): void {
  const young = new Date(Date.now() - 5 * DAY);
  registry.publish({ name: "leaf", version: "0.2.0", lib: 'pub const WORD: &str = "old leaf";' });
  registry.publish({ name: "leaf", version: "0.2.1", publishedAt: young });
  const kettle = {
    name: "kettle",
    dependencies: { leaf: "^0.2" },
    lib: "pub fn word() -> &'static str { leaf::WORD }",
  };
  registry.publish({ ...kettle, version: "1.0.0" });
  registry.publish({ ...kettle, version: "1.1.0", publishedAt: young });
}

function program(range: string): Record<string, string> {
  return {
    "Cargo.toml": `[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n` +
      `[dependencies]\nkettle = "${range}"\n`,
    "src/main.rs": 'fn main() { println!("{}", kettle::word()); }\n',
  };
}

/** As the README gives it: crates.io's place is taken by the proxy. */
function configuration(index: string, token?: string): string {
  return `[source.crates-io]\nreplace-with = "proxy"\n[registries.proxy]\nindex = "${index}"\n` +
    (token === undefined ? "" : `token = "${token}"\n`) +
    `[net]\nretry = 0\n[registry]\nglobal-credential-providers = ["cargo:token"]\n`;
}

const sparse = (base: string) => `sparse+${base}/cargo/`;

test("builds with old releases, each crate on record for org and user", async (world) => {
  const project = await world.project(sparse(`${world.base}/o-acme/u-alice`), "1");
  const result = await project.cargo("run", "--quiet");
  assertDone(result);
  assert.equal(result.stdout, "old leaf\n");
  const records = await world.proxy.installs("acme");
  assert.deepEqual(records.map(({ user, purl }) => `${user} ${purl}`).sort(), [
    "alice pkg:cargo/kettle@1.0.0",
    "alice pkg:cargo/leaf@0.2.0",
  ]);
  assert.equal(downloads(world.registry).length, 2);
});

test("is refused a pinned young release and told which", async (world) => {
  const project = await world.project(sparse(world.base), "=1.1.0");
  assertRefused(await project.cargo("fetch"), [
    'failed to select a version for the requirement `kettle = "=1.1.0"`',
    "version 1.1.0 is yanked",
  ]);
  assert.deepEqual(await world.proxy.installs(), []);
});

test("prints why a young release of Cargo.lock is refused", async (world) => {
  const direct = await world.project(`sparse+${world.registry.url}`, "=1.1.0");
  assertDone(await direct.cargo("generate-lockfile"));
  const project = await world.project(sparse(world.base), "=1.1.0");
  await project.write("Cargo.lock", await direct.read("Cargo.lock"));
  assertRefused(await project.cargo("fetch", "--locked"), [
    "got 403",
    "kettle 1.1.0 is withheld by policy (min_age): published 20",
    `More: ${world.base}/why/pkg:cargo/kettle@1.1.0`,
  ]);
  const refused = (await world.proxy.refusals()).map(({ purl }) => purl);
  assert.ok(refused.includes("pkg:cargo/kettle@1.1.0"), refused.join());
  assert.deepEqual(downloads(world.registry).filter((path) => path.includes("1.1.0")), []);
});

test("builds from Cargo.lock, on record each time", async (world) => {
  const first = await world.project(sparse(world.base), "1");
  assertDone(await first.cargo("generate-lockfile"));
  for (const times of [1, 2]) {
    const project = await world.project(sparse(world.base), "1");
    await project.write("Cargo.lock", await first.read("Cargo.lock"));
    assertDone(await project.cargo("fetch", "--locked"));
    assert.equal((await world.proxy.installs()).length, 2 * times);
  }
});

test("sends its token for index and crates, and gets nothing without", async (world) => {
  const secret = await world.proxy.clientToken("acme", "bob");
  const index = sparse(`${world.base}/o-acme`);
  const nobody = await world.project(index, "1");
  assertRefused(await nobody.cargo("fetch"), ["no token found for `proxy`"]);
  const project = await world.project(index, "1", secret);
  assertDone(await project.cargo("fetch"));
  const users = (await world.proxy.installs("acme")).map(({ user }) => user);
  assert.deepEqual(users, ["bob", "bob"]);
}, { policies: { acme: { auth: "token" } } });

test(
  "says who it is where the org asks for a name, by its token or by the address",
  async (world) => {
    const secret = await world.proxy.clientToken("acme", "bob");
    const byToken = await world.project(sparse(`${world.base}/o-acme`), "1", secret);
    assertDone(await byToken.cargo("fetch"));
    const byAddress = await world.project(sparse(`${world.base}/o-acme/u-alice`), "1");
    assertDone(await byAddress.cargo("fetch"));
    const users = (await world.proxy.installs("acme")).map(({ user }) => user);
    assert.deepEqual(users.sort(), ["alice", "alice", "bob", "bob"]);
  },
  { policies: { acme: { auth: "identify" } } },
);

test("compares a file with its index itself, with `verify: client` too", async (world) => {
  const { files } = world.registry;
  files.fault(/leaf\/0\.2\.0/, { kind: "body", body: "another file" });
  const project = await world.project(sparse(world.base), "1");
  assertRefused(await project.cargo("fetch"), [
    "failed to verify the checksum of `leaf v0.2.0",
  ]);
  assert.ok(!world.proxy.lines.some(({ event }) => event === "broken"));
  files.mend();
  assertDone(await project.cargo("fetch"));
}, { policy: { verify: "client" } });

test("installs and vendors through the proxy, with the settings where the README has them", async (world) => {
  const project = await world.project(sparse(world.base), "1");
  await project.write("../cargo/config.toml", await project.read(".cargo/config.toml"));
  await project.write(".cargo/config.toml", "");
  const install = await project.cargo("install", "--root", "installed", "leaf");
  assert.match(install.text, /nothing to install in `leaf v0\.2\.0`/, "it has no programs");
  assertDone(await project.cargo("vendor", "--respect-source-config"));
  assert.ok(await project.exists("vendor/kettle/Cargo.toml"));
  const records = (await world.proxy.installs()).map(({ purl }) => purl);
  assert.deepEqual(records.sort(), ["pkg:cargo/kettle@1.0.0", "pkg:cargo/leaf@0.2.0"]);
});

test("searches and shows crates by their names", async (world) => {
  const project = await world.project(sparse(world.base), "1");
  const search = await project.cargo("search", "--registry", "proxy", "kettle");
  assertDone(search);
  assert.match(search.stdout, /^kettle = /m);
});

/** Paths of the crates that upstream was asked for. */
function downloads({ files }: CargoRegistry): string[] {
  return files.requests.map(({ path }) => path).filter((path) => path.includes("/download"));
}
