import assert from "node:assert/strict";
import { CursorInvalid } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { openRecords } from "../../../policy/store/records.ts";
import type { RecordQuery, Records } from "../../../policy/store/types.ts";
import { collect, DAY, input, schemes, START, withRecords } from "./records_fixture.ts";

async function found(records: Records, query: Omit<RecordQuery, "org">): Promise<string[]> {
  const all = await collect(records.all("install", { org: "acme", ...query }));
  return all.map((record) => `${record.package}@${record.version}`);
}

Deno.test("a record is stored with every field, an id and its time, and nothing else", async () => {
  await withRecords(async ({ records }) => {
    const sha256 = "a".repeat(64);
    const whole = input("npm:lodash@4.17.21", {
      sha256,
      verdict: "warn",
      code: "min_age",
      reason: "published today",
    });
    const stored = await records.add("refusal", whole);
    assert.deepEqual(stored, { id: stored.id, at: "2026-11-01T12:00:00.000Z", ...whole });
    assert.match(stored.id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
    const { items, cursor } = await records.list("refusal", { org: "acme" }, { limit: 10 });
    assert.deepEqual(items, [stored]);
    assert.equal(cursor, null);
    assert.deepEqual((await records.list("install", { org: "acme" }, { limit: 10 })).items, []);
    assert.deepEqual((await records.list("refusal", { org: "other" }, { limit: 10 })).items, []);
  });
});

Deno.test("ids grow within one millisecond and when the clock goes back", async () => {
  await withRecords(async ({ records, clock }) => {
    const ids: string[] = [];
    for (const step of [0, 0, 5, -60_000, 0, 70_000]) {
      clock.now += step;
      ids.push((await records.add("install", input("npm:a@1.0.0"))).id);
    }
    assert.deepEqual(ids, ids.toSorted());
    assert.equal(new Set(ids).size, ids.length);
  });
});

Deno.test("a clock that was wrong once dates no later record", async () => {
  await withRecords(async ({ records, clock }) => {
    clock.now = START + 5 * 365 * DAY;
    await records.add("install", input("npm:wrong@1.0.0"));
    clock.now = START;
    const right = [];
    for (const version of ["1.0.0", "1.0.1", "1.0.2"]) {
      clock.now += 3600_000;
      right.push((await records.add("install", input(`npm:right@${version}`))).at);
    }
    const until = clock.now + 1;
    const { items } = await records.list("install", { org: "acme", until }, { limit: 10 });
    assert.deepEqual(items.map(({ at }) => at), right.toReversed());
    assert.deepEqual(right, [1, 2, 3].map((h) => new Date(START + h * 3600_000).toISOString()));
  });
});

Deno.test("pages hold every record once, newest first, while records are being added", async () => {
  await withRecords(async ({ records, clock }) => {
    const before: string[] = [];
    for (let n = 0; n < 25; n++) {
      clock.now += n % 3;
      before.push((await records.add("install", input(`npm:p${n % 2}@1.${n}.0`))).id);
    }
    for (const filter of [{}, { user: "alice" }, { package: "p*" }]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await records.list("install", { org: "acme", ...filter }, {
          limit: 4,
          cursor,
        });
        seen.push(...page.items.map((record) => record.id));
        cursor = page.cursor ?? undefined;
        await Promise.all([1, 2, 3].map(() => records.add("install", input("npm:p0@9.0.0"))));
      } while (cursor !== undefined);
      const old = seen.filter((id) => before.includes(id));
      assert.deepEqual(old, before.toReversed());
      assert.equal(new Set(seen).size, seen.length);
    }
  });
});

Deno.test("the last page has no cursor, even when it is full", async () => {
  await withRecords(async ({ records }) => {
    for (let n = 0; n < 4; n++) await records.add("install", input(`npm:p${n}@1.0.0`));
    const first = await records.list("install", { org: "acme" }, { limit: 2 });
    assert.notEqual(first.cursor, null);
    const cursor = first.cursor ?? "";
    const second = await records.list("install", { org: "acme" }, { limit: 2, cursor });
    assert.equal(second.items.length, 2);
    assert.equal(second.cursor, null);
  });
});

