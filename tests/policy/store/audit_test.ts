import assert from "node:assert/strict";
import { openAudit } from "../../../policy/store/audit.ts";
import { CursorInvalid, PreconditionFailed } from "../../../policy/store/errors.ts";
import { openJournal } from "../../../policy/store/journal.ts";
import { keys } from "../../../policy/store/keys.ts";
import { openPolicies } from "../../../policy/store/policies.ts";
import { hashSecret } from "../../../policy/store/secrets.ts";
import { openTokens } from "../../../policy/store/tokens.ts";
import type { Audit, AuditLine, Policies, Tokens } from "../../../policy/store/types.ts";
import { NOW, SCHEMES } from "../world.ts";
import { FaultyKv } from "./policies_fixture.ts";

interface World {
  readonly kv: Deno.Kv;
  readonly faulty: FaultyKv;
  readonly audit: Audit;
  readonly policies: Policies;
  readonly tokens: Tokens;
  readonly clock: { now: number };
  /** How often somebody was told that there may be news. */
  readonly told: { times: number };
  lines(org?: string): Promise<readonly AuditLine[]>;
}

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const faulty = new FaultyKv(kv);
  const clock = { now: NOW };
  const told = { times: 0 };
  const now = () => clock.now;
  const journal = openJournal({ now, onNews: () => void told.times++ });
  const audit = openAudit(kv);
  try {
    await work({
      kv,
      faulty,
      audit,
      policies: openPolicies(faulty.kv, { schemes: SCHEMES, now, journal }),
      tokens: openTokens(faulty.kv, { now, journal }),
      clock,
      told,
      lines: async (org = "acme") => (await audit.list(org, { limit: 100 })).items,
    });
  } finally {
    kv.close();
  }
}

async function newsOf(kv: Deno.Kv): Promise<unknown[]> {
  const entries = await Array.fromAsync(kv.list<unknown>({ prefix: keys.allNews() }));
  return entries.map(({ value }) => value);
}

Deno.test("a changed policy is in the log with its revisions and the members that differ", () =>
  inWorld(async ({ policies, lines, clock }) => {
    const first = await policies.replace("acme", { mode: "audit" }, { by: "alice" });
    clock.now += 1_000;
    const second = await policies.update(
      "acme",
      (document) => ({ ...document, mode: "enforce" }),
      { by: "bob", reason: "we are ready" },
    );
    const [newest, oldest] = await lines();
    assert.deepEqual({ ...newest, id: "" }, {
      id: "",
      at: new Date(NOW + 1_000).toISOString(),
      org: "acme",
      by: "bob",
      action: "policy.replaced",
      target: null,
      reason: "we are ready",
      before: { revision: first.revision },
      after: { revision: second.revision },
      changes: [{ pointer: "/mode", before: "audit", after: "enforce" }],
      truncated: false,
    });
    // Compared with what the org lived under before.
    assert.deepEqual(oldest.changes, [{ pointer: "/mode", before: "enforce", after: "audit" }]);
    assert.deepEqual([oldest.by, oldest.reason, oldest.before], ["alice", null, null]);
  }));

Deno.test("a removed policy is in the log, compared with the default's", () =>
  inWorld(async ({ policies, lines }) => {
    await policies.replace("default", { downloads: "direct" }, { by: "root" });
    const own = await policies.replace("acme", { mode: "audit" }, { by: "alice" });
    assert.equal(await policies.remove("acme", { by: "bob" }), true);
    assert.equal(await policies.remove("acme", { by: "bob" }), false);
    const all = await lines();
    assert.equal(all.length, 2);
    const { by, action, before, after, changes } = all[0];
    assert.deepEqual([by, action, before, after], [
      "bob",
      "policy.removed",
      { revision: own.revision },
      null,
    ]);
    assert.deepEqual(changes, [
      { pointer: "/mode", before: "audit", after: "enforce" },
      { pointer: "/downloads", before: "proxy", after: "direct" },
    ]);
  }));

Deno.test("webhooks are told of a changed policy in a sentence, after the commit", () =>
  inWorld(async ({ policies, kv, told }) => {
    const { revision } = await policies.replace("acme", { mode: "audit" }, { by: "alice" });
    const [news, ...rest] = await newsOf(kv);
    assert.deepEqual(rest, []);
    assert.partialDeepStrictEqual(news, {
      org: "acme",
      kind: "policy",
      event: "policy.replaced",
      text: "alice changed the policy of acme: /mode.",
      details: { by: "alice", reason: null, revision, members: ["/mode"], changes: 1 },
    });
    assert.equal(told.times, 1);
  }));

Deno.test("a change that is not stored is not in the log, and nobody is told", () =>
  inWorld(async ({ policies, tokens, kv, faulty, told, lines }) => {
    await assert.rejects(policies.replace("acme", { mode: 1 }, { by: "alice" }));
    await assert.rejects(
      policies.replace("acme", {}, { by: "alice", ifMatch: "*" }),
      PreconditionFailed,
    );
    faulty.fault = (method) => {
      if (method === "commit") throw new TypeError("database is locked");
    };
    await assert.rejects(policies.replace("acme", {}, { by: "alice" }));
    await assert.rejects(
      tokens.create({ org: "acme", user: "bob", role: "client", expires: null, by: "root" }),
    );
    assert.deepEqual([await lines(), await newsOf(kv), told.times], [[], [], 0]);
  }));

