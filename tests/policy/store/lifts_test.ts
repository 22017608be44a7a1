import assert from "node:assert/strict";
import { StoreUnavailable } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { openLifts } from "../../../policy/store/lifts.ts";
import type { Lifts } from "../../../policy/store/types.ts";
import type { Release } from "../../../policy/types.ts";
import { DAY, kvCommitting, kvWith, schemes, START } from "./records_fixture.ts";

const CLIENT = { org: "acme", user: "alice", ip: "10.0.0.1" };

function release(name: string, version: string, ecosystem = "npm"): Release {
  return {
    ecosystem,
    name,
    version,
    publishedAt: null,
    yanked: false,
    trust: null,
    installScripts: null,
    files: [],
  };
}

async function withLifts(
  run: (world: { lifts: Lifts; kv: Deno.Kv; clock: { now: number } }) => Promise<void>,
  wrap: (kv: Deno.Kv) => Deno.Kv = (kv) => kv,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  const lifts = openLifts(wrap(kv), { schemes, now: () => clock.now, timeoutMs: 50 });
  try {
    await run({ lifts, kv, clock });
  } finally {
    kv.close();
  }
}

Deno.test("a lift holds for the package's versions outside every vulnerable range", async () => {
  await withLifts(async ({ lifts }) => {
    await lifts.add(CLIENT, [
      { name: "lodash", vulnerable: ["<4.17.12", ">=5.0.0 <5.0.3"] },
      { name: "minimist", vulnerable: ["<1.2.6"] },
    ]);
    const lift = await lifts.find(CLIENT);
    assert.ok(lift);
    const cases: [Release, boolean][] = [
      [release("lodash", "4.17.12"), true],
      [release("lodash", "5.0.3"), true],
      [release("lodash", "4.17.11"), false],
      [release("lodash", "5.0.0"), false],
      [release("lodash", "5.0.1-rc.1"), false],
      [release("lodash", "not a version"), false],
      [release("minimist", "1.2.6"), true],
      [release("express", "4.0.0"), false],
      [release("lodash", "4.17.12", "pypi"), false],
    ];
    for (const [one, expected] of cases) {
      assert.equal(lift(one), expected, `${one.ecosystem} ${one.name} ${one.version}`);
    }
  });
});

Deno.test("a lift is for that org, user and address alone", async () => {
  await withLifts(async ({ lifts }) => {
    await lifts.add(CLIENT, [{ name: "lodash", vulnerable: ["<4.17.12"] }]);
    for (const other of [{ org: "other" }, { user: "bob" }, { ip: "10.0.0.2" }]) {
      assert.equal(await lifts.find({ ...CLIENT, ...other }), null);
    }
  });
});

Deno.test("a lift ends after a minute, also one that is in somebody's hand", async () => {
  await withLifts(async ({ lifts, clock }) => {
    await lifts.add(CLIENT, [{ name: "lodash", vulnerable: ["<4.17.12"] }]);
    clock.now += 59_999;
    const lift = await lifts.find(CLIENT);
    assert.ok(lift?.(release("lodash", "4.17.12")));
    clock.now += 1;
    assert.equal(lift?.(release("lodash", "4.17.12")), false);
    assert.equal(await lifts.find(CLIENT), null);
  });
});

Deno.test("a lift made while a clock was ahead does not last until then", async () => {
  await withLifts(async ({ lifts, clock }) => {
    clock.now += 3600_000;
    await lifts.add(CLIENT, [{ name: "lodash", vulnerable: ["<4.17.12"] }]);
    const lift = await lifts.find(CLIENT);
    assert.ok(lift?.(release("lodash", "4.17.12")));
    clock.now -= 3600_000;
    assert.equal(lift?.(release("lodash", "4.17.12")), false);
    assert.equal(await lifts.find(CLIENT), null);
    // The clocks of two machines are never quite the same.
    await lifts.add(CLIENT, [{ name: "lodash", vulnerable: ["<4.17.12"] }]);
    clock.now -= 2_000;
    assert.ok((await lifts.find(CLIENT))?.(release("lodash", "4.17.12")));
  });
});

Deno.test("a range that cannot be read, or none at all, lifts nothing of its package", async () => {
  await withLifts(async ({ lifts }) => {
    await lifts.add(CLIENT, [
      { name: "a", vulnerable: ["<1.0.0", "no range"] },
      { name: "b", vulnerable: [] },
      { name: "c", vulnerable: ["<1.0.0"] },
      { name: "in-parts", vulnerable: ["2.0.0, <1.0.0"] },
    ]);
    const lift = await lifts.find(CLIENT);
    assert.ok(lift);
    assert.deepEqual(["a", "b", "in-parts", "c"].map((name) => lift(release(name, "2.0.0"))), [
      false,
      false,
      false,
      true,
    ]);
  });
});

