import assert from "node:assert/strict";
import { type Alerts, openAlerts } from "../../../policy/store/alerts.ts";
import { CursorInvalid, StoreUnavailable } from "../../../policy/store/errors.ts";
import { openJournal } from "../../../policy/store/journal.ts";
import { keys } from "../../../policy/store/keys.ts";
import { at, found, START, user } from "./alerts_fixture.ts";

interface World {
  readonly kv: Deno.Kv;
  readonly clock: { now: number };
  readonly alerts: Alerts;
  /** How often somebody was told that there may be news. */
  told(): number;
  news(org?: string): Promise<Record<string, unknown>[]>;
}

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  let told = 0;
  const now = () => clock.now;
  const journal = openJournal({ now, onNews: () => told++ });
  try {
    await work({
      kv,
      clock,
      alerts: openAlerts(kv, { now, journal }),
      told: () => told,
      news: async (org = "acme") => {
        const list = kv.list<Record<string, unknown>>({ prefix: [...keys.allNews(), org] });
        return (await Array.fromAsync(list)).map(({ value }) => value);
      },
    });
  } finally {
    kv.close();
  }
}

Deno.test("an alert is raised once, and webhooks are told in the same breath", () =>
  inWorld(async ({ alerts, told, news }) => {
    assert.equal(await alerts.raise(found(), "axios"), "raised");
    assert.equal(await alerts.raise(found(), "axios"), "known");
    const { items } = await alerts.list("acme", { limit: 10 });
    assert.equal(items.length, 1);
    assert.equal(items[0].status, "open");
    assert.equal(items[0].at, at(0));
    assert.deepEqual(await alerts.get("acme", items[0].id), items[0]);
    assert.equal(told(), 1);
    const [one, ...others] = await news();
    assert.equal(others.length, 0);
    assert.equal(one.kind, "alert");
    assert.match(String(one.text), /^axios 1\.14\.1 \(npm\) is malware: MAL-2026-1\./);
    assert.deepEqual(one.details, { alert: items[0] });
  }));

Deno.test("of many who find the same at once, one raises it", () =>
  inWorld(async ({ kv, clock, alerts, news }) => {
    const now = () => clock.now;
    const other = openAlerts(kv, { now, journal: openJournal({ now }) });
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 ? alerts : other).raise(found(), "axios")),
    );
    assert.equal(outcomes.filter((outcome) => outcome === "raised").length, 1);
    assert.equal((await alerts.list("acme", { limit: 10 })).items.length, 1);
    assert.equal((await news()).length, 1);
  }));

Deno.test("each org, package and advisory has an alert of its own", () =>
  inWorld(async ({ alerts }) => {
    await alerts.raise(found(), "axios");
    await alerts.raise(found({ org: "globex" }), "axios");
    await alerts.raise(found({ package: "axios-fork" }), "axios-fork");
    await alerts.raise(found({ ecosystem: "pypi" }), "axios");
    await alerts.raise(found({ advisory: { ...found().advisory, id: "MAL-2026-2" } }), "axios");
    assert.equal((await alerts.list("acme", { limit: 10 })).items.length, 4);
    assert.equal((await alerts.list("globex", { limit: 10 })).items.length, 1);
  }));

Deno.test("further installs are added without telling anybody again, and nothing told before is lost", () =>
  inWorld(async ({ alerts, news, clock }) => {
    await alerts.raise(found(), "axios");
    clock.now += 3_600_000;
    const more = found({
      versions: ["0.30.4"],
      installs: {
        count: 3,
        users: [
          user("bob", { versions: ["0.30.4"], first: at(5), last: at(9), count: 2 }),
          user("alice", { versions: ["0.30.4"], first: at(7), last: at(7), ips: ["10.0.0.9"] }),
        ],
        more_users: 0,
      },
      first: at(5),
      last: at(9),
    });
    assert.equal(await alerts.raise(more, "axios"), "updated");
    assert.equal(await alerts.raise(more, "axios"), "known");
    const { items: [alert] } = await alerts.list("acme", { limit: 10 });
    assert.deepEqual(alert.versions, ["0.30.4", "1.14.1"]);
    assert.deepEqual([alert.first, alert.last, alert.at], [at(0), at(9), at(0)]);
    assert.equal(alert.installs.count, 3);
    assert.deepEqual(alert.installs.users.map(({ user }) => user), ["bob", "alice"]);
    assert.deepEqual(alert.installs.users[1].versions, ["0.30.4", "1.14.1"]);
    assert.equal(alert.installs.users[1].first, at(0));
    assert.equal((await news()).length, 1);
  }));

Deno.test("an alert with more users and versions than fit says how many it leaves out", () =>
  inWorld(async ({ alerts, kv }) => {
    const names = Array.from({ length: 900 }, (_, i) => `user-${i}@acme.example`);
    const versions = Array.from({ length: 700 }, (_, i) => `1.0.${i}-${"x".repeat(60)}`);
    const many = found({
      versions,
      installs: {
        count: 5_000,
        users: names.map((name) => user(name, { versions })),
        more_users: 3,
      },
    });
    assert.equal(await alerts.raise(many, "axios"), "raised");
    assert.equal(await alerts.raise(many, "axios"), "known");
    const { items: [alert] } = await alerts.list("acme", { limit: 10 });
    assert.ok(alert.installs.users.length >= 5, `${alert.installs.users.length} users`);
    assert.equal(alert.installs.users.length + alert.installs.more_users, 903);
    assert.ok(alert.versions.length >= 50, `${alert.versions.length} versions`);
    assert.equal(alert.versions.length + alert.more_versions, 700);
    const news = await Array.fromAsync(kv.list({ prefix: keys.allNews() }));
    assert.ok(JSON.stringify(news[0].value).length < 40_000);
  }));