Deno.test("a lost race is tried again and leaves one line for each change", () =>
  inWorld(async ({ policies, kv, lines }) => {
    const elsewhere = openPolicies(kv, { schemes: SCHEMES, now: () => NOW });
    const change = (age: string) => (document: Record<string, unknown>) => ({
      ...document,
      rules: { min_age: { age } },
    });
    await Promise.all([
      policies.update("acme", change("1d"), { by: "alice" }),
      elsewhere.update("acme", change("2d"), { by: "bob" }),
    ]);
    const all = await lines();
    assert.deepEqual(all.map(({ by }) => by).sort(), ["alice", "bob"]);
    const revisions = (await policies.history("acme", { limit: 9 })).items;
    assert.deepEqual(
      all.map(({ after }) => JSON.stringify(after)).sort(),
      revisions.map(({ revision }) => JSON.stringify({ revision })).sort(),
    );
  }));

Deno.test("secrets of webhooks are in neither the log nor the news", () =>
  inWorld(async ({ policies, kv, lines }) => {
    const webhook = (url: string, secret: string) => ({ url, secret });
    const [a, b] = ["https://a.example/services/s3cret", "https://b.example/"];
    const store = (...webhooks: unknown[]) =>
      policies.replace("acme", { webhooks }, { by: "alice" });
    await store(webhook(a, "s3cret-1"));
    await store(webhook(a, "s3cret-2"));
    await store(webhook(b, "s3cret-3"), webhook(a, "s3cret-4"));
    await store(webhook(a, "s3cret-4"), webhook(b, "s3cret-3"));
    await policies.remove("acme", { by: "alice" });
    const all = await lines();
    assert.deepEqual(all[3].changes, [
      { pointer: "/webhooks/0/secret", before: "(hidden)", after: "(hidden)" },
    ]);
    assert.equal(all.filter(({ changes }) => changes.length > 0).length, 5);
    const text = JSON.stringify([all, await newsOf(kv)]);
    assert(!text.includes("s3cret"), text);
    assert(text.includes("https://b.example/"));
  }));

Deno.test("an unreadable policy that is replaced is a line without comparison", () =>
  inWorld(async ({ policies, kv, lines }) => {
    await kv.set(keys.policy("acme"), "nonsense");
    await policies.replace("acme", { mode: "audit" }, { by: "alice" });
    const [line] = await lines();
    assert.deepEqual([line.action, line.before, line.changes], ["policy.replaced", null, []]);
  }));

Deno.test("more changes than a line holds are cut off, and the line says so", () =>
  inWorld(async ({ policies, lines }) => {
    const entries = Array.from({ length: 5_000 }, (_, i) => ({ purl: `pkg:npm/package-${i}` }));
    await policies.replace("acme", { rules: { block: { entries } } }, { by: "alice" });
    const [line] = await lines();
    assert.equal(line.truncated, true);
    assert(line.changes.length > 100 && line.changes.length < 5_000);
    assert.deepEqual(line.changes[0], { pointer: "/rules/block/entries/0", after: entries[0] });
  }));

Deno.test("a change can be given its own name, and writes that go with it", () =>
  inWorld(async ({ policies, kv, lines }) => {
    const key = keys.meta("together");
    await policies.update("acme", (document) => ({ ...document, mode: "audit" }), {
      by: "alice",
      reason: "needed now",
      audit: {
        action: "exception.approved",
        target: "request-1",
        before: { state: "open" },
        after: { state: "approved" },
      },
      also: (atomic) => void atomic.check({ key, versionstamp: null }).set(key, "written"),
    });
    const [line, ...rest] = await lines();
    assert.deepEqual(rest, []);
    assert.deepEqual([line.action, line.target, line.reason, line.before, line.after], [
      "exception.approved",
      "request-1",
      "needed now",
      { state: "open" },
      { state: "approved" },
    ]);
    assert.deepEqual(line.changes.map(({ pointer }) => pointer), ["/mode"]);
    assert.equal((await kv.get(key)).value, "written");
    assert.deepEqual(await newsOf(kv), []);
  }));

Deno.test("where a check that goes with a change fails, nothing is stored, at the second look", () =>
  inWorld(async ({ policies, kv, faulty, lines }) => {
    const key = keys.meta("together");
    await kv.set(key, "already");
    const change = () =>
      policies.update("acme", (document) => ({ ...document, mode: "audit" }), {
        by: "alice",
        also: (atomic) => void atomic.check({ key, versionstamp: null }).set(key, "written"),
      });
    for (const before of [0, 1]) {
      if (before === 1) await policies.replace("acme", {}, { by: "bob" });
      const gets = faulty.calls.get ?? 0;
      await assert.rejects(change(), PreconditionFailed);
      assert((faulty.calls.get ?? 0) - gets < 8, "it was tried over and over");
      assert.equal((await lines()).length, before);
    }
    assert.equal((await kv.get(key)).value, "already");
    assert.equal(await faulty.count("policy_piece"), 1);
  }));

