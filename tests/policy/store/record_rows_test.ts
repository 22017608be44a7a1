import assert from "node:assert/strict";
import { keys } from "../../../policy/store/keys.ts";
import type { PackageRow, RecordQuery, Records, UserRow } from "../../../policy/store/types.ts";
import {
  collect,
  DAY,
  input,
  kvListing,
  START,
  withRecords,
  type World,
} from "./records_fixture.ts";

async function fill({ records, clock }: World): Promise<void> {
  const add = async (release: string, user: string) => {
    await records.add("install", input(release, { user }));
    clock.now += 1_000;
  };
  await add("npm:lodash@4.17.9", "alice");
  await add("npm:lodash@4.17.21", "bob");
  await add("npm:lodash@4.17.9", "bob");
  await add("npm:lodash@4.17.10", "");
  await add("cargo:serde_json@1.0.0", "alice");
  await add("pypi:Foo_Bar@1.0", "carol");
  await add("npm:lodash@4.17.9", "alice");
}

async function packagesBy(records: Records, limit: number, query = {}): Promise<PackageRow[]> {
  return await paged((page) => records.packages({ org: "acme", ...query }, page), limit);
}

async function paged<T>(
  list: (
    page: { limit: number; cursor?: string },
  ) => Promise<{ items: readonly T[]; cursor: string | null }>,
  limit: number,
): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await list({ limit, cursor });
    assert.ok(page.items.length <= limit);
    rows.push(...page.items);
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return rows;
}

Deno.test("packages: each version once, with count, first and last install and users", async () => {
  await withRecords(async (world) => {
    await fill(world);
    const rows = await packagesBy(world.records, 100);
    assert.deepEqual(rows.map((row) => `${row.ecosystem} ${row.package}@${row.version}`), [
      "cargo serde_json@1.0.0",
      "npm lodash@4.17.21",
      "npm lodash@4.17.10",
      "npm lodash@4.17.9",
      "pypi Foo_Bar@1.0",
    ]);
    assert.deepEqual(rows[3], {
      ecosystem: "npm",
      package: "lodash",
      version: "4.17.9",
      purl: "pkg:npm/lodash@4.17.9",
      count: 3,
      first: new Date(START).toISOString(),
      last: new Date(START + 6_000).toISOString(),
      users: ["alice", "bob"],
    });
    assert.deepEqual(rows[2].users, []);
    for (const limit of [1, 2, 3, 5]) {
      assert.deepEqual(await packagesBy(world.records, limit), rows, `pages of ${limit}`);
    }
  });
});

Deno.test("packages: filters", async () => {
  await withRecords(async (world) => {
    await fill(world);
    const cases: [Omit<RecordQuery, "org">, string[]][] = [
      [{ ecosystem: "pypi" }, ["Foo_Bar@1.0"]],
      [{ package: "foo-bar" }, ["Foo_Bar@1.0"]],
      [{ package: "*o*" }, [
        "serde_json@1.0.0",
        "lodash@4.17.21",
        "lodash@4.17.10",
        "lodash@4.17.9",
        "Foo_Bar@1.0",
      ]],
      [{ user: "bob" }, ["lodash@4.17.21", "lodash@4.17.9"]],
      [{ package: "lodash", version: "<4.17.21" }, ["lodash@4.17.10", "lodash@4.17.9"]],
      [{ until: START + 1_000 }, ["lodash@4.17.9"]],
      [{ since: START + 5_000 }, ["lodash@4.17.9", "Foo_Bar@1.0"]],
    ];
    for (const [query, expected] of cases) {
      for (const limit of [1, 10]) {
        const rows = await packagesBy(world.records, limit, query);
        const names = rows.map((row) => `${row.package}@${row.version}`);
        assert.deepEqual(names, expected, JSON.stringify(query));
      }
    }
    const [row] = await packagesBy(world.records, 10, { user: "bob", version: "4.17.9" });
    assert.deepEqual([row.count, row.users], [1, ["bob"]]);
  });
});