Deno.test("a sentence counts the versions that it does not name", () =>
  inWorld(async ({ alerts, kv }) => {
    for (const [at, versions] of [["1", "2", "3", "4"], ["1", "2", "3", "4", "5"]].entries()) {
      await alerts.raise(found({ package: `p${at}`, versions }), `p${at}`);
    }
    const news = await Array.fromAsync(kv.list<{ text: string }>({ prefix: keys.allNews() }));
    const [one, two] = news.map(({ value }) => value.text);
    assert.match(one, /^p0 1, 2, 3 and 1 more version \(npm\) is malware/);
    assert.match(two, /^p1 1, 2, 3 and 2 more versions \(npm\) is malware/);
  }));

Deno.test("alerts are listed newest first, in pages, by status and time", () =>
  inWorld(async ({ alerts, clock }) => {
    for (let i = 0; i < 25; i++) {
      await alerts.raise(found({ package: `p${i}` }), `p${i}`);
      clock.now += 60_000;
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await alerts.list("acme", { limit: 7, cursor });
      seen.push(...page.items.map((alert) => alert.package));
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    assert.deepEqual(seen, Array.from({ length: 25 }, (_, i) => `p${24 - i}`));

    const names = async (query: Parameters<Alerts["list"]>[1]) =>
      (await alerts.list("acme", query)).items.map((alert) => alert.package);
    const from = START + 3 * 60_000;
    assert.deepEqual(await names({ limit: 9, since: from, until: from + 120_000 }), ["p4", "p3"]);
    assert.deepEqual(await names({ limit: 9, since: from, until: from }), []);
    const { items: [newest] } = await alerts.list("acme", { limit: 1 });
    await alerts.acknowledge("acme", newest.id, { by: "alice", comment: "" });
    assert.deepEqual(await names({ limit: 1, status: "open" }), ["p23"]);
    assert.deepEqual(await names({ limit: 9, status: "acknowledged" }), ["p24"]);
    await assert.rejects(alerts.list("acme", { limit: 1, cursor: "bm8" }), CursorInvalid);
  }));

Deno.test("an alert is acknowledged once, on record with who and why, and stays so when it grows", () =>
  inWorld(async ({ alerts, kv, clock }) => {
    await alerts.raise(found(), "axios");
    const { items: [{ id }] } = await alerts.list("acme", { limit: 1 });
    clock.now += 60_000;
    assert.equal(await alerts.acknowledge("acme", "none", { by: "bob", comment: "" }), null);
    assert.equal(await alerts.acknowledge("globex", id, { by: "bob", comment: "" }), null);
    const done = await alerts.acknowledge("acme", id, { by: "bob", comment: "keys rotated" });
    assert.deepEqual(done?.acknowledged, { by: "bob", at: at(1), comment: "keys rotated" });
    const again = await alerts.acknowledge("acme", id, { by: "carol", comment: "me too" });
    assert.deepEqual(again, done);
    const audit = await Array.fromAsync(
      kv.list<Record<string, unknown>>({ prefix: keys.audits("acme") }),
    );
    assert.deepEqual(
      audit.map(({ value: { by, action, target, reason } }) => ({ by, action, target, reason })),
      [{ by: "bob", action: "alert.acknowledged", target: id, reason: "keys rotated" }],
    );
    await alerts.raise(found({ versions: ["0.30.4"], last: at(9) }), "axios");
    assert.equal((await alerts.get("acme", id))?.status, "acknowledged");
  }));

Deno.test("an alert that cannot be read is raised anew, and listed once", () =>
  inWorld(async ({ alerts, kv, clock }) => {
    await alerts.raise(found(), "axios");
    const { items: [{ id }] } = await alerts.list("acme", { limit: 1 });
    await kv.set(keys.alert("acme", id), { id });
    assert.deepEqual((await alerts.list("acme", { limit: 9 })).items, []);
    clock.now += 60_000;
    assert.equal(await alerts.raise(found(), "axios"), "raised");
    const { items } = await alerts.list("acme", { limit: 9 });
    assert.deepEqual(items.map((alert) => [alert.id, alert.at]), [[id, at(1)]]);
  }));

Deno.test("a database that another process has locked is tried again, but not for ever", async () => {
  const kv = await Deno.openKv(":memory:");
  const now = () => START;
  let failures = 2;
  const locked = new Proxy(kv, {
    get(target, name) {
      if (name !== "atomic") return Reflect.get(target, name, target).bind(target);
      return () => {
        const atomic = target.atomic();
        const commit = atomic.commit.bind(atomic);
        atomic.commit = () => {
          if (failures-- > 0) throw new TypeError("database is locked");
          return commit();
        };
        return atomic;
      };
    },
  });
  const alerts = openAlerts(locked, { now, journal: openJournal({ now }), timeoutMs: 300 });
  try {
    assert.equal(await alerts.raise(found(), "axios"), "raised");
    failures = Infinity;
    await assert.rejects(alerts.raise(found({ org: "globex" }), "axios"), StoreUnavailable);
    assert.equal((await alerts.list("globex", { limit: 1 })).items.length, 0);
  } finally {
    kv.close();
  }
});
