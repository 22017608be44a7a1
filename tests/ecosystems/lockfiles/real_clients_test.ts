/** Lockfiles as the real clients write them, through the proxy. */
import assert from "node:assert/strict";
import { NPM_CLIENTS, type NpmClient } from "../../clients/npm_clients.ts";
import { npmWorld } from "../../clients/npm_world.ts";
import { assertDone } from "../../clients/printed.ts";
import { openWorkspace } from "../../clients/workspace.ts";
import { testProxy } from "../../proxy.ts";
import { startCargoRegistry } from "../../registry/cargo.ts";
import { installed } from "../../registry/installed.ts";
import { startPypiRegistry } from "../../registry/pypi.ts";
import { purls, read, skipped } from "./reading.ts";

const TREE = ["pkg:npm/%40pottery/cup@1.0.0", "pkg:npm/kettle@1.0.0", "pkg:npm/whistle@1.0.0"];

interface Expected {
  readonly lockfile: string;
  readonly format: RegExp;
  /** What is said of `./saucer`, a folder of the project; deno knows no such dependency. */
  readonly saucer?: RegExp;
  /** How its lockfile is made; default `install`. */
  readonly install?: readonly string[];
  readonly digest: RegExp;
}

const EXPECTED: Readonly<Record<string, Expected>> = {
  npm: {
    lockfile: "package-lock.json",
    format: /^package-lock\.json 3$/,
    saucer: /^saucer is a (?:link|workspace)/,
    digest: /^sha512-/,
  },
  pnpm: {
    lockfile: "pnpm-lock.yaml",
    format: /^pnpm-lock\.yaml 9\.0$/,
    saucer: /^saucer is a (?:file|folder|link)/,
    digest: /^sha512-/,
  },
  "yarn 1": {
    lockfile: "yarn.lock",
    format: /^yarn\.lock 1$/,
    saucer: /^saucer@1\.0\.0 is a file/,
    install: ["install", "--non-interactive"],
    digest: /^sha512-/,
  },
  "yarn 4": {
    lockfile: "yarn.lock",
    format: /^yarn\.lock \d+$/,
    saucer: /^saucer is a file/,
    digest: /^[0-9a-z]+\/[0-9a-f]{128}$/,
  },
  bun: {
    lockfile: "bun.lock",
    format: /^bun\.lock \d$/,
    saucer: /^saucer is a file/,
    digest: /^sha512-/,
  },
  deno: { lockfile: "deno.lock", format: /^deno\.lock 5$/, digest: /^sha512-/ },
};

for (const client of NPM_CLIENTS) {
  const skippedHere = client.missing === null ? "" : ` (skipped: ${client.missing})`;
  Deno.test({
    name: `the lockfile that ${client.name} makes is read${skippedHere}`,
    ignore: client.missing !== null,
    fn: () => readsItsLockfile(client, EXPECTED[client.name]),
  });
}

async function readsItsLockfile(client: NpmClient, expected: Expected): Promise<void> {
  await using world = await npmWorld(client);
  const manifest = {
    name: "app",
    version: "1.0.0",
    private: true,
    dependencies: {
      kettle: "^1.0.0",
      // Another name for a package that is there anyhow.
      mug: "npm:@pottery/cup@^1.0.0",
      ...expected.saucer === undefined ? {} : { saucer: "file:./saucer" },
    },
  };
  const project = await world.project(`${world.base}/npm/`, {
    files: {
      "package.json": JSON.stringify(manifest),
      "saucer/package.json": JSON.stringify({ name: "saucer", version: "1.0.0" }),
      ...client.unguarded,
    },
  });
  assertDone(await project.run([...client.command, ...expected.install ?? ["install"]]));

  const text = await project.read(expected.lockfile);
  // The content alone tells the format.
  const locked = await read(text);
  assert.match(locked.format, expected.format);
  assert.deepEqual(purls(locked), TREE, text);
  if (expected.saucer === undefined) assert.deepEqual(locked.skipped, []);
  else assert.ok(skipped(locked).some((line) => expected.saucer?.test(line)), text);
  const rows = text.split("\n");
  for (const { name, version, location, integrity } of locked.entries) {
    assert.match(integrity ?? "", expected.digest, name);
    const around = rows.slice((location?.line ?? 0) - 1, (location?.line ?? 0) + 1).join("\n");
    assert.ok(around.includes(name) && around.includes(version), `${name}: ${around}`);
  }
}