Deno.test("cursors that this list did not give out are refused", async () => {
  await withRecords(async ({ records }) => {
    for (let n = 0; n < 3; n++) await records.add("install", input(`npm:p${n}@1.0.0`));
    const page = await records.list("install", { org: "acme" }, { limit: 1 });
    const packages = await records.packages({ org: "acme" }, { limit: 1 });
    const given = page.cursor ?? "";
    for (
      const cursor of [
        "",
        "x",
        given + "=",
        given.slice(1),
        packages.cursor ?? "",
        btoa('["install","no id"]'),
      ]
    ) {
      const listed = records.list("install", { org: "acme" }, { limit: 1, cursor });
      await assert.rejects(listed, CursorInvalid, cursor);
    }
    const query = { org: "acme" };
    await assert.rejects(
      records.list("refusal", query, { limit: 1, cursor: given }),
      CursorInvalid,
    );
    await assert.rejects(records.packages(query, { limit: 1, cursor: given }), CursorInvalid);
    await assert.rejects(records.users(query, { limit: 1, cursor: given }), CursorInvalid);
    const elsewhere = { org: "acme", ecosystem: "pypi" };
    const cursor = packages.cursor ?? "";
    await assert.rejects(records.packages(elsewhere, { limit: 1, cursor }), CursorInvalid);
  });
});

Deno.test("filters", async (t) => {
  await withRecords(async ({ records, clock }) => {
    const add = async (release: string, more = {}) => {
      clock.now += 1_000;
      return await records.add("install", input(release, more));
    };
    await add("npm:lodash@4.17.20");
    await add("npm:lodash@4.17.21", { user: "bob" });
    await add("npm:@acme/ui@1.0.0", { user: "" });
    await add("pypi:requests@2.31.0", { user: "bob" });
    await add("pypi:types_requests@2.32.0", { code: "min_age", verdict: "warn" });
    await add("pypi:Foo_Bar@1.0rc1");
    await add("cargo:serde_json@1.0.100");
    await add("cargo:requests@0.1.0");

    const cases: [string, Omit<RecordQuery, "org">, string[]][] = [
      ["ecosystem", { ecosystem: "cargo" }, ["requests@0.1.0", "serde_json@1.0.100"]],
      ["exact package", { package: "lodash" }, ["lodash@4.17.21", "lodash@4.17.20"]],
      [
        "exact package in every ecosystem, newest first",
        { package: "requests" },
        ["requests@0.1.0", "requests@2.31.0"],
      ],
      ["exact package in one", { package: "requests", ecosystem: "pypi" }, ["requests@2.31.0"]],
      ["another spelling of the name", { package: "foo-bar" }, ["Foo_Bar@1.0rc1"]],
      ["the name as it was", { package: "Foo_Bar", ecosystem: "pypi" }, ["Foo_Bar@1.0rc1"]],
      ["npm's case", { package: "Lodash", ecosystem: "npm" }, []],
      [
        "glob",
        { package: "*requests" },
        ["requests@0.1.0", "types_requests@2.32.0", "requests@2.31.0"],
      ],
      ["glob with another spelling", { package: "FOO.*" }, ["Foo_Bar@1.0rc1"]],
      ["glob within a scope", { package: "@acme/*" }, ["@acme/ui@1.0.0"]],
      ["glob in the middle", { package: "*er*j*n" }, ["serde_json@1.0.100"]],
      [
        "range of PyPI",
        { ecosystem: "pypi", version: "<2.32" },
        ["Foo_Bar@1.0rc1", "requests@2.31.0"],
      ],
      ["range of npm", { ecosystem: "npm", version: "^4.17.21" }, ["lodash@4.17.21"]],
      [
        "range in every ecosystem that can read it",
        { version: "~=2.31" },
        ["types_requests@2.32.0", "requests@2.31.0"],
      ],
      ["a version that does not parse", { ecosystem: "pypi", version: "2004d" }, []],
      ["a version with a v", { ecosystem: "pypi", version: "v2.31.0" }, ["requests@2.31.0"]],
      ["single version", { ecosystem: "pypi", version: "2.31.0" }, ["requests@2.31.0"]],
      ["user", { user: "bob" }, ["requests@2.31.0", "lodash@4.17.21"]],
      ["no user", { user: "" }, ["@acme/ui@1.0.0"]],
      ["user and package", { user: "bob", package: "lodash" }, ["lodash@4.17.21"]],
      ["user and range", { user: "bob", version: "<3" }, ["requests@2.31.0"]],
      ["code", { code: "min_age" }, ["types_requests@2.32.0"]],
      ["code and user", { code: "min_age", user: "bob" }, []],
      [
        "since is inclusive",
        { since: START + 7_000 },
        ["requests@0.1.0", "serde_json@1.0.100"],
      ],
      ["until is exclusive", { until: START + 2_000 }, ["lodash@4.17.20"]],
      ["since and until", { since: START + 3_000, until: START + 4_000 }, ["@acme/ui@1.0.0"]],
      ["times and an index", { user: "bob", since: START + 3_000 }, ["requests@2.31.0"]],
      ["times the wrong way round", { since: START + 3_000, until: START }, []],
      ["a name nobody can have", { package: "a b c" }, []],
      ["an ecosystem nobody knows", { ecosystem: "gems", package: "x" }, []],
    ];
    for (const [name, query, expected] of cases) {
      await t.step(name, async () => assert.deepEqual(await found(records, query), expected));
    }
    await t.step("what is a range in no ecosystem is a SyntaxError", async () => {
      const mistyped = ["<", ">>2", "^^1", "==", "||", "~>1", "^2.31", "1.x", "lalala", "=1.0.0"];
      const queries = [
        { version: "no range" },
        { version: "~=2.31", ecosystem: "cargo" },
        ...mistyped.map((version) => ({ version, ecosystem: "pypi" })),
        ...["<", ">>2", "^^1", "lalala"].map((version) => ({ version })),
      ];
      for (const query of queries) {
        const listed = records.list("install", { org: "acme", ...query }, { limit: 1 });
        await assert.rejects(listed, SyntaxError);
        await assert.rejects(
          records.packages({ org: "acme", ...query }, { limit: 1 }),
          SyntaxError,
        );
      }
    });
  });
});

