import assert from "node:assert/strict";
import { AdvisoryStore } from "../../../policy/store/advisories.ts";
import { PreconditionFailed, StoreUnavailable } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { advisory, malware } from "../advisories/fixture.ts";
import { kvCommitting } from "./records_fixture.ts";

/** Versions that compress badly. */
function versions(count: number): string[] {
  return Array.from({ length: count }, () => crypto.getRandomValues(new Uint8Array(20)).toHex());
}

const answer = (at: number, count = 1) => ({
  at,
  ids: [{ id: "MAL-2026-1", modified: "2026-01-01T00:00:00Z" }],
  list: [malware(...versions(count)), advisory({ versions: versions(count) })],
});

Deno.test("what was stored is read, small or in pieces", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  assert.equal(await store.read("npm", "some"), null);
  for (const count of [1, 8_000, 2]) {
    const given = answer(count, count);
    await store.write("npm", "some", given);
    assert.deepEqual(await store.read("npm", "some"), given);
  }
  assert.equal(await store.read("pypi", "some"), null);
});

Deno.test("pieces of different answers, and what is no piece, are no answer", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  await store.write("npm", "some", answer(1, 8_000));
  const second = keys.advisories("npm", "some", 1);
  const { value } = await kv.get<Record<string, unknown>>(second);
  assert.ok(value, "it has a second piece");
  for (const other of [{ ...value, at: 2 }, null, "x", { ...value, data: "x" }]) {
    await kv.set(second, other);
    assert.equal(await store.read("npm", "some"), null);
  }
  await kv.delete(second);
  assert.equal(await store.read("npm", "some"), null);
  const first = keys.advisories("npm", "some", 0);
  await kv.set(first, { at: 1, pieces: 1, data: new TextEncoder().encode("no deflated JSON") });
  assert.equal(await store.read("npm", "some"), null);
});

Deno.test("what is larger than KV's atomics is not kept, and harms nothing", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  const before = answer(1);
  await store.write("npm", "some", before);
  await store.write("npm", "some", answer(2, 40_000));
  assert.deepEqual(await store.read("npm", "some"), before);
});

Deno.test("when OSV last answered is remembered", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  assert.equal(await store.lastAnswer(), null);
  await store.noteAnswer(5);
  assert.equal(await store.lastAnswer(), 5);
});

Deno.test("an import counts from the moment it is complete, and leaves nothing of those before", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  const many = new Map(
    Array.from({ length: 1_000 }, (_, i) => [`p${i}`, [malware(`1.0.${i}`)]] as const),
  );
  const first = await store.replaceBulk("npm", many, { at: 1, now: 10 });
  assert.deepEqual(await store.bulk("npm"), first);
  assert.equal(first.packages, 1_000);
  const found = await store.imported("npm", "p999");
  assert.deepEqual(found?.head, first);
  assert.deepEqual(found?.answer?.list[0].versions, ["1.0.999"]);
  assert.deepEqual(await store.imported("npm", "q"), { head: first, answer: null });
  assert.equal(await store.imported("pypi", "p999"), null);
  const second = await store.replaceBulk("npm", new Map(), { at: 2, now: 20 });
  assert.deepEqual(await store.bulk("npm"), second);
  assert.deepEqual(await store.imported("npm", "p999"), { head: second, answer: null });
  assert.equal((await Array.fromAsync(kv.list({ prefix: keys.bulkOf("npm") }))).length, 0);
});

Deno.test("an import waits for others that have the database locked, and leaves them room", async () => {
  using kv = await Deno.openKv(":memory:");
  let commits = 0;
  let failures = 0;
  let under = 0;
  const store = new AdvisoryStore(kvCommitting(kv, async (commit) => {
    assert.equal(++under, 1, "one at a time");
    try {
      if (failures++ < 3) throw new TypeError("database is locked");
      commits++;
      return await commit();
    } finally {
      under--;
    }
  }));
  const packages = new Map(Array.from({ length: 1_000 }, (_, i) => [`p${i}`, [malware("1")]]));
  const head = await store.replaceBulk("npm", packages, { at: 1, now: 2 });
  assert.equal(head.packages, 1_000);
  assert.ok(commits >= 5, `${commits} commits`);
  assert.equal((await store.imported("npm", "p999"))?.answer?.list.length, 1);
});

/** KV that waits for its turn before it reads or writes. */
function inTurn(kv: Deno.Kv, turn: () => Promise<void>): Deno.Kv {
  const wrap = <T extends object>(target: T, waiting: readonly PropertyKey[]): T =>
    new Proxy(target, {
      get(_, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (waiting.includes(name)) return turn().then(() => value.apply(target, args));
          const result = value.apply(target, args);
          if (name === "atomic") return wrap(result, ["commit"]);
          return result === target ? wrap(target, waiting) : result;
        };
      },
    });
  return wrap(kv, ["get", "getMany", "set"]);
}

/** An import that takes so many turns as it is told to, and then waits. */
function stepwise(kv: Deno.Kv, version: string, now: number) {
  let left = 0;
  let stopped = () => {};
  let resume = () => {};
  const turn = () => {
    if (left-- > 0) return Promise.resolve();
    stopped();
    return new Promise<void>((resolve) => resume = resolve);
  };
  const store = new AdvisoryStore(inTurn(kv, turn));
  const packages = new Map([["some", [malware(version)]], [version, [malware(version)]]]);
  /** The generation that was imported; null: another one was. */
  const outcome = turn().then(() => store.replaceBulk("npm", packages, { at: 1, now }))
    .then(({ generation }) => generation, (error) => {
      assert.ok(error instanceof PreconditionFailed, String(error));
      return null;
    });
  return {
    outcome,
    async take(turns: number) {
      if (turns === 0) return;
      const stop = new Promise<void>((resolve) => stopped = resolve);
      left = turns - 1;
      resume();
      await Promise.race([stop, outcome]);
    },
  };
}

