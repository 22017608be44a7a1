import assert from "node:assert/strict";
import {
  CursorInvalid,
  PolicyInvalid,
  PolicyUnreadable,
  PreconditionFailed,
  StoreUnavailable,
} from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import type { Policies } from "../../../policy/store/types.ts";
import { DAY, release } from "../world.ts";
import { eventually, withPolicies } from "./policies_fixture.ts";

const by = "alice";

/** The minimum age an org lives under. */
async function ageOf(policies: Policies, org: string, now: number): Promise<number> {
  const [{ until }] =
    (await policies.get(org)).judge([release({ publishedAt: now })], now).verdicts;
  return until === null ? 0 : (until - now) / DAY;
}

function withAge(age: string) {
  return { rules: { min_age: { age } } };
}

Deno.test("an org without a policy lives under the built-in one, compiled once for all", () =>
  withPolicies(async ({ policies }) => {
    const policy = await policies.get("acme");
    assert.equal(policy.revision, "builtin");
    assert.equal(policy.org, "default");
    assert.equal(await policies.get("other"), policy);
    assert.equal(await policies.has("acme"), false);
    assert.equal(await policies.read("acme"), null);
    assert.deepEqual(await policies.orgs(), []);
  }));

Deno.test("an org's own policy counts for it at once, and for nobody else", () =>
  withPolicies(async ({ policies, now }) => {
    await policies.get("acme");
    const stored = await policies.replace("acme", withAge("3d"), { by });
    assert.equal(await ageOf(policies, "acme", now), 3);
    assert.equal(await ageOf(policies, "other", now), 10);
    assert.equal(await policies.has("acme"), true);
    assert.equal((await policies.get("acme")).revision, stored.revision);
    assert.equal((await policies.get("acme")).org, "acme");
    assert.deepEqual(await policies.orgs(), ["acme"]);
  }));

Deno.test("the policy of `default` counts for every org without its own", () =>
  withPolicies(async ({ policies, now }) => {
    await policies.replace("acme", withAge("3d"), { by });
    await policies.get("other");
    await policies.replace("default", withAge("5d"), { by });
    assert.equal(await ageOf(policies, "other", now), 5);
    assert.equal(await ageOf(policies, "default", now), 5);
    assert.equal(await ageOf(policies, "acme", now), 3);
    assert.equal(await policies.get("other"), await policies.get("default"));
  }));

Deno.test("what is read is the complete document, with its revision, author and time", () =>
  withPolicies(async ({ policies }) => {
    const stored = await policies.replace("acme", withAge("3d"), { by });
    const read = await policies.read("acme");
    assert.deepEqual(read, stored);
    assert.equal(read?.by, "alice");
    assert.equal(read?.at, "2026-12-01T10:00:00.000Z");
    assert.match(read?.revision ?? "", /^[0-9A-Z]{26}$/);
    const { document } = read as unknown as { document: { mode: string } };
    assert.equal(document.mode, "enforce");
  }));

Deno.test("a document with faults is refused, and nothing is stored", () =>
  withPolicies(async ({ policies, kv }) => {
    await assert.rejects(policies.replace("acme", withAge("soon"), { by }), PolicyInvalid);
    await assert.rejects(policies.update("acme", () => null, { by }), PolicyInvalid);
    assert.equal(await kv.count(), 0);
  }));

Deno.test("a thinkst configuration is stored as the document it becomes", () =>
  withPolicies(async ({ policies, now }) => {
    await policies.replace("acme", { MIN_AGE_DAYS: 4 }, { by });
    assert.equal(await ageOf(policies, "acme", now), 4);
    const { document } = await policies.read("acme") ?? {};
    assert.equal(JSON.stringify(document).includes("MIN_AGE_DAYS"), false);
  }));

/** A document of `bytes` that does not compress well. */
function large(bytes: number) {
  const entries: { purl: string; reason: string }[] = [];
  for (let size = 1_000; size < bytes;) {
    const reason = Array.from({ length: 15 }, () => crypto.randomUUID()).join("");
    const entry = { purl: `pkg:npm/evil-${entries.length}`, reason };
    size += JSON.stringify(entry).length + 1;
    entries.push(entry);
  }
  return { rules: { block: { entries } } };
}