Deno.test("answers of one minute add up, each with its own end", async () => {
  await withLifts(async ({ lifts, clock }) => {
    await lifts.add(CLIENT, [{ name: "a", vulnerable: ["<1.0.0"] }]);
    clock.now += 30_000;
    await lifts.add(CLIENT, [{ name: "a", vulnerable: ["<3.0.0"] }, {
      name: "b",
      vulnerable: ["<1.0.0"],
    }]);
    const versions = ["1.0.0", "2.0.0", "3.0.0"];
    const lift = await lifts.find(CLIENT);
    assert.deepEqual(versions.map((version) => lift?.(release("a", version))), [
      false,
      false,
      true,
    ]);
    clock.now += 30_000;
    const later = await lifts.find(CLIENT);
    assert.equal(later?.(release("a", "2.0.0")), false);
    assert.equal(later?.(release("b", "2.0.0")), true);
  });
});

Deno.test("the same answer again and again takes no more room", async () => {
  await withLifts(async ({ lifts, kv }) => {
    for (let n = 0; n < 50; n++) {
      await lifts.add(CLIENT, [{ name: "a", vulnerable: ["<1.0.0"] }]);
    }
    const { value } = await kv.get<unknown[]>(keys.lift("acme", "alice", "10.0.0.1"));
    assert.equal(value?.length, 1);
  });
});

Deno.test("answers too large for KV lift less, and a package's ranges stay together", async () => {
  await withLifts(async ({ lifts }) => {
    const many = Array.from({ length: 3_000 }, (_, n) => ({
      name: `p${n}`,
      vulnerable: ["<1.0.0", ">=2.0.0 <2.0.1"],
    }));
    await lifts.add(CLIENT, many);
    await lifts.add(CLIENT, [{ name: "last", vulnerable: ["<1.0.0"] }]);
    const lift = await lifts.find(CLIENT);
    assert.ok(lift);
    assert.ok(lift(release("last", "1.0.0")));
    const lifted = many.filter(({ name }) => lift(release(name, "1.0.0"))).length;
    assert.ok(lifted > 0 && lifted < 3_000, `${lifted}`);
    assert.ok(!many.some(({ name }) => lift(release(name, "2.0.0"))));
  });
});

Deno.test("KV is asked at most once a second for one client", async () => {
  let reads = 0;
  await withLifts(async ({ lifts, clock }) => {
    await Promise.all(Array.from({ length: 100 }, () => lifts.find(CLIENT)));
    assert.equal(reads, 1);
    clock.now += 1_000;
    await lifts.find(CLIENT);
    assert.equal(reads, 2);
    await lifts.add(CLIENT, [{ name: "a", vulnerable: ["<1.0.0"] }]);
    assert.ok(await lifts.find(CLIENT), "what this process adds counts at once");
  }, (kv) =>
    kvWith(kv, {
      get(key) {
        reads++;
        return kv.get(key);
      },
    }));
});

Deno.test("another process sees a lift within a second", async () => {
  await withLifts(async ({ lifts, kv, clock }) => {
    const other = openLifts(kv, { schemes, now: () => clock.now });
    assert.equal(await other.find(CLIENT), null);
    await lifts.add(CLIENT, [{ name: "a", vulnerable: ["<1.0.0"] }]);
    clock.now += 1_000;
    assert.ok((await other.find(CLIENT))?.(release("a", "1.0.0")));
  });
});

Deno.test("a KV that fails or is silent lifts nothing, and says so to whoever adds", async () => {
  const ways: (() => Promise<never>)[] = [
    () => Promise.reject(new Error("down")),
    () => new Promise<never>(() => {}),
  ];
  for (const fail of ways) {
    await withLifts(async ({ lifts }) => {
      assert.equal(await lifts.find(CLIENT), null);
      const added = lifts.add(CLIENT, [{ name: "a", vulnerable: ["<1.0.0"] }]);
      await assert.rejects(added, StoreUnavailable);
    }, (kv) => kvWith(kvCommitting(kv, fail), { get: fail }));
  }
});

Deno.test("what does not read as lifts, lifts nothing", async () => {
  for (
    const value of [7, "x", {}, [{ name: "a" }], [{ name: "a", vulnerable: "<1", expires: 9e15 }]]
  ) {
    await withLifts(async ({ lifts, kv }) => {
      await kv.set(keys.lift("acme", "alice", "10.0.0.1"), value);
      assert.equal(await lifts.find(CLIENT), null);
    });
  }
});

Deno.test("a client whose names no key can hold has no lifts", async () => {
  await withLifts(async ({ lifts }) => {
    const client = { ...CLIENT, ip: "1".repeat(3_000) };
    await lifts.add(client, [{ name: "a", vulnerable: ["<1.0.0"] }]);
    assert.equal(await lifts.find(client), null);
  });
});

Deno.test("what a clock ahead has dated is not lifted until that clock is caught up with", () =>
  withLifts(async ({ lifts, kv, clock }) => {
    await lifts.add(CLIENT, [{ name: "lodash", vulnerable: ["<4.17.12"] }]);
    assert.notEqual(await lifts.find(CLIENT), null);
    clock.now -= 30 * DAY;
    assert.equal(await openLifts(kv, { schemes, now: () => clock.now }).find(CLIENT), null);
    clock.now += 30 * DAY - 5_000;
    assert.notEqual(await openLifts(kv, { schemes, now: () => clock.now }).find(CLIENT), null);
  }));
