import assert from "node:assert/strict";
import { keys } from "../../../policy/store/keys.ts";
import { checkVersion, migrate, type MigrationStep } from "../../../policy/store/migrations.ts";
import { temporary } from "../../process.ts";
import { countingSteps } from "./migration_steps.ts";

const PROCESS = new URL("migration_process.ts", import.meta.url).pathname;

async function inWorld(
  run: (world: {
    kv: Deno.Kv;
    options: (steps: readonly MigrationStep[]) => Parameters<typeof migrate>[1];
    version: () => Promise<unknown>;
  }) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await run({
      kv,
      options: (steps) => ({ now: Date.now, holder: "test", steps, timeoutMs: 500 }),
      version: async () => (await kv.get(keys.meta("schema"))).value,
    });
  } finally {
    kv.close();
  }
}

async function everything(kv: Deno.Kv): Promise<Deno.KvEntry<unknown>[]> {
  return await Array.fromAsync(kv.list({ prefix: [] }));
}

Deno.test("an empty database gets the current version at once, and no step is taken", () =>
  inWorld(async ({ kv, options, version }) => {
    assert.deepEqual(await migrate(kv, options(countingSteps(3, 1))), { from: 0, to: 4 });
    assert.equal(await version(), 4);
    assert.equal((await everything(kv)).length, 1);
  }));

Deno.test("a database from before there were versions counts as the first", () =>
  inWorld(async ({ kv, options, version }) => {
    await kv.set(keys.policy("acme"), "something");
    assert.deepEqual(await migrate(kv, options([])), { from: 1, to: 1 });
    assert.equal(await version(), 1);
    assert.deepEqual(await migrate(kv, options(countingSteps(2, 3))), { from: 1, to: 3 });
    assert.equal(await version(), 3);
    for (const step of [0, 1]) {
      assert.equal((await kv.get<Deno.KvU64>(["parts", step])).value?.value, 3n);
    }
  }));

Deno.test("the next start takes no step again, and leaves no lease behind", () =>
  inWorld(async ({ kv, options }) => {
    await kv.set(keys.policy("acme"), "something");
    const steps = countingSteps(2, 1);
    await migrate(kv, options(steps));
    const before = await everything(kv);
    assert.deepEqual(await migrate(kv, options(steps)), { from: 3, to: 3 });
    assert.deepEqual(await everything(kv), before);
    assert.equal((await kv.get(keys.lease("migrate"))).value, null);
  }));

Deno.test("a newer version, or what is no version, is refused and nothing changed", () =>
  inWorld(async ({ kv, options }) => {
    for (
      const [stored, message] of [[4, /newer version/], ["2", /cannot be read/], [0, /cannot/]]
    ) {
      await kv.set(keys.meta("schema"), stored);
      const before = await everything(kv);
      await assert.rejects(migrate(kv, options(countingSteps(2, 1))), { message });
      await assert.rejects(checkVersion(kv, { steps: countingSteps(2, 1) }), { message });
      assert.deepEqual(await everything(kv), before);
    }
  }));

Deno.test("programs beside the proxy use its version or an empty database only", () =>
  inWorld(async ({ kv, options }) => {
    const steps = countingSteps(1, 1);
    await checkVersion(kv, { steps });
    assert.equal((await everything(kv)).length, 0);
    await migrate(kv, options([]));
    await assert.rejects(checkVersion(kv, { steps }), /schema 1, this program of 2/);
    await migrate(kv, options(steps));
    await checkVersion(kv, { steps });
  }));

Deno.test("a step that was interrupted is taken again, and what it had done is not", () =>
  inWorld(async ({ kv, options, version }) => {
    await kv.set(keys.meta("schema"), 1);
    const [counting] = countingSteps(1, 4);
    const failing: MigrationStep = {
      what: "fail",
      async run(work) {
        let commits = 0;
        const commit: typeof work.commit = (change) => {
          if (++commits > 3) return Promise.reject(new RangeError("broken"));
          return work.commit(change);
        };
        await counting.run({ ...work, commit });
      },
    };
    await assert.rejects(migrate(kv, options([failing])), RangeError);
    assert.equal(await version(), 1);
    assert.equal((await kv.get<Deno.KvU64>(["parts", 0])).value?.value, 2n);
    assert.deepEqual(await migrate(kv, options([counting])), { from: 1, to: 2 });
    assert.equal((await kv.get<Deno.KvU64>(["parts", 0])).value?.value, 4n);
    assert.equal((await kv.get<Deno.KvU64>(["begun", 0])).value?.value, 2n);
  }));

Deno.test("whoever was overtaken in the middle of a step writes nothing more", () =>
  inWorld(async ({ kv, options, version }) => {
    await kv.set(keys.meta("schema"), 1);
    let wrote: unknown = null;
    const slow: MigrationStep = {
      what: "be slow",
      async run({ commit }) {
        await kv.set(keys.meta("schema"), 2); // another instance has done it
        wrote = await commit((atomic) => void atomic.set(["late"], 1)).catch(String);
        await commit((atomic) => void atomic.set(["late"], 2));
      },
    };
    assert.deepEqual(await migrate(kv, options([slow])), { from: 1, to: 2 });
    assert.match(String(wrote), /another instance took over/);
    assert.equal((await kv.get(["late"])).value, null);
    assert.equal(await version(), 2);
  }));

Deno.test("an instance that finds another at work waits, and gives up after a while", () =>
  inWorld(async ({ kv, options }) => {
    await kv.set(keys.meta("schema"), 1);
    await kv.set(keys.lease("migrate"), { holder: "other", until: Date.now() + 60_000 });
    await assert.rejects(
      migrate(kv, { ...options(countingSteps(1, 1)), patienceMs: 20 }),
      /another instance has been migrating it/,
    );
  }));

Deno.test("two processes that start at once take every step once", async () => {
  await using folder = await temporary();
  const path = folder.file("proxy.sqlite");
  const kv = await Deno.openKv(path);
  await kv.set(keys.meta("schema"), 1);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", PROCESS, path, "3", "30"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  });
  const processes = [command.spawn(), command.spawn()];
  const outputs = processes.map(async (process) => {
    const lines = process.stdout.pipeThrough(new TextDecoderStream());
    let text = "";
    for await (const part of lines) {
      if (text === "") {
        // Both are ready soon after one another, so they begin within milliseconds.
        const writer = process.stdin.getWriter();
        await writer.write(new TextEncoder().encode("\n"));
        await writer.close();
      }
      text += part;
    }
    assert.equal((await process.status).code, 0);
    return JSON.parse(text.replace("ready\n", ""));
  });
  const results = await Promise.all(outputs);
  assert.deepEqual(results.map(({ to }) => to), [4, 4]);
  for (const step of [0, 1, 2]) {
    assert.equal((await kv.get<Deno.KvU64>(["begun", step])).value?.value, 1n, `step ${step}`);
    assert.equal((await kv.get<Deno.KvU64>(["parts", step])).value?.value, 30n, `step ${step}`);
  }
  assert.equal((await kv.get(keys.meta("schema"))).value, 4);
  kv.close();
});