Deno.test("a document of 5 MB is stored in pieces and read back by another process", () =>
  withPolicies(async ({ policies, other, kv, now }) => {
    const stored = await policies.replace("acme", large(5_000_000), { by });
    assert.ok(stored.bytes > 4_900_000 && stored.pieces > 10, JSON.stringify(stored.bytes));
    assert.equal(await kv.count("policy_piece"), stored.pieces);
    const elsewhere = other();
    const policy = await elsewhere.get("acme");
    assert.equal(policy.judge([release({ name: "evil-0" })], now).denied, 1);
    assert.equal(policy.judge([release()], now).denied, 0);
    assert.deepEqual(await elsewhere.read("acme"), stored);
  }));

Deno.test("a document over 5 MB is refused", () =>
  withPolicies(async ({ policies, kv }) => {
    await assert.rejects(policies.replace("acme", large(5_400_000), { by }), PolicyInvalid);
    assert.equal(await kv.count(), 0);
  }));

Deno.test("If-Match: a lost race changes nothing", () =>
  withPolicies(async ({ policies, other, now }) => {
    await assert.rejects(
      policies.replace("acme", {}, { by, ifMatch: "*" }),
      PreconditionFailed,
    );
    await assert.rejects(
      policies.replace("acme", {}, { by, ifMatch: "builtin" }),
      PreconditionFailed,
    );
    const first = await policies.replace("acme", withAge("1d"), { by });
    const second = await other().replace("acme", withAge("2d"), { by, ifMatch: first.revision });
    for (
      const change of [
        () => policies.replace("acme", withAge("3d"), { by, ifMatch: first.revision }),
        () => policies.update("acme", () => withAge("3d"), { by, ifMatch: first.revision }),
        () => policies.remove("acme", { by, ifMatch: first.revision }),
      ]
    ) await assert.rejects(change(), PreconditionFailed);
    assert.equal((await policies.read("acme"))?.revision, second.revision);
    await policies.replace("acme", withAge("4d"), { by, ifMatch: "*" });
    assert.equal(await ageOf(policies, "acme", now), 4);
    assert.equal(await policies.remove("acme", { by, ifMatch: "*" }), true);
  }));

Deno.test("If-Match: a race lost between reading and writing changes nothing, and leaves no pieces", () =>
  withPolicies(async ({ policies, other, kv }) => {
    const first = await policies.replace("acme", withAge("1d"), { by });
    const elsewhere = other();
    kv.fault = async (method) => {
      if (method !== "commit") return;
      kv.fault = () => {};
      await elsewhere.replace("acme", withAge("2d"), { by });
    };
    await assert.rejects(
      policies.replace("acme", withAge("3d"), { by, ifMatch: first.revision }),
      PreconditionFailed,
    );
    assert.equal(await kv.count("policy_piece"), 2);
    assert.equal((await policies.history("acme", { limit: 10 })).items.length, 2);
  }));

Deno.test("If-Match: what an org inherits is checked by the commit, too", () =>
  withPolicies(async ({ policies, other, kv }) => {
    const inherited = await policies.replace("default", withAge("1d"), { by });
    const elsewhere = other();
    const change = { by, ifMatch: null, ifDefault: inherited.revision };
    kv.fault = async (method) => {
      if (method !== "commit") return;
      kv.fault = () => {};
      await elsewhere.replace("default", withAge("2d"), { by });
    };
    await assert.rejects(policies.replace("acme", withAge("3d"), change), PreconditionFailed);
    assert.equal(await policies.read("acme"), null);
  }));

Deno.test("a replacement without If-Match wins over somebody faster, and its revision is the newest", () =>
  withPolicies(async ({ policies, other, kv, now }) => {
    const elsewhere = other();
    kv.fault = async (method) => {
      if (method !== "commit") return;
      kv.fault = () => {};
      await elsewhere.replace("acme", withAge("2d"), { by: "bob" });
    };
    await policies.replace("acme", withAge("3d"), { by });
    assert.equal(await ageOf(policies, "acme", now), 3);
    const { items } = await policies.history("acme", { limit: 10 });
    assert.deepEqual(items.map((item) => item.by), ["alice", "bob"]);
  }));

