import assert from "node:assert/strict";
import { CursorInvalid, StoreUnavailable } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { ensureRootToken } from "../../../policy/store/root_token.ts";
import { ANY_ORG, openTokens } from "../../../policy/store/tokens.ts";
import { kvCommitting, kvWith } from "./records_fixture.ts";

const START = Date.parse("2026-11-01T00:00:00Z");

interface World {
  kv: Deno.Kv;
  clock: { now: number };
  now: () => number;
}

async function withKv(work: (world: World) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  try {
    await work({ kv, clock, now: () => clock.now });
  } finally {
    kv.close();
  }
}

const alice = { org: "acme", user: "alice", role: "client", expires: null, by: "root" } as const;

Deno.test("a created token is found by its secret alone", () =>
  withKv(async ({ kv, now }) => {
    const tokens = openTokens(kv, { now });
    const { token, secret } = await tokens.create(alice);
    assert.match(secret, /^pp_[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(await tokens.find(secret), token);
    assert.equal(token.created, "2026-11-01T00:00:00.000Z");
    for (const wrong of ["", "pp_", secret.slice(0, -1), `${secret}x`, "x".repeat(100_000)]) {
      assert.equal(await tokens.find(wrong), null);
    }
  }));

Deno.test("no secret is in the store, its hash is", () =>
  withKv(async ({ kv, now }) => {
    const root = await ensureRootToken(kv, { configured: undefined, now });
    const { secret } = await openTokens(kv, { now }).create(alice);
    const everything: string[] = [];
    for await (const entry of kv.list({ prefix: [] })) everything.push(JSON.stringify(entry));
    // The root's hash, the token's two, and the line of the audit log.
    assert.equal(everything.length, 4);
    for (const entry of everything) {
      assert(!entry.includes(secret.slice(3)), entry);
      assert(!entry.includes(root.secret?.slice(3) ?? "no secret was made"), entry);
    }
  }));

Deno.test("a token ends at the instant it expires, cached or not", () =>
  withKv(async ({ kv, clock, now }) => {
    const tokens = openTokens(kv, { now });
    const expires = new Date(START + 1_000).toISOString();
    const { secret } = await tokens.create({ ...alice, expires });
    clock.now = START + 999;
    assert.equal((await tokens.find(secret))?.user, "alice");
    clock.now = START + 1_000;
    assert.equal(await tokens.find(secret), null);
  }));

Deno.test("a token whose expiry cannot be read has expired", () =>
  withKv(async ({ kv, now }) => {
    const tokens = openTokens(kv, { now });
    const { secret } = await tokens.create({ ...alice, expires: "some day" });
    assert.equal(await tokens.find(secret), null);
  }));

Deno.test("removal counts at once here, and within 5 s in another process", () =>
  withKv(async ({ kv, clock, now }) => {
    const here = openTokens(kv, { now });
    const elsewhere = openTokens(kv, { now });
    const { token, secret } = await here.create(alice);
    assert(await here.find(secret));
    assert(await elsewhere.find(secret));
    assert.equal(await here.remove("other", token.id, { by: "root" }), false);
    assert.equal(await here.remove("acme", token.id, { by: "root" }), true);
    assert.equal(await here.find(secret), null);
    assert.equal(await here.remove("acme", token.id, { by: "root" }), false);
    clock.now += 5_000;
    assert.equal(await elsewhere.find(secret), null);
  }));

Deno.test("a token whose removal took effect without saying so is not recalled", () =>
  withKv(async ({ kv, now }) => {
    let removing = false;
    const tokens = openTokens(
      kvCommitting(kv, async (commit) => {
        const result = await commit();
        if (removing) throw new TypeError("the connection broke before the answer came");
        return result;
      }),
      { now },
    );
    const { token, secret } = await tokens.create(alice);
    await tokens.find(secret);
    assert.deepEqual(tokens.recall(secret), token);
    removing = true;
    await assert.rejects(tokens.remove("acme", token.id, { by: "root" }), StoreUnavailable);
    assert.equal(tokens.recall(secret), null);
    assert.equal(await tokens.find(secret), null);
  }));

Deno.test("a look-up under way while the token is removed is not remembered", () =>
  withKv(async ({ kv, now }) => {
    const tokens = openTokens(kv, { now });
    const { token, secret } = await tokens.create(alice);
    const underWay = tokens.find(secret);
    await tokens.remove("acme", token.id, { by: "root" });
    await underWay;
    assert.equal(await tokens.find(secret), null);
  }));

Deno.test("an unknown token is looked up anew after 5 s, a failure at once", async () => {
  let calls = 0;
  let fail = false;
  const kv = await Deno.openKv(":memory:");
  const counting = new Proxy(kv, {
    get(target, name) {
      if (name === "get") {
        calls++;
        return (key: Deno.KvKey) =>
          fail ? Promise.reject(new Error("disk is gone")) : target.get(key);
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const clock = { now: START };
  const tokens = openTokens(counting, { now: () => clock.now });
  try {
    await tokens.find("pp_unknown");
    await tokens.find("pp_unknown");
    assert.equal(calls, 1);
    clock.now += 5_000;
    fail = true;
    await assert.rejects(tokens.find("pp_unknown"), StoreUnavailable);
    assert.equal(calls, 2);
    fail = false;
    assert.equal(await tokens.find("pp_unknown"), null);
    assert.equal(calls, 3);
  } finally {
    kv.close();
  }
});

Deno.test("a store that does not answer is given up on", async () => {
  const kv = await Deno.openKv(":memory:");
  const deaf = new Proxy(kv, { get: () => () => new Promise(() => {}) });
  try {
    const tokens = openTokens(deaf, { now: () => START, timeoutMs: 5 });
    await assert.rejects(tokens.find("pp_x"), StoreUnavailable);
    await assert.rejects(tokens.remove("acme", "x", { by: "root" }), StoreUnavailable);
  } finally {
    kv.close();
  }
});

Deno.test("the list is newest first, and its pages stay exact while tokens are added", () =>
  withKv(async ({ kv, clock, now }) => {
    const tokens = openTokens(kv, { now });
    for (let i = 0; i < 25; i++) {
      clock.now += i % 3; // some within one millisecond
      await tokens.create({ ...alice, user: `user${i}` });
    }
    await tokens.create({ ...alice, org: "acme2", user: "stranger" });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await tokens.list("acme", { limit: 12, cursor });
      seen.push(...page.items.map((token) => token.user));
      cursor = page.cursor ?? undefined;
      await tokens.create({ ...alice, user: "late" });
    } while (cursor !== undefined);
    assert.deepEqual(seen, Array.from({ length: 25 }, (_, i) => `user${24 - i}`));
    await assert.rejects(tokens.list("acme", { limit: 1, cursor: "nonsense" }), CursorInvalid);
  }));

Deno.test("orgs with tokens are listed once each", () =>
  withKv(async ({ kv, now }) => {
    const tokens = openTokens(kv, { now });
    assert.deepEqual(await tokens.orgs(), []);
    for (const org of ["zeta", "acme", "acme-two", "acme", "zeta"]) {
      await tokens.create({ ...alice, org });
    }
    assert.deepEqual(await tokens.orgs(), ["acme", "acme-two", "zeta"]);
  }));

Deno.test("long lists are read from a database whose every answer takes its time", () =>
  withKv(async ({ kv, now }) => {
    const tokens = openTokens(kv, { now });
    for (let i = 0; i < 150; i++) await tokens.create({ ...alice, user: `user${i}` });
    for (let i = 0; i < 30; i++) await tokens.create({ ...alice, org: `org${i}` });
    const wait = () => new Promise((resolve) => setTimeout(resolve, 20));
    const far = kvWith(kv, {
      async getMany(...given) {
        await wait();
        return await kv.getMany(...given);
      },
      list(...given) {
        const entries = kv.list<never>(...given);
        const next = entries.next.bind(entries);
        let first: Promise<unknown> | undefined;
        entries.next = async () => {
          await (first ??= wait());
          return await next();
        };
        return entries;
      },
    });
    // Together they take longer than one of them may.
    const there = openTokens(far, { now, timeoutMs: 400 });
    assert.equal((await there.list("acme", { limit: 1_000 })).items.length, 150);
    assert.equal((await there.orgs()).length, 31);
  }));

Deno.test("what cannot be read as a token is none", () =>
  withKv(async ({ kv, now }) => {
    const tokens = openTokens(kv, { now });
    const { token, secret } = await tokens.create(alice);
    for await (const { key } of kv.list({ prefix: ["token"] })) {
      await kv.set(key, { ...token, role: "emperor" });
    }
    const fresh = openTokens(kv, { now });
    assert.equal(await fresh.find(secret), null);
    assert.deepEqual((await fresh.list("acme", { limit: 10 })).items, []);
  }));

Deno.test("the root token is made once, however many instances start together", () =>
  withKv(async ({ kv, now }) => {
    const starts = await Promise.all(
      Array.from({ length: 8 }, () => ensureRootToken(kv, { configured: undefined, now })),
    );
    const secrets = starts.flatMap(({ secret }) => secret ?? []);
    assert.equal(secrets.length, 1);
    assert.equal(new Set(starts.map(({ sha256 }) => sha256)).size, 1);
    for (const { sha256 } of starts) {
      const found = await openTokens(kv, { now, root: sha256 }).find(secrets[0]);
      assert.equal(found?.org, ANY_ORG);
      assert.equal(found?.role, "admin");
      assert.equal(found?.user, "root");
    }
    const again = await ensureRootToken(kv, { configured: undefined, now });
    assert.deepEqual(again, { secret: null, sha256: starts[0].sha256 });
  }));

Deno.test("a configured root token replaces the one made earlier", () =>
  withKv(async ({ kv, now }) => {
    const made = await ensureRootToken(kv, { configured: "", now });
    assert(made.secret);
    const configured = await ensureRootToken(kv, { configured: "correct horse", now });
    assert.equal(configured.secret, null);
    const tokens = openTokens(kv, { now, root: configured.sha256 });
    assert.equal((await tokens.find("correct horse"))?.role, "admin");
    assert.equal(await tokens.find(made.secret), null);
    assert.equal(await openTokens(kv, { now }).find("correct horse"), null);
  }));

Deno.test("a root token whose hash cannot be read stops the start", () =>
  withKv(async ({ kv, now }) => {
    await kv.set(keys.meta("root_token"), "nonsense");
    await assert.rejects(ensureRootToken(kv, { configured: undefined, now }), StoreUnavailable);
  }));

Deno.test("what KV has said within 5 s is known without asking, until it is removed or ends", () =>
  withKv(async ({ kv, clock, now }) => {
    const root = await ensureRootToken(kv, { configured: undefined, now });
    const tokens = openTokens(kv, { now, root: root.sha256 });
    const expires = new Date(START + 20_000).toISOString();
    const { token, secret } = await tokens.create({ ...alice, expires });
    assert.equal(tokens.peek(secret), undefined, "KV has not been asked");
    await tokens.find(secret);
    assert.deepEqual(tokens.peek(secret), token);
    assert.equal(tokens.peek(root.secret ?? "")?.org, ANY_ORG);
    clock.now += 5_000;
    assert.equal(tokens.peek(secret), undefined, "too long ago");
    await tokens.find(secret);
    clock.now -= 1;
    assert.equal(tokens.peek(secret), undefined, "a clock that was set back");
    clock.now = START + 19_999;
    await tokens.find(secret);
    assert.deepEqual(tokens.peek(secret), token);
    clock.now += 1;
    assert.equal(tokens.peek(secret), undefined, "it has ended");
    const other = await tokens.create(alice);
    await tokens.find(other.secret);
    await tokens.remove("acme", other.token.id, { by: "root" });
    assert.equal(tokens.peek(other.secret), undefined, "removed");
    for (const wrong of ["", "pp_", "x".repeat(100_000)]) {
      await tokens.find(wrong);
      assert.equal(tokens.peek(wrong), undefined);
    }
  }));
