import assert from "node:assert/strict";
import { StoreUnavailable } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { type Lease, type LeaseOptions, withLease } from "../../../policy/store/leases.ts";
import { kvWith, START } from "./records_fixture.ts";

async function inWorld(
  run: (world: {
    kv: Deno.Kv;
    clock: { now: number };
    options: (holder: string, ms?: number) => LeaseOptions;
  }) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  try {
    await run({
      kv,
      clock,
      options: (holder, ms = 60_000) => ({ now: () => clock.now, holder, ms, timeoutMs: 500 }),
    });
  } finally {
    kv.close();
  }
}

const JOB = "job";

Deno.test("one of many who ask at once does the work", () =>
  inWorld(async ({ kv, options }) => {
    let atWork = 0;
    let most = 0;
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        withLease(kv, JOB, options(`instance ${i}`), async () => {
          most = Math.max(most, ++atWork);
          await new Promise((resolve) => setTimeout(resolve, 20));
          atWork--;
          return i;
        })),
    );
    assert.equal(most, 1);
    assert.equal(results.filter((result) => result !== null).length, 1);
  }));

Deno.test("a lease is free again after the work, also where the work failed", () =>
  inWorld(async ({ kv, options }) => {
    await assert.rejects(
      withLease(kv, JOB, options("a"), () => Promise.reject(new RangeError("broken"))),
      RangeError,
    );
    assert.deepEqual(await withLease(kv, JOB, options("b"), () => Promise.resolve(7)), {
      value: 7,
    });
    assert.equal((await kv.get(keys.lease(JOB))).value, null);
  }));

Deno.test("work of another name goes on meanwhile", () =>
  inWorld(async ({ kv, options }) => {
    const inner = await withLease(
      kv,
      JOB,
      options("a"),
      () => withLease(kv, "other", options("a"), () => Promise.resolve("done")),
    );
    assert.deepEqual(inner, { value: { value: "done" } });
  }));

Deno.test("even the same holder does not work twice at once", () =>
  inWorld(async ({ kv, options }) => {
    const inner = await withLease(
      kv,
      JOB,
      options("a"),
      () => withLease(kv, JOB, options("a"), () => Promise.resolve("twice")),
    );
    assert.deepEqual(inner, { value: null });
  }));

Deno.test("the lease of an instance that vanished is free when its time is over, not before", () =>
  inWorld(async ({ kv, clock, options }) => {
    await kv.set(keys.lease(JOB), { holder: "vanished", until: START + 60_000 });
    const take = () => withLease(kv, JOB, options("b"), () => Promise.resolve("mine"));
    clock.now = START + 59_999;
    assert.equal(await take(), null);
    clock.now = START + 60_000;
    assert.deepEqual(await take(), { value: "mine" });
  }));

Deno.test("what cannot be read as a lease, or reaches too far, holds nobody up", () =>
  inWorld(async ({ kv, options }) => {
    for (const stored of ["nonsense", { holder: "clock gone mad", until: START * 2 }]) {
      await kv.set(keys.lease(JOB), stored);
      const taken = await withLease(kv, JOB, options("b"), () => Promise.resolve("mine"));
      assert.deepEqual(taken, { value: "mine" });
    }
  }));

Deno.test("a lease is renewed while the work lasts", () =>
  inWorld(async ({ kv, clock, options }) => {
    const result = await withLease(kv, JOB, options("a", 90), async ({ signal }) => {
      for (let i = 0; i < 6; i++) {
        await new Promise((resolve) => setTimeout(resolve, 45));
        clock.now += 45;
      }
      const other = await withLease(kv, JOB, options("b", 90), () => Promise.resolve("b"));
      return { other, lost: signal.aborted };
    });
    assert.deepEqual(result, { value: { other: null, lost: false } });
  }));

Deno.test("who loses the lease is told, and does not take it from the next", () =>
  inWorld(async ({ kv, clock, options }) => {
    let lost: Lease["signal"] | undefined;
    await withLease(kv, JOB, options("a", 60), async ({ signal }) => {
      lost = signal;
      await kv.set(keys.lease(JOB), { holder: "b", until: clock.now + 1_000 });
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    });
    assert.equal(lost?.aborted, true);
    assert.deepEqual((await kv.get(keys.lease(JOB))).value, {
      holder: "b",
      until: clock.now + 1_000,
    });
  }));

Deno.test("a database that does not answer is no lease", () =>
  inWorld(async ({ kv, options }) => {
    const silent = kvWith(kv, { get: () => new Promise(() => {}) });
    await assert.rejects(
      withLease(silent, JOB, { ...options("a"), timeoutMs: 20 }, () => Promise.resolve()),
      StoreUnavailable,
    );
  }));