Deno.test("users: each once, with what they installed", async () => {
  await withRecords(async (world) => {
    await fill(world);
    const usersBy = (limit: number, query = {}): Promise<UserRow[]> =>
      paged((page) => world.records.users({ org: "acme", ...query }, page), limit);
    const rows = await usersBy(10);
    assert.deepEqual(rows, [
      {
        user: "alice",
        count: 3,
        packages: 2,
        first: new Date(START).toISOString(),
        last: new Date(START + 6_000).toISOString(),
      },
      {
        user: "bob",
        count: 2,
        packages: 1,
        first: new Date(START + 1_000).toISOString(),
        last: new Date(START + 2_000).toISOString(),
      },
      {
        user: "carol",
        count: 1,
        packages: 1,
        first: new Date(START + 5_000).toISOString(),
        last: new Date(START + 5_000).toISOString(),
      },
    ]);
    for (const limit of [1, 2, 3]) assert.deepEqual(await usersBy(limit), rows);
    const names = async (query: Omit<RecordQuery, "org">) =>
      (await usersBy(1, query)).map((row) => row.user);
    assert.deepEqual(await names({ package: "lodash" }), ["alice", "bob"]);
    assert.deepEqual(await names({ package: "lodash", version: ">4.17.9" }), ["bob"]);
    assert.deepEqual(await names({ user: "carol" }), ["carol"]);
    assert.deepEqual(await names({ user: "" }), []);
    assert.deepEqual(await names({ since: START + 3_000 }), ["alice", "carol"]);
  });
});

Deno.test("the users of a package are found among its installs, not among all there are", async () => {
  let read = 0;
  const counting = (kv: Deno.Kv) => kvListing(kv, () => read++);
  await withRecords(async (world) => {
    await fill(world);
    const { records } = world;
    for (let i = 0; i < 40; i++) await records.add("install", input(`npm:other-${i}@1.0.0`));
    for (const limit of [1, 2, 10]) {
      read = 0;
      const users = await paged(
        (page) => records.users({ org: "acme", package: "lodash" }, page),
        limit,
      );
      assert.deepEqual(users.map((row) => [row.user, row.count, row.packages]), [
        ["alice", 2, 1],
        ["bob", 2, 1],
      ]);
      assert.ok(read <= 5 * users.length, `${read} entries read`);
    }
  }, { wrap: counting });
});

Deno.test("stats add up by ecosystem, by day and by code", async () => {
  await withRecords(async ({ records, clock }) => {
    const refused = (release: string, code: string) =>
      records.add("refusal", input(release, { verdict: "deny", code, bytes: 0 }));
    await records.add("install", input("npm:a@1.0.0"));
    await records.add("install", input("npm:a@1.0.0", { verdict: "warn", code: "min_age" }));
    await refused("npm:a@1.0.0", "min_age");
    clock.now += DAY;
    await records.add("install", input("pypi:b@1.0.0"));
    await refused("npm:a@1.0.0", "min_age");
    await refused("cargo:c@1.0.0", "blocked");
    assert.deepEqual(await records.stats("acme", {}), {
      installs: 3,
      refusals: 3,
      by_ecosystem: {
        npm: { installs: 2, refusals: 2 },
        pypi: { installs: 1, refusals: 0 },
        cargo: { installs: 0, refusals: 1 },
      },
      by_day: {
        "2026-11-01": { installs: 2, refusals: 1 },
        "2026-11-02": { installs: 1, refusals: 2 },
      },
      by_code: { min_age: 2, blocked: 1 },
    });
    const days = async (range: { since?: number; until?: number }) =>
      Object.keys((await records.stats("acme", range)).by_day);
    const midnight = Date.parse("2026-11-02T00:00:00Z");
    assert.deepEqual(await days({ since: midnight }), ["2026-11-02"]);
    assert.deepEqual(await days({ since: midnight - 1 }), ["2026-11-01", "2026-11-02"]);
    assert.deepEqual(await days({ until: midnight }), ["2026-11-01"]);
    assert.deepEqual(await days({ until: midnight + 1 }), ["2026-11-01", "2026-11-02"]);
    assert.deepEqual(await days({ since: midnight, until: midnight }), []);
    assert.equal((await records.stats("other", {})).installs, 0);
  });
});

Deno.test("sweep removes the counters of days before the retention, of every org", async () => {
  await withRecords(async ({ records, kv, clock }) => {
    await records.add("install", input("npm:a@1.0.0"));
    await records.add("install", input("npm:a@1.0.0", { org: "other" }));
    clock.now += 2 * DAY;
    await records.add("install", input("npm:a@1.0.0"));
    clock.now = START + 10 * DAY;
    assert.equal(await records.sweep(), 0);
    clock.now = START + 11 * DAY;
    assert.deepEqual(Object.keys((await records.stats("acme", {})).by_day), ["2026-11-03"]);
    assert.equal(await records.sweep(), 2);
    assert.equal(await records.sweep(), 0);
    assert.equal((await collect(kv.list({ prefix: keys.allCounters() }))).length, 1);
  }, { retentionMs: 10 * DAY });
});