Deno.test("somebody else's change of the policy meanwhile does not fail a change with checks", () =>
  inWorld(async ({ policies, kv, faulty, lines }) => {
    const elsewhere = openPolicies(kv, { schemes: SCHEMES, now: () => NOW });
    const key = keys.meta("together");
    let times = 0;
    faulty.fault = async (method, calls) => {
      // The first commit stores the document, the second makes it the current one.
      if (method === "commit" && calls === 2) await elsewhere.replace("acme", {}, { by: "bob" });
    };
    await policies.update("acme", (document) => document, {
      by: "alice",
      also: (atomic) => void atomic.check({ key, versionstamp: null }).set(key, ++times),
    });
    assert.equal((await kv.get(key)).value, 2);
    assert.deepEqual((await lines()).map(({ by }) => by).sort(), ["alice", "bob"]);
  }));

Deno.test("tokens that are made and removed are in the log, their secrets are not", () =>
  inWorld(async ({ kv, tokens, lines }) => {
    const { token, secret } = await tokens.create({
      org: "acme",
      user: "bob",
      role: "editor",
      expires: null,
      by: "alice",
    });
    assert.equal(await tokens.remove("acme", token.id, { by: "carol" }), true);
    assert.equal(await tokens.remove("acme", token.id, { by: "carol" }), false);
    const told = { user: "bob", role: "editor", expires: null };
    const all = await lines();
    assert.deepEqual(
      all.map(({ by, action, target, before, after }) => [by, action, target, before, after]),
      [
        ["carol", "token.removed", token.id, told, null],
        ["alice", "token.created", token.id, null, told],
      ],
    );
    const entries = await Array.fromAsync(kv.list({ prefix: keys.audits("acme") }));
    const text = JSON.stringify(entries);
    assert(!text.includes(secret.slice(3)) && !text.includes(hashSecret(secret)), text);
  }));

Deno.test("of two who remove a token at once, one is told to have done so", () =>
  inWorld(async ({ tokens, lines }) => {
    const { token } = await tokens.create({
      org: "acme",
      user: "bob",
      role: "client",
      expires: null,
      by: "alice",
    });
    const removed = await Promise.all(
      ["x", "y"].map((by) => tokens.remove("acme", token.id, { by })),
    );
    assert.deepEqual(removed.sort(), [false, true]);
    assert.equal((await lines()).filter(({ action }) => action === "token.removed").length, 1);
  }));

Deno.test("the log is read newest first, by page, period, action and person, org by org", () =>
  inWorld(async ({ audit, policies, tokens, clock, kv }) => {
    for (const by of ["alice", "bob", "alice"]) {
      await policies.replace("acme", {}, { by });
      clock.now += 1_000;
    }
    await tokens.create({ org: "acme", user: "u", role: "client", expires: null, by: "bob" });
    await policies.replace("acme-2", {}, { by: "eve" });
    await kv.set(keys.audit("acme", "01"), { not: "a line" });
    const all = (await audit.list("acme", { limit: 100 })).items;
    assert.deepEqual(all.map(({ by }) => by), ["bob", "alice", "bob", "alice"]);
    assert.deepEqual(all.map(({ at }) => at), all.map(({ at }) => at).sort().reverse());

    const paged: AuditLine[] = [];
    let cursor: string | undefined;
    do {
      const page = await audit.list("acme", { limit: 3, cursor });
      paged.push(...page.items);
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    assert.deepEqual(paged, all);
    assert.equal((await audit.list("acme", { limit: 4 })).cursor, null);

    const times = async (query: object) =>
      (await audit.list("acme", { limit: 9, ...query })).items.map(({ at }) =>
        Date.parse(at) - NOW
      );
    assert.deepEqual(await times({ since: NOW + 1_000 }), [3_000, 2_000, 1_000]);
    assert.deepEqual(await times({ until: NOW + 1_000 }), [0]);
    assert.deepEqual(await times({ since: NOW + 1, until: NOW + 1 }), []);
    assert.deepEqual(await times({ action: "token.created" }), [3_000]);
    assert.deepEqual(await times({ by: "alice" }), [2_000, 0]);
    assert.deepEqual(await times({ by: "alice", since: NOW + 1 }), [2_000]);
    const two = await audit.list("acme", { limit: 1, by: "alice" });
    assert(two.cursor !== null);
    const rest = await audit.list("acme", { limit: 1, by: "alice", cursor: two.cursor });
    assert.deepEqual([rest.items[0].at, rest.cursor], [new Date(NOW).toISOString(), null]);

    await assert.rejects(audit.list("acme", { limit: 1, cursor: "nonsense" }), CursorInvalid);
  }));
