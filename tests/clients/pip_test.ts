/** pip from outside: what it installs, what it is refused, and what it prints. */
import assert from "node:assert/strict";
import type { ProxyOptions } from "../proxy.ts";
import { installed } from "../registry/installed.ts";
import { assertDone, assertRefused } from "./printed.ts";
import { type PypiWorld, pypiWorld, simple } from "./pypi_world.ts";
import type { RunResult, Workspace } from "./workspace.ts";

const PIP = ["python3", "-m", "pip"];
const missing = whyMissing();

function test(sentence: string, run: (world: PypiWorld) => Promise<void>, options?: ProxyOptions) {
  Deno.test({
    name: `pip ${sentence}${missing === null ? "" : ` (skipped: ${missing})`}`,
    ignore: missing !== null,
    async fn() {
      await using world = await pypiWorld(options);
      await run(world);
    },
  });
}

/** `pip install` into the project's folder `target`. */
function install(project: Workspace, ...args: string[]): Promise<RunResult> {
  return project.run([...PIP, "install", "--target", "target", "--retries", "0", ...args]);
}

const index = (base: string) => ["--index-url", simple(base)];

test("installs old releases by ranges, each wheel on record for its user", async (world) => {
  const project = await world.project();
  const address = world.base.replace("http://", "http://alice@");
  const result = await install(project, ...index(address), "teapot>=1");
  assertDone(result);
  assert.match(result.text, /Successfully installed tea-leaf-1\.0 teapot-1\.0/i);
  assert.match(await project.read("target/teapot/__init__.py"), /"1\.0"/);
  const records = await world.proxy.installs();
  assert.deepEqual(records.map(({ user, purl }) => `${user} ${purl}`).sort(), [
    "alice pkg:pypi/tea-leaf@1.0",
    "alice pkg:pypi/teapot@1.0",
  ]);
  assert.equal(world.wheels().length, 2);
});

test("is recorded for the org and user of its address", async (world) => {
  const project = await world.project();
  assertDone(await install(project, ...index(`${world.base}/o-acme/u-bob`), "tea_leaf"));
  const [record, ...rest] = await world.proxy.installs("acme");
  assert.deepEqual([record.user, record.filename], ["bob", "tea_leaf-1.0-py3-none-any.whl"]);
  assert.deepEqual(rest, []);
});

test("is refused a pinned young release, with reason and address printed", async (world) => {
  const project = await world.project();
  const result = await install(project, ...index(world.base), "teapot==1.1");
  assertRefused(result, [
    "403",
    `for url: ${world.base}/why/pkg:pypi/teapot@1.1?withheld=min_age`,
  ]);
  assert.deepEqual(await world.proxy.installs(), []);
  assert.deepEqual(world.wheels(), []);
});

test("with --require-hashes is refused the file of a young release", async (world) => {
  const project = await world.project();
  const [young] = world.registry.files("tea-leaf").filter((file) => file.filename.includes("1.5"));
  await project.write("requirements.txt", `tea-leaf==1.5 --hash=sha256:${young.sha256}\n`);
  const required = ["--require-hashes", "-r", "requirements.txt"];
  assertRefused(await install(project, ...index(world.base), ...required), [
    `${world.base}/why/pkg:pypi/tea-leaf@1.5?withheld=min_age`,
  ]);
  const refusals = await world.proxy.refusals();
  assert.ok(refusals.length > 0);
  for (const { purl, code } of refusals) {
    assert.deepEqual([purl, code], ["pkg:pypi/tea-leaf@1.5", "min_age"]);
  }
});

test("with --require-hashes installs old releases", async (world) => {
  const project = await world.project();
  const lines = ["teapot", "tea-leaf"].map((name) => {
    const [file] = world.registry.files(name);
    return `${name}==1.0 --hash=sha256:${file.sha256}\n`;
  });
  await project.write("requirements.txt", lines.join(""));
  const required = ["--require-hashes", "-r", "requirements.txt"];
  assertDone(await install(project, ...index(world.base), ...required));
  assert.equal((await world.proxy.installs()).length, 2);
});

test("compares a file with its index itself, with `verify: client` too", async (world) => {
  world.registry.publish({ name: "strainer", version: "1.0", tamper: true });
  const project = await world.project();
  assertRefused(await install(project, ...index(world.base), "strainer"), [
    "THESE PACKAGES DO NOT MATCH THE HASHES",
  ]);
  assert.ok(!world.proxy.lines.some(({ event }) => event === "broken"));
  assertDone(await install(project, ...index(world.base), "tea-leaf"));
}, { policy: { verify: "client" } });

test("builds from a source archive", async (world) => {
  const project = await world.project();
  assertDone(await install(project, ...index(world.base), "saucer"));
  assert.match(await project.read("target/saucer/__init__.py"), /"1\.0"/);
  const names = (await world.proxy.installs()).map(({ filename }) => filename);
  assert.deepEqual(names, ["saucer-1.0.tar.gz"]);
});

test("signs in with a token as the password, and gets nothing without", async (world) => {
  const secret = await world.proxy.clientToken("acme", "bob");
  const project = await world.project();
  const address = `${world.base}/o-acme`;
  assertRefused(await install(project, "--no-input", ...index(address), "tea-leaf"), []);
  assert.deepEqual(world.registry.requests, []);
  const signed = address.replace("http://", `http://bob:${secret}@`);
  assertDone(await install(project, ...index(signed), "tea-leaf"));
  assert.deepEqual((await world.proxy.installs("acme")).map(({ user }) => user), ["bob"]);
}, { policies: { acme: { auth: "token" } } });

function whyMissing(): string | null {
  if (!installed("python3")) return "no python3 on PATH";
  const { success } = new Deno.Command("python3", { args: ["-m", "pip", "--version"] })
    .outputSync();
  return success ? null : "python3 has no pip";
}