Deno.test("concurrent updates of two processes are all there in the end", () =>
  withPolicies(async ({ policies, other }) => {
    const stores = [policies, other()];
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        stores[i % 2].update("acme", (document) => {
          const exceptions = Array.isArray(document.exceptions) ? document.exceptions : [];
          const added = { purl: `pkg:npm/p${i}`, rules: ["yanked"] };
          return { ...document, exceptions: [...exceptions, added] };
        }, { by })),
    );
    const { document } = await policies.read("acme") ?? {};
    const { exceptions } = document as { exceptions: { purl: string }[] };
    assert.equal(new Set(exceptions.map(({ purl }) => purl)).size, 12);
    assert.equal((await policies.history("acme", { limit: 100 })).items.length, 12);
  }));

Deno.test("an update begins from the default's document where the org has none", () =>
  withPolicies(async ({ policies, now }) => {
    await policies.replace("default", withAge("5d"), { by });
    await policies.update("acme", (document) => ({ ...document, mode: "audit" }), { by });
    assert.equal(await ageOf(policies, "acme", now), 5);
    assert.equal((await policies.get("acme")).mode, "audit");
    assert.equal((await policies.get("default")).mode, "enforce");
  }));

Deno.test("removing a policy goes back to the default's, and history says so", () =>
  withPolicies(async ({ policies, now }) => {
    assert.equal(await policies.remove("acme", { by }), false);
    await policies.replace("acme", withAge("3d"), { by });
    assert.equal(await policies.remove("acme", { by: "bob" }), true);
    assert.equal(await ageOf(policies, "acme", now), 10);
    assert.equal(await policies.has("acme"), false);
    assert.equal(await policies.read("acme"), null);
    assert.deepEqual(await policies.orgs(), []);
    const { items } = await policies.history("acme", { limit: 10 });
    assert.deepEqual(items.map((item) => [item.by, item.pieces]), [["bob", 0], ["alice", 1]]);
    assert.equal(items[0].document, null);
  }));

Deno.test("history is newest first, in pages that stay exact while revisions are added", () =>
  withPolicies(async (world) => {
    const { policies } = world;
    for (let days = 1; days <= 5; days++) {
      world.now += 1;
      await policies.replace("acme", withAge(`${days}d`), { by: `${days}` });
    }
    await policies.replace("acme2", {}, { by: "x" });
    const first = await policies.history("acme", { limit: 2 });
    await policies.replace("acme", withAge("6d"), { by: "6" });
    const second = await policies.history("acme", { limit: 2, cursor: first.cursor ?? "" });
    const third = await policies.history("acme", { limit: 2, cursor: second.cursor ?? "" });
    const authors = [first, second, third].flatMap(({ items }) => items.map((item) => item.by));
    assert.deepEqual(authors, ["5", "4", "3", "2", "1"]);
    assert.equal(third.cursor, null);
    await assert.rejects(policies.history("acme", { limit: 2, cursor: "x" }), CursorInvalid);
  }));

Deno.test("a page of history with large documents ends early", () =>
  withPolicies(async ({ policies }) => {
    for (let i = 0; i < 5; i++) await policies.replace("acme", large(4_500_000), { by });
    const { items, cursor } = await policies.history("acme", { limit: 10 });
    assert.equal(items.length, 3);
    const rest = await policies.history("acme", { limit: 10, cursor: cursor ?? "" });
    assert.equal(rest.items.length, 2);
    assert.equal(rest.cursor, null);
  }));

Deno.test("revisions sort by time even where another machine's clock runs ahead", () =>
  withPolicies(async (world) => {
    world.now += DAY;
    await world.other().replace("acme", withAge("1d"), { by: "ahead" });
    world.now -= DAY;
    await world.policies.replace("acme", withAge("2d"), { by: "behind" });
    const { items } = await world.policies.history("acme", { limit: 10 });
    assert.deepEqual(items.map((item) => item.by), ["behind", "ahead"]);
    assert.equal(await ageOf(world.policies, "acme", world.now), 2);
  }));