const noCargo = installed("cargo") ? "" : " (skipped: no cargo on PATH)";

Deno.test({
  name: `the lockfile that cargo makes is read${noCargo}`,
  ignore: noCargo !== "",
  async fn() {
    await using stack = new AsyncDisposableStack();
    const registry = stack.use(startCargoRegistry({ separate: true }));
    registry.publish({ name: "tea_leaf", version: "0.2.0", lib: "pub fn leaf() {}" });
    registry.publish({
      name: "kettle",
      version: "1.0.0",
      dependencies: { tea_leaf: "^0.2" },
      lib: "pub fn word() {}",
    });
    const proxy = stack.use(await testProxy({ upstreams: { cargo: registry.url } }));
    const workspace = stack.use(await openWorkspace());
    const crate = (name: string, dependencies: string) =>
      `[package]\nname = "${name}"\nversion = "0.1.0"\nedition = "2021"\n` +
      `[dependencies]\n${dependencies}\n`;
    const files = {
      "Cargo.toml": crate("app", `kettle = "1"\nsaucer = { path = "saucer" }`),
      "src/main.rs": "fn main() {}\n",
      "saucer/Cargo.toml": crate("saucer", ""),
      "saucer/src/lib.rs": "",
      ".cargo/config.toml": `[source.crates-io]\nreplace-with = "proxy"\n[registries.proxy]\n` +
        `index = "sparse+${proxy.listen()}/cargo/"\n`,
    };
    for (const [path, content] of Object.entries(files)) await workspace.write(path, content);
    assertDone(await workspace.run(["cargo", "generate-lockfile"]));

    const text = await workspace.read("Cargo.lock");
    const locked = await read(text);
    assert.match(locked.format, /^Cargo\.lock [34]$/);
    assert.deepEqual(purls(locked), ["pkg:cargo/kettle@1.0.0", "pkg:cargo/tea_leaf@0.2.0"], text);
    assert.deepEqual(skipped(locked), [
      "app@0.1.0 is a crate of the project",
      "saucer@0.1.0 is a crate of the project",
    ]);
    const rows = text.split("\n");
    for (const { name, location, integrity } of locked.entries) {
      assert.equal(rows[location?.line ?? 0], `name = "${name}"`);
      assert.match(integrity ?? "", /^sha256:[0-9a-f]{64}$/);
    }
  },
});

const noPip = installed("python3") &&
    new Deno.Command("python3", { args: ["-m", "pip", "--version"] }).outputSync().success
  ? ""
  : " (skipped: no pip)";

Deno.test({
  name: `what pip freezes is read${noPip}`,
  ignore: noPip !== "",
  async fn() {
    await using stack = new AsyncDisposableStack();
    const registry = stack.use(startPypiRegistry());
    registry.publish({ name: "Tea_Pot", version: "1.0", dependencies: ["tea-leaf>=1"] });
    registry.publish({ name: "tea-leaf", version: "1.0" });
    const proxy = stack.use(await testProxy({ upstreams: { pypi: registry.index } }));
    const workspace = stack.use(await openWorkspace());
    const pip = ["python3", "-m", "pip"];
    const index = ["--index-url", `${proxy.listen()}/pypi/simple/`, "--retries", "0"];
    assertDone(await workspace.run([...pip, "install", "--target", "lib", ...index, "tea-pot"]));
    const frozen = await workspace.run([...pip, "freeze", "--path", "lib"]);
    assertDone(frozen);

    const locked = await read(frozen.stdout);
    assert.equal(locked.format, "requirements.txt");
    assert.deepEqual(purls(locked), ["pkg:pypi/tea-leaf@1.0", "pkg:pypi/tea-pot@1.0"]);
    assert.deepEqual(locked.skipped, []);
  },
});
