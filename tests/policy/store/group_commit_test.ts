import assert from "node:assert/strict";
import { StoreUnavailable } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { collect, input, kvCommitting, kvWith, withRecords } from "./records_fixture.ts";

Deno.test("a thousand records at once share a few atomics and all are there", async () => {
  let commits = 0;
  await withRecords(async ({ records }) => {
    await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => records.add("install", input(`npm:p${n}@1.0.0`))),
    );
    assert.ok(commits <= 5, `${commits} atomics`);
    const stored = await collect(records.all("install", { org: "acme" }));
    assert.equal(new Set(stored.map((record) => record.package)).size, 1_000);
    assert.equal((await records.stats("acme", {})).installs, 1_000);
  }, {
    wrap: (kv) =>
      kvCommitting(kv, (commit) => {
        commits++;
        return commit();
      }),
  });
});

Deno.test("records that arrive during a commit go into the next one together", async () => {
  const gate = Promise.withResolvers<void>();
  let commits = 0;
  await withRecords(async ({ records }) => {
    const first = records.add("install", input("npm:a@1.0.0"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const later = Array.from(
      { length: 50 },
      (_, n) => records.add("install", input(`npm:b${n}@1.0.0`)),
    );
    assert.equal(commits, 1);
    gate.resolve();
    await Promise.all([first, ...later]);
    assert.equal(commits, 2);
  }, {
    wrap: (kv) =>
      kvCommitting(kv, async (commit) => {
        if (commits++ === 0) await gate.promise;
        return await commit();
      }),
  });
});

Deno.test("large records are spread over atomics that KV accepts", async () => {
  await withRecords(async ({ records }) => {
    const reason = "ü".repeat(2_000);
    const filename = "f".repeat(10_000);
    const name = "n".repeat(300);
    const all = Array.from({ length: 200 }, (_, n) =>
      records.add(
        "refusal",
        input(`pypi:${name}${n}@1.0`, { verdict: "deny", code: "min_age", reason, filename }),
      ));
    await Promise.all(all);
    assert.equal((await records.stats("acme", {})).refusals, 200);
  });
});

Deno.test("a record is in KV before add resolves", async () => {
  const order: string[] = [];
  await withRecords(async ({ records, kv }) => {
    const added = records.add("install", input("npm:a@1.0.0")).then((record) => {
      order.push("added");
      return record;
    });
    const { id } = await added;
    assert.deepEqual(order, ["committed", "added"]);
    assert.notEqual((await kv.get(keys.record("install", "acme", id))).versionstamp, null);
  }, {
    wrap: (kv) =>
      kvCommitting(kv, async (commit) => {
        const result = await commit();
        order.push("committed");
        return result;
      }),
  });
});

Deno.test("a commit whose answer was lost is not counted twice", async () => {
  let attempts = 0;
  await withRecords(async ({ records }) => {
    await Promise.all([
      records.add("install", input("npm:a@1.0.0")),
      records.add("refusal", input("npm:b@1.0.0", { verdict: "deny", code: "min_age" })),
    ]);
    assert.equal(attempts, 2);
    const stats = await records.stats("acme", {});
    assert.deepEqual([stats.installs, stats.refusals, stats.by_code], [1, 1, { min_age: 1 }]);
    assert.equal((await collect(records.all("install", { org: "acme" }))).length, 1);
  }, {
    wrap: (kv) =>
      kvCommitting(kv, async (commit) => {
        const result = await commit();
        if (attempts++ === 0) throw new Error("connection lost after the commit");
        return result;
      }),
  });
});

Deno.test("a commit that takes effect after its records were stored one by one counts none twice", async () => {
  const gate = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  let commits = 0;
  await withRecords(async ({ records }) => {
    const given = records.add("install", input("npm:given-up@1.0.0"));
    const kept = records.addOrKeep("install", input("npm:kept@1.0.0"));
    await Promise.all([assert.rejects(given, StoreUnavailable), kept]);
    assert.equal(await records.flush(), true);
    gate.resolve();
    await late.promise;
    const stored = await collect(records.all("install", { org: "acme" }));
    assert.deepEqual(stored.map((record) => record.package), ["kept"]);
    assert.equal((await records.stats("acme", {})).installs, 1);
  }, {
    timeoutMs: 300,
    wrap: (kv) =>
      kvCommitting(kv, async (commit) => {
        if (commits++ > 0) return await commit();
        await gate.promise;
        return await commit().finally(late.resolve);
      }),
  });
});

Deno.test("a commit that failed once is repeated", async () => {
  let attempts = 0;
  await withRecords(async ({ records }) => {
    await records.add("install", input("npm:a@1.0.0"));
    assert.equal(attempts, 2);
    assert.equal((await records.stats("acme", {})).installs, 1);
  }, {
    wrap: (kv) =>
      kvCommitting(kv, (commit) => {
        if (attempts++ === 0) return Promise.reject(new Error("database is locked"));
        return commit();
      }),
  });
});

Deno.test("records wait for another process that has the database locked", async () => {
  let attempts = 0;
  await withRecords(async ({ records }) => {
    await Promise.all([
      records.add("install", input("npm:a@1.0.0")),
      records.add("install", input("npm:b@1.0.0")),
    ]);
    assert.equal(attempts, 6);
    assert.equal((await records.stats("acme", {})).installs, 2);
  }, {
    wrap: (kv) =>
      kvCommitting(kv, (commit) => {
        if (attempts++ < 5) return Promise.reject(new TypeError("database is locked"));
        return commit();
      }),
  });
});

Deno.test("a KV that keeps failing rejects every record and stores no part of one", async () => {
  await withRecords(async ({ records, kv }) => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => records.add("install", input(`npm:p${n}@1.0.0`))),
    );
    for (const result of results) {
      assert.equal(result.status, "rejected");
      assert.ok(result.reason instanceof StoreUnavailable);
    }
    assert.deepEqual(await collect(kv.list({ prefix: [] })), []);
  }, { wrap: (kv) => kvCommitting(kv, () => Promise.reject(new Error("disk full"))) });
});

