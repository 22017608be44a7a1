import assert from "node:assert/strict";
import { openJournal } from "../../../policy/store/journal.ts";
import { keys } from "../../../policy/store/keys.ts";
import { type Batch, Outbox } from "../../../policy/store/outbox.ts";
import type { News } from "../../../policy/store/types.ts";
import type { WebhookEvent } from "../../../policy/types.ts";
import type { Webhook } from "../../../policy/types.ts";
import { webhookId } from "../../../policy/webhooks.ts";
import { kvCommitting, START } from "./records_fixture.ts";

const ALL: Webhook = { url: "https://hooks.example/all" };
const ALERTS: Webhook = { url: "https://hooks.example/alerts", events: ["alert"] };
const ACME = { org: "acme", hook: webhookId(ALL) };

interface World {
  readonly kv: Deno.Kv;
  readonly clock: { now: number };
  readonly outbox: Outbox;
  readonly lines: Readonly<Record<string, unknown>>[];
  /** Another instance on the same database. */
  other(kv?: Deno.Kv): Outbox;
  happen(text: string, more?: { org?: string; kind?: WebhookEvent }): Promise<News>;
  share(): Promise<void>;
  count(prefix: string): Promise<number>;
}

async function inWorld(run: (world: World) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  const now = () => clock.now;
  const lines: Readonly<Record<string, unknown>>[] = [];
  const other = (over = kv) => new Outbox(over, { now, log: (line) => void lines.push(line) });
  const outbox = other();
  const journal = openJournal({ now });
  try {
    await run({
      kv,
      clock,
      outbox,
      lines,
      other,
      async happen(text, { org = "acme", kind = "policy" } = {}) {
        const atomic = kv.atomic();
        const news = journal.news(atomic, { org, kind, event: kind, text });
        assert.ok((await atomic.commit()).ok);
        return news;
      },
      share: () => outbox.shareOut(() => Promise.resolve([ALL, ALERTS])),
      count: async (prefix) => (await Array.fromAsync(kv.list({ prefix: [prefix] }))).length,
    });
  } finally {
    kv.close();
  }
}

function texts(batch: Batch | null): string[] {
  return batch?.news.map(({ text }) => text) ?? [];
}

Deno.test("news goes once to each webhook that wants it", () =>
  inWorld(async ({ outbox, happen, share, count }) => {
    await happen("a policy changed");
    const alert = await happen("an alert", { kind: "alert" });
    await happen("elsewhere", { org: "other" });
    await share();
    assert.equal(await count("news"), 0);
    assert.deepEqual(texts(await outbox.next(ACME)), ["a policy changed", "an alert"]);
    const alerts = await outbox.next({ org: "acme", hook: webhookId(ALERTS) });
    assert.deepEqual(alerts?.news, [alert]);
    assert.deepEqual(
      new Set((await outbox.waiting()).map(({ org, hook }) => `${org} ${hook}`)),
      new Set([`acme ${ACME.hook}`, `acme ${webhookId(ALERTS)}`, `other ${ACME.hook}`]),
    );
  }));

Deno.test("long news goes to more webhooks than one commit can hold", () =>
  inWorld(async ({ outbox, happen, count }) => {
    await happen("x".repeat(50_000));
    const many = Array.from({ length: 25 }, (_, i) => ({ url: `https://hooks.example/${i}` }));
    await outbox.shareOut(() => Promise.resolve(many));
    assert.deepEqual([await count("delivery"), await count("news")], [25, 0]);
  }));

Deno.test("a webhook that went is told what was committed by then, whatever the clocks say", () =>
  inWorld(async ({ kv, clock, outbox, happen }) => {
    clock.now += 60_000;
    await happen("before");
    const { versionstamp: until } = await kv.set(["its", "end"], true);
    clock.now -= 60_000;
    await happen("after");
    await outbox.shareOut(() => Promise.resolve([{ ...ALL, until }, { ...ALERTS, until }]));
    assert.deepEqual(texts(await outbox.next(ACME)), ["before"]);
    assert.deepEqual(await outbox.waiting(), [ACME]);
  }));

Deno.test("news that nobody wants is gone", () =>
  inWorld(async ({ outbox, happen, count }) => {
    await happen("a policy changed");
    await outbox.shareOut(() => Promise.resolve([ALERTS]));
    assert.deepEqual(await outbox.waiting(), []);
    assert.equal(await count("news"), 0);
  }));

Deno.test("an org whose policy cannot be read keeps its news, and holds nobody up", () =>
  inWorld(async ({ outbox, happen, lines, count }) => {
    await happen("unlucky", { org: "broken" });
    await happen("unlucky still", { org: "broken" });
    await happen("lucky");
    const broken = (org: string) =>
      org === "broken" ? Promise.reject(new RangeError("unreadable")) : Promise.resolve([ALL]);
    await outbox.shareOut(broken);
    assert.deepEqual(await outbox.waiting(), [ACME]);
    assert.equal(await count("news"), 2);
    assert.deepEqual(lines.map(({ event, org }) => [event, org]), [["webhook_waits", "broken"]]);
    await outbox.shareOut(() => Promise.resolve([ALL]));
    assert.deepEqual(await outbox.waiting(), [ACME, { org: "broken", hook: ACME.hook }]);
  }));

Deno.test("two instances that share out at once tell everything once", () =>
  inWorld(async ({ outbox, other, happen, count }) => {
    for (let i = 0; i < 40; i++) await happen(`news ${i}`);
    const webhooks = () => Promise.resolve([ALL]);
    await Promise.all([outbox.shareOut(webhooks), other().shareOut(webhooks)]);
    assert.equal(await count("delivery"), 40);
    assert.equal(texts(await outbox.next(ACME)).length, 40);
  }));