Deno.test("history ends with the policy that there is, also after one that a clock ahead has removed", () =>
  withPolicies(async (world) => {
    await world.policies.replace("acme", {}, { by: "first" });
    world.now += 30_000;
    await world.other().remove("acme", { by: "ahead" });
    world.now -= 30_000;
    await world.policies.replace("acme", {}, { by: "behind" });
    const { items } = await world.policies.history("acme", { limit: 10 });
    assert.deepEqual(items.map((item) => item.by), ["behind", "ahead", "first"]);
    assert.equal((await world.policies.read("acme"))?.revision, items[0].revision);
  }));

Deno.test("keys with JavaScript's own names reach neither the store nor the prototype", () =>
  withPolicies(async ({ policies, kv }) => {
    const document = JSON.parse('{"__proto__":{"mode":"audit"},"constructor":{}}');
    await assert.rejects(policies.replace("acme", document, { by }), PolicyInvalid);
    assert.equal(await kv.count(), 0);
    for (const org of ["constructor", "__proto__"]) {
      assert.equal((await policies.get(org)).revision, "builtin");
    }
  }));

Deno.test("what is stored but cannot be read refuses everything until it is mended", () =>
  withPolicies(async (world) => {
    const { policies, kv, other } = world;
    const { revision } = await policies.replace("acme", withAge("3d"), { by });
    const piece = keys.policyPiece("acme", revision, 0);
    const broken: [string, () => Promise<unknown>][] = [
      ["another rule set", () => kv.real.set(piece, new TextEncoder().encode('{"rules":{"x":1}}'))],
      ["cut short", () => kv.real.set(piece, new Uint8Array([0x1f, 0x8b, 0]))],
      ["no bytes", () => kv.real.set(piece, "x")],
      ["gone", () => kv.real.delete(piece)],
      ["no head", () => kv.real.set(keys.policy("acme"), { revision: 1 })],
    ];
    for (const [name, breakIt] of broken) {
      await breakIt();
      const fresh = other();
      await assert.rejects(fresh.get("acme"), PolicyUnreadable, name);
      await assert.rejects(fresh.get("acme"), PolicyUnreadable, name);
      await assert.rejects(fresh.read("acme"), PolicyUnreadable, name);
      await assert.rejects(fresh.update("acme", (it) => it, { by }), PolicyUnreadable, name);
      assert.equal((await fresh.get("other")).revision, "builtin");
    }
    const fresh = other();
    await fresh.replace("acme", withAge("4d"), { by });
    assert.equal(await ageOf(fresh, "acme", world.now), 4);
  }));

Deno.test("an unreadable policy of `default` refuses all who depend on it", () =>
  withPolicies(async ({ kv, other }) => {
    await kv.real.set(keys.policy("default"), "nonsense");
    await assert.rejects(other().get("acme"), PolicyUnreadable);
  }));

Deno.test("a write that fails leaves no pieces and the old document", () =>
  withPolicies(async ({ policies, kv, other, now }) => {
    await policies.replace("acme", withAge("3d"), { by });
    const before = await kv.count();
    for (const failing of [2, 3]) {
      kv.calls.commit = 0;
      kv.fault = (method, calls) => {
        if (method === "commit" && calls === failing) throw new TypeError("disk I/O error");
      };
      await assert.rejects(policies.replace("acme", large(1_200_000), { by }), StoreUnavailable);
      kv.fault = () => {};
      await eventually(async () => await kv.count() === before);
    }
    assert.equal(await ageOf(policies, "acme", now), 3);
    assert.equal(await ageOf(other(), "acme", now), 3);
  }));

Deno.test("a write that is answered too late is whole if it happened", () =>
  withPolicies(async ({ policies, kv, other, now }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    kv.fault = (method, calls) => method === "commit" && calls === 2 ? promise : undefined;
    await assert.rejects(policies.replace("acme", withAge("3d"), { by }), StoreUnavailable);
    resolve();
    await eventually(async () => await kv.count("policy") === 1);
    assert.equal(await ageOf(other(), "acme", now), 3);
  }, { timeoutMs: 300 }));
