import assert from "node:assert/strict";
import { keys } from "../../../policy/store/keys.ts";
import { DAY, input, kvListing, START, withRecords } from "./records_fixture.ts";

const RETENTION = 30 * DAY;

Deno.test("the sweep removes every counter past the retention, however many, and no other", async () => {
  await withRecords(async ({ kv, records, clock }) => {
    for (let i = 0; i < 1_201; i++) {
      const day = i % 2 === 0 ? "2025-01-01" : "2025-06-01";
      const key = keys.counter(`org-${i}`, day, "install", "ecosystem", "npm");
      await kv.set(key, new Deno.KvU64(1n));
    }
    await records.add("install", input("npm:lodash@4.17.21"));
    clock.now = START + RETENTION - DAY;
    await records.add("install", input("npm:lodash@4.17.20"));
    assert.equal(await records.sweep(), 1_201);
    assert.equal(await records.sweep(), 0);
    assert.equal((await records.stats("acme", {})).installs, 2);
    clock.now = START + RETENTION + DAY;
    assert.equal(await records.sweep(), 1);
    assert.equal((await records.stats("acme", {})).installs, 1);
  }, { retentionMs: RETENTION });
});

Deno.test("the sweep reads what it removes, and next to nothing of what stays", async () => {
  let read = 0;
  const counting = (kv: Deno.Kv) => kvListing(kv, () => read++);
  await withRecords(async ({ kv, records }) => {
    const count = (org: string, ago: number) => {
      const day = new Date(START - ago * DAY).toISOString().slice(0, 10);
      return kv.set(keys.counter(org, day, "install", "ecosystem", "npm"), new Deno.KvU64(1n));
    };
    for (const org of ["acme", "acme-2", "globex"]) {
      for (let ago = 0; ago <= 30; ago++) await count(org, ago);
    }
    await count("acme-2", 31);
    assert.equal(await records.sweep(), 1);
    assert.equal(read, 3 + 1, "each org once, and what is old");
    assert.equal((await records.stats("acme-2", {})).installs, 31);
  }, { retentionMs: RETENTION, wrap: counting });
});

Deno.test("what is no counter is counted as nothing", async () => {
  await withRecords(async ({ kv, records }) => {
    await records.add("install", input("npm:lodash@4.17.21"));
    await kv.set(keys.counter("acme", "2026-11-01", "install", "ecosystem", "text"), "7");
    await kv.set(["counter", "acme", "2026-11-01", "elsewhere", "ecosystem", "npm"], 7);
    await kv.set(["counter", "acme", "2026-11-01", "install", 7, "npm"], new Deno.KvU64(7n));
    const stats = await records.stats("acme", {});
    assert.deepEqual(stats.by_ecosystem, { npm: { installs: 1, refusals: 0 } });
    assert.deepEqual(stats.by_day, { "2026-11-01": { installs: 1, refusals: 0 } });
  });
});