Deno.test("a conflict on an id that is somebody else's rejects the record", async () => {
  await withRecords(async ({ records }) => {
    await assert.rejects(records.add("install", input("npm:a@1.0.0")), StoreUnavailable);
  }, { wrap: (kv) => kvCommitting(kv, () => Promise.resolve({ ok: false })) });
});

Deno.test("a KV that never answers rejects writes and reads in time", async () => {
  const never = new Promise<never>(() => {});
  const started = performance.now();
  await withRecords(async ({ records }) => {
    const late = records.add("install", input("npm:a@1.0.0"));
    await assert.rejects(late, StoreUnavailable);
    await assert.rejects(collect(records.all("install", { org: "acme" })), StoreUnavailable);
    await assert.rejects(records.stats("acme", {}), StoreUnavailable);
    assert.ok(performance.now() - started < 2_000);
  }, {
    timeoutMs: 50,
    wrap: (kv) =>
      kvWith(kvCommitting(kv, () => never), {
        list<T>() {
          const list = kv.list<T>({ prefix: ["nothing"] });
          list.next = () => never;
          return list;
        },
      }),
  });
});

Deno.test("a KV that works again takes records again", async () => {
  let works = false;
  await withRecords(async ({ records }) => {
    await assert.rejects(records.add("install", input("npm:a@1.0.0")), StoreUnavailable);
    works = true;
    await records.add("install", input("npm:b@1.0.0"));
    const stored = await collect(records.all("install", { org: "acme" }));
    assert.deepEqual(stored.map((record) => record.package), ["b"]);
  }, {
    wrap: (kv) =>
      kvCommitting(kv, (commit) => works ? commit() : Promise.reject(new Error("down"))),
  });
});

Deno.test("a name that no key can hold is refused rather than cut", async () => {
  await withRecords(async ({ records }) => {
    for (const name of ["n".repeat(401), "a\0b"]) {
      await assert.rejects(records.add("install", input(`npm:${name}@1.0.0`)), RangeError);
    }
    const filename = "f".repeat(40_000);
    await assert.rejects(records.add("install", input("npm:a@1.0.0", { filename })), RangeError);
    await records.add("install", input("npm:b@1.0.0"));
    assert.equal((await records.stats("acme", {})).installs, 1);
  });
});
