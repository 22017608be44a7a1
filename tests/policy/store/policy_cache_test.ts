import assert from "node:assert/strict";
import { StoreUnavailable } from "../../../policy/store/errors.ts";
import { eventually, withPolicies } from "./policies_fixture.ts";

const by = "alice";
const audit = { mode: "audit" };

Deno.test("stale across replicas (artifact-keeper 4e4bc7c2): another process's change counts within 5 s", () =>
  withPolicies(async (world) => {
    const { policies } = world;
    const elsewhere = world.other();
    assert.equal((await elsewhere.get("acme")).mode, "enforce");
    await policies.replace("acme", audit, { by });
    world.now += 5_000;
    assert.equal((await elsewhere.get("acme")).mode, "audit");
    await policies.remove("acme", { by });
    world.now += 5_000;
    assert.equal((await elsewhere.get("acme")).mode, "enforce");
    await policies.replace("default", audit, { by });
    world.now += 5_000;
    assert.equal((await elsewhere.get("acme")).mode, "audit");
  }));

Deno.test("within 2 s KV is not asked again", () =>
  withPolicies(async (world) => {
    await world.policies.get("acme");
    const { get } = world.kv.calls;
    world.now += 1_999;
    await Promise.all(Array.from({ length: 100 }, () => world.policies.get("acme")));
    assert.equal(world.kv.calls.get, get);
  }));

Deno.test("after 2 s KV is asked once, behind the answer", () =>
  withPolicies(async (world) => {
    const { policies, kv } = world;
    const elsewhere = world.other();
    await elsewhere.get("default");
    await policies.replace("default", audit, { by });
    const asked = kv.calls.get;
    world.now += 2_000;
    const answers = await Promise.all(Array.from({ length: 10 }, () => elsewhere.get("default")));
    assert.deepEqual(new Set(answers.map(({ mode }) => mode)), new Set(["enforce"]));
    await eventually(async () => (await elsewhere.get("default")).mode === "audit");
    assert.equal(kv.calls.get, asked + 1);
  }));

Deno.test("many who ask at once share one read", () =>
  withPolicies(async ({ policies, kv }) => {
    await policies.replace("acme", audit, { by });
    await Promise.all(Array.from({ length: 100 }, () => policies.get("nobody")));
    // Two for the replacement and what it replaces, one for `nobody`, one for `default`.
    assert.equal(kv.calls.get, 4);
  }));

Deno.test("an unchanged revision is not compiled again", () =>
  withPolicies(async (world) => {
    await world.policies.replace("acme", audit, { by });
    const elsewhere = world.other();
    const policy = await elsewhere.get("acme");
    world.now += 60_000;
    assert.equal(await elsewhere.get("acme"), policy);
    assert.equal(world.kv.calls.getMany, 1);
  }));

Deno.test("a read that began before a write of this process does not undo it", () =>
  withPolicies(async (world) => {
    const { policies, kv } = world;
    await policies.get("default");
    world.now += 3_000;
    const { promise, resolve } = Promise.withResolvers<void>();
    const real = kv.real.get.bind(kv.real);
    let asked = 0;
    // Answered from before the write, but only after it.
    kv.real.get = async (...args: Parameters<typeof real>) => {
      const first = asked++ === 0;
      const entry = await real(...args);
      if (first) await promise;
      return entry as never;
    };
    await policies.get("default");
    await policies.replace("default", audit, { by });
    resolve();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await policies.get("default")).mode, "audit");
  }));

Deno.test("fails closed: a silent store is waited for until the timeout, then nothing is decided", () =>
  withPolicies(async (world) => {
    const { policies, kv } = world;
    await policies.get("acme");
    const { promise, resolve } = Promise.withResolvers<void>();
    kv.fault = () => promise;
    world.now += 4_999;
    assert.equal((await policies.get("acme")).revision, "builtin");
    world.now += 1;
    await assert.rejects(policies.get("acme"), StoreUnavailable);
    await assert.rejects(policies.has("acme"), StoreUnavailable);
    await assert.rejects(policies.read("acme"), StoreUnavailable);
    await assert.rejects(policies.replace("acme", {}, { by }), StoreUnavailable);
    await assert.rejects(policies.remove("acme", { by }), StoreUnavailable);
    kv.fault = () => {};
    resolve();
    await eventually(() => policies.get("acme").then(() => true, () => false));
  }, { timeoutMs: 30 }));

Deno.test("fails closed: a store that fails decides nothing, and is asked again", () =>
  withPolicies(async ({ policies, kv }) => {
    kv.fault = () => {
      throw new TypeError("connection refused");
    };
    await assert.rejects(policies.get("acme"), StoreUnavailable);
    kv.fault = () => {};
    assert.equal((await policies.get("acme")).revision, "builtin");
  }));

Deno.test("a clock that was set back does not keep old answers", () =>
  withPolicies(async (world) => {
    const elsewhere = world.other();
    await elsewhere.get("default");
    await world.policies.replace("default", audit, { by });
    world.now -= 3_600_000;
    assert.equal((await elsewhere.get("default")).mode, "audit");
  }));