Deno.test("records older than the retention are gone, wherever they are looked for", async () => {
  await withRecords(async ({ records, clock }) => {
    await records.add("install", input("npm:old@1.0.0"));
    clock.now += 6 * DAY;
    await records.add("install", input("npm:young@1.0.0"));
    clock.now += 4 * DAY - 1;
    assert.deepEqual(await found(records, {}), ["young@1.0.0", "old@1.0.0"]);
    clock.now += 1;
    for (const query of [{}, { user: "alice" }, { since: START - DAY }]) {
      assert.deepEqual(await found(records, query), ["young@1.0.0"]);
    }
    assert.deepEqual(await found(records, { package: "old" }), []);
    const packages = await records.packages({ org: "acme" }, { limit: 10 });
    assert.deepEqual(packages.items.map((row) => row.package), ["young"]);
    const users = await records.users({ org: "acme" }, { limit: 10 });
    assert.equal(users.items[0]?.count, 1);
  }, { retentionMs: 10 * DAY });
});

Deno.test("KV itself lets records go after the retention", async () => {
  const kv = await Deno.openKv(":memory:");
  const lifetimes: unknown[] = [];
  const atomic = kv.atomic.bind(kv);
  kv.atomic = () => {
    const operation = atomic();
    const set = operation.set.bind(operation);
    operation.set = (key, value, options) => {
      lifetimes.push(options?.expireIn);
      return set(key, value, options);
    };
    return operation;
  };
  try {
    const records = openRecords(kv, { schemes, now: () => START, retentionMs: 1234.5 });
    await records.add("install", input("npm:a@1.0.0"));
    assert.deepEqual(lifetimes, [1235, 1235, 1235]);
  } finally {
    kv.close();
  }
});

Deno.test("a record without a user is not in the index by user", async () => {
  await withRecords(async ({ records, kv }) => {
    await records.add("install", input("npm:a@1.0.0", { user: "" }));
    assert.deepEqual(await collect(kv.list({ prefix: keys.recordsOfUser("install", "acme") })), []);
    assert.deepEqual(await found(records, { package: "a" }), ["a@1.0.0"]);
  });
});

Deno.test("what does not read as a record is passed over", async () => {
  await withRecords(async ({ records, kv }) => {
    const good = await records.add("install", input("npm:a@1.0.0"));
    const { bytes: _, ...incomplete } = good;
    for (const value of [null, 7, "x", {}, incomplete, { ...good, verdict: "maybe" }]) {
      const { id } = await records.add("install", input("npm:b@1.0.0"));
      await kv.set(keys.record("install", "acme", id), value);
    }
    assert.deepEqual(await collect(records.all("install", { org: "acme" })), [good]);
  });
});