Deno.test("a batch is the same under the same id until it is settled, also for the next process", () =>
  inWorld(async ({ outbox, other, happen, share }) => {
    await happen("first");
    await share();
    const batch = await outbox.next(ACME);
    assert.ok(batch);
    await happen("second");
    await share();
    const again = await other().next(ACME);
    assert.equal(again?.deliveryId, batch.deliveryId);
    assert.deepEqual(texts(again), ["first"]);
    assert.equal(await outbox.settle(batch), true);
    const next = await other().next(ACME);
    assert.deepEqual(texts(next), ["second"]);
    assert.notEqual(next?.deliveryId, batch.deliveryId);
  }));

Deno.test("a batch that failed keeps its id and its content, and says when to try again", () =>
  inWorld(async ({ outbox, other, happen, share }) => {
    await happen("first");
    await share();
    const batch = await outbox.next(ACME);
    assert.ok(batch);
    assert.equal(await outbox.postpone(batch, START + 5_000), true);
    const again = await other().next(ACME);
    assert.ok(again);
    assert.equal(again.deliveryId, batch.deliveryId);
    assert.deepEqual(again.news, batch.news);
    assert.deepEqual([again.attempts, again.retryAt], [1, START + 5_000]);
    // Who read the earlier state can neither settle nor count another failure.
    assert.equal(await outbox.settle(batch), false);
    assert.equal(await outbox.postpone(batch, START), false);
    assert.equal(await outbox.settle(again), true);
    assert.equal(await outbox.next(ACME), null);
  }));

Deno.test("settling leaves nothing behind", () =>
  inWorld(async ({ outbox, happen, share, count }) => {
    for (let i = 0; i < 60; i++) await happen(`news ${i}`);
    await share();
    const sizes: number[] = [];
    for (let batch = await outbox.next(ACME); batch !== null; batch = await outbox.next(ACME)) {
      sizes.push(batch.news.length);
      assert.ok(await outbox.settle(batch));
    }
    assert.deepEqual(sizes, [50, 10]);
    assert.equal(await count("delivery") + await count("delivery_state") + await count("news"), 0);
  }));

Deno.test("a batch is bounded in size, but never empty", () =>
  inWorld(async ({ kv, outbox, happen, share }) => {
    const large = "x".repeat(40_000);
    for (let i = 0; i < 12; i++) await happen(large);
    await share();
    const batch = await outbox.next(ACME);
    assert.equal(batch?.news.length, 9);
    assert.equal((await Array.fromAsync(kv.list({ prefix: keys.allDeliveries() }))).length, 12);
  }));

Deno.test("of two instances that form a batch at once, both hold the same", () =>
  inWorld(async ({ outbox, other, happen, share }) => {
    for (let i = 0; i < 5; i++) await happen(`news ${i}`);
    await share();
    const [a, b] = await Promise.all([outbox.next(ACME), other().next(ACME)]);
    assert.ok(a && b);
    assert.equal(a.deliveryId, b.deliveryId);
    assert.deepEqual(a.news, b.news);
    assert.deepEqual([await outbox.settle(a), await outbox.settle(b)], [true, false]);
  }));

Deno.test("what cannot be read is removed with a line in the log, and holds nothing up", () =>
  inWorld(async ({ kv, outbox, happen, share, lines, count }) => {
    await kv.set(keys.news("acme", "0"), "nonsense");
    await happen("sound");
    await share();
    await kv.set(keys.delivery("acme", ACME.hook, "0"), { text: "half" });
    await kv.set(keys.deliveryState("acme", ACME.hook), { ids: "none" });
    assert.deepEqual(texts(await outbox.next(ACME)), ["sound"]);
    assert.deepEqual(lines.map(({ event }) => event), ["webhook_unreadable", "webhook_unreadable"]);
    assert.equal(await count("delivery"), 1);
  }));

Deno.test("a batch whose news was kept for too long gives way to the next", () =>
  inWorld(async ({ kv, outbox, happen, share }) => {
    const { id } = await happen("old");
    await share();
    assert.ok(await outbox.next(ACME));
    await kv.delete(keys.delivery("acme", ACME.hook, id));
    assert.equal(await outbox.next(ACME), null);
    await happen("new");
    await share();
    assert.deepEqual(texts(await outbox.next(ACME)), ["new"]);
  }));

Deno.test("what has waited for too long is discarded, and no more than that", () =>
  inWorld(async ({ clock, outbox, happen, share }) => {
    for (let i = 0; i < 250; i++) await happen("old");
    clock.now += 10_000;
    await happen("young");
    await share();
    assert.equal(await outbox.discard(ACME, START + 10_000), 250);
    assert.deepEqual(texts(await outbox.next(ACME)), ["young"]);
    assert.equal(await outbox.discard(ACME, Infinity), 1);
    assert.equal(await outbox.next(ACME), null);
  }));

Deno.test("a commit that fails half-way leaves the news where it was", () =>
  inWorld(async ({ kv, outbox, other, happen }) => {
    await happen("stubborn");
    let failing = true;
    const flaky = kvCommitting(kv, (commit) => {
      if (failing) throw new TypeError("database is locked");
      return commit();
    });
    const webhooks = () => Promise.resolve([ALL]);
    await assert.rejects(other(flaky).shareOut(webhooks));
    assert.deepEqual(await outbox.waiting(), []);
    failing = false;
    await other(flaky).shareOut(webhooks);
    assert.deepEqual(texts(await outbox.next(ACME)), ["stubborn"]);
  }));