Deno.test("of two imports at the same time one counts, as a whole, and leaves nothing of the other", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  const piece = { at: 1, pieces: 1, data: new TextEncoder().encode("an old one") };
  for (let turns = 0; turns < 10; turns++) {
    for (let others = 0; others < 8; others++) {
      for (const from of [0, 300]) {
        const atomic = kv.atomic();
        for (let i = from; i < from + 300; i++) {
          atomic.set(keys.bulkAdvisories("npm", "0", `p${i}`, 0), piece);
        }
        await atomic.commit();
      }
      const one = stepwise(kv, "1.0.0", 1);
      const other = stepwise(kv, "2.0.0", 2);
      await one.take(turns);
      await other.take(others);
      await one.take(Infinity);
      await other.take(Infinity);
      const what = `${turns} turns of one, then ${others} of the other`;
      const head = await store.bulk("npm");
      assert.ok(head !== null, what);
      assert.ok([await one.outcome, await other.outcome].includes(head.generation), what);
      const left = await Array.fromAsync(kv.list({ prefix: keys.bulkOf("npm") }));
      assert.deepEqual(left.map(({ key }) => key[2]), [head.generation, head.generation], what);
      const markers = await Array.fromAsync(kv.list({ prefix: keys.bulksWriting("npm") }));
      assert.equal(markers.length, 0, what);
    }
  }
});

Deno.test("an import that was broken off is swept away by the next", async () => {
  using kv = await Deno.openKv(":memory:");
  const packages = new Map(
    Array.from({ length: 500 }, (_, i) => [`p${i}`, [malware("1.0.0")]] as const),
  );
  let commits = 0;
  const broken = inTurn(kv, () => {
    if (++commits > 3) return Promise.reject(new TypeError("the process was killed"));
    return Promise.resolve();
  });
  const options = { at: 1, now: 1 };
  await assert.rejects(new AdvisoryStore(broken).replaceBulk("npm", packages, options));
  const entries = () => Array.fromAsync(kv.list({ prefix: keys.bulkOf("npm") }));
  assert.equal((await entries()).length, 200);
  const store = new AdvisoryStore(kv);
  assert.equal(await store.imported("npm", "p0"), null, "half an import is none");
  await store.replaceBulk("npm", new Map([["p1", [malware("1.0.0")]]]), options);
  assert.equal((await entries()).length, 1);
});

Deno.test("packages of very long names are imported like others", async () => {
  using kv = await Deno.openKv(":memory:");
  const names = Array.from({ length: 500 }, (_, i) => `${"ж".repeat(200)}${i}`);
  const store = new AdvisoryStore(kv);
  const packages = new Map(names.map((name) => [name, [malware("1.0.0")]]));
  await store.replaceBulk("npm", packages, { at: 1, now: 1 });
  assert.ok((await store.imported("npm", names[499]))?.answer);
});

Deno.test("what another import has just replaced is looked up in that one", async () => {
  using kv = await Deno.openKv(":memory:");
  const plain = new AdvisoryStore(kv);
  const many = versions(8_000);
  const lists = [["1.0.0"], many, ["2.0.0"], many.toReversed(), ["3.0.0"]];
  let reads = 0;
  let turn = 0;
  const load = async () => {
    turn++;
    const list = [malware(...lists[turn % lists.length])];
    await plain.replaceBulk("npm", new Map([["some", list]]), { at: turn, now: turn });
  };
  const interrupted = new Proxy(kv, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name !== "getMany") return typeof value === "function" ? value.bind(target) : value;
      return async (...args: unknown[]) => {
        // Between the head and the package, and between a package's pieces.
        if (reads-- > 0) await load();
        return await value.apply(target, args);
      };
    },
  });
  const store = new AdvisoryStore(interrupted);
  for (let first = 0; first < lists.length; first++) {
    for (const times of [0, 1, 2]) {
      turn = first;
      await load();
      reads = times;
      const found = await store.imported("npm", "some");
      const { generation } = found!.head;
      assert.equal(generation, (await plain.bulk("npm"))?.generation, `${first} ${times}`);
      assert.deepEqual(found?.answer?.list[0].versions, lists[turn % lists.length]);
    }
  }
  reads = Infinity;
  await assert.rejects(store.imported("npm", "some"), StoreUnavailable);
});

Deno.test("an import that cannot be read is not one without advisories", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  const packages = new Map([["some", [malware(...versions(8_000))]]]);
  const { generation } = await store.replaceBulk("npm", packages, { at: 1, now: 1 });
  const piece = (i: number) => keys.bulkAdvisories("npm", generation, "some", i);
  for (const broken of [piece(1), piece(0)]) {
    await kv.set(broken, "x");
    await assert.rejects(store.imported("npm", "some"), StoreUnavailable);
  }
  assert.equal((await store.imported("npm", "other"))?.answer, null);
  await kv.set(keys.advisoryBulk("npm"), { generation });
  await assert.rejects(store.bulk("npm"), StoreUnavailable);
  await assert.rejects(store.imported("npm", "other"), StoreUnavailable);
});

Deno.test("a store that fails is said to fail", async () => {
  const kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  kv.close();
  await assert.rejects(store.read("npm", "some"), StoreUnavailable);
  await assert.rejects(store.write("npm", "some", answer(1)), StoreUnavailable);
  await assert.rejects(store.lastAnswer(), StoreUnavailable);
  await assert.rejects(store.bulk("npm"), StoreUnavailable);
});
