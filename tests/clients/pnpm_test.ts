/** What only pnpm does: since 11 it holds each lockfile entry against its own cooldown first. */
import assert from "node:assert/strict";
import { npmClient } from "./npm_clients.ts";
import { npmWorld } from "./npm_world.ts";
import { assertDone, assertRefused } from "./printed.ts";

const pnpm = npmClient("pnpm");

Deno.test({
  name: `pnpm misses a withheld release of its lockfile, and names it${
    pnpm.missing === null ? "" : ` (skipped: ${pnpm.missing})`
  }`,
  ignore: pnpm.missing !== null,
  async fn() {
    await using world = await npmWorld(pnpm);
    const direct = await world.project(world.registry.url, { files: pnpm.unguarded });
    assertDone(await direct.add("whistle@1.1.0"));
    const project = await world.project(`${world.base}/npm/`, {
      files: {
        "package.json": await direct.read("package.json"),
        "pnpm-lock.yaml": await direct.read("pnpm-lock.yaml"),
      },
    });
    assertRefused(await project.frozen(), [
      "ERR_PNPM_MINIMUM_RELEASE_AGE_VIOLATION",
      "whistle@1.1.0 could not be checked against minimumReleaseAge",
    ]);
    assert.deepEqual(await world.proxy.installs(), []);
  },
});
