/** Poetry from outside: what it resolves, locks and installs, what it is refused, and what it prints. */
import assert from "node:assert/strict";
import { installed } from "../registry/installed.ts";
import { assertDone, assertRefused } from "./printed.ts";
import { type PypiWorld, pypiWorld, simple } from "./pypi_world.ts";
import type { Workspace } from "./workspace.ts";

const missing = installed("poetry") ? "" : " (skipped: no poetry on PATH)";

function test(sentence: string, run: (world: PypiWorld) => Promise<void>) {
  Deno.test({
    name: `Poetry ${sentence}${missing}`,
    ignore: missing !== "",
    async fn() {
      await using world = await pypiWorld();
      await run(world);
    },
  });
}

/** A project that is pointed at the proxy as the README says. */
async function project(world: PypiWorld): Promise<Workspace> {
  const found = await world.project();
  await found.write(
    "pyproject.toml",
    '[tool.poetry]\nname = "app"\nversion = "0.1.0"\ndescription = ""\nauthors = []\n' +
      '\n[tool.poetry.dependencies]\npython = "^3.8"\n',
  );
  const { text } = await poetry(found, "--version");
  const [major, minor] = (/(\d+)\.(\d+)/.exec(text)?.slice(1) ?? []).map(Number);
  const first = major > 1 || minor >= 5 ? "--priority=primary" : "--default";
  assertDone(await poetry(found, "source", "add", first, "proxy", simple(world.base)));
  return found;
}

function poetry(where: Workspace, ...args: string[]) {
  return where.run(["poetry", "--no-interaction", ...args], {
    POETRY_VIRTUALENVS_IN_PROJECT: "true",
    PYTHON_KEYRING_BACKEND: "keyring.backends.null.Keyring",
  });
}

test("installs old releases by ranges, each on record", async (world) => {
  const where = await project(world);
  assertDone(await poetry(where, "add", "teapot", "saucer"));
  assert.match(await where.read("poetry.lock"), /name = "teapot"\nversion = "1\.0"/);
  const purls = (await world.proxy.installs()).map(({ purl }) => purl);
  assert.deepEqual([...new Set(purls)].sort(), [
    "pkg:pypi/saucer@1.0",
    "pkg:pypi/tea-leaf@1.0",
    "pkg:pypi/teapot@1.0",
  ]);
});

test("is refused a pinned young release, with reason and address printed", async (world) => {
  const where = await project(world);
  assertRefused(await poetry(where, "add", "teapot==1.1"), [
    `403 Client Error: Forbidden for url: ${world.base}/why/pkg:pypi/teapot@1.1?withheld=min_age`,
  ]);
  assert.deepEqual(await world.proxy.installs(), []);
  assert.deepEqual(world.wheels(), []);
});

for (const kind of ["wheel", "sdist"] as const) {
  test(`reads nothing in a ${kind} that is not the one of its index`, async (world) => {
    world.registry.publish({
      name: "strainer",
      version: "1.0",
      files: [kind],
      tamper: true,
      metadata: false,
      dependencies: ["tea-leaf"],
    });
    const where = await project(world);
    assertRefused(await poetry(where, "add", "strainer"), ["file"]);
    assert.ok(!await where.exists("poetry.lock"));
    assert.deepEqual(await world.proxy.installs(), []);
  });
}
