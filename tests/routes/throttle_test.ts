import assert from "node:assert/strict";
import type { RequestRate } from "../../policy/types.ts";
import { Throttle } from "../../routes/throttle.ts";

function setting(limits: Partial<Record<"token" | "user" | "address", RequestRate>>) {
  const clock = { now: 1_000_000 };
  const throttle = new Throttle(() => clock.now);
  const policy = { org: "acme", limits: { token: null, user: null, address: null, ...limits } };
  let asked = 0;
  return {
    clock,
    throttle,
    /** How often the runtime was asked for the address. */
    asked: () => asked,
    take(ip: string, { user = "", tokenId = null as string | null, cost = 1 } = {}) {
      const client = {
        get ip() {
          asked++;
          return ip;
        },
      };
      const role = tokenId === null ? null : "client";
      return throttle.take({ org: "acme", user, role, tokenId }, { policy, client, cost });
    },
  };
}

Deno.test("a bucket fills again evenly, and never above its size", () => {
  const it = setting({ user: { count: 4, ms: 1_000 } });
  const take = () => it.take("", { user: "alice" });
  for (let i = 0; i < 4; i++) assert.equal(take(), null);
  assert.deepEqual(take(), { what: "user", waitMs: 250 });
  it.clock.now += 249;
  assert.equal(take()?.waitMs, 1);
  it.clock.now += 1;
  assert.equal(take(), null);
  assert.equal(take()?.waitMs, 250);
  it.clock.now += 60_000;
  assert.deepEqual(Array.from({ length: 5 }, () => take() === null), [
    true,
    true,
    true,
    true,
    false,
  ]);
});

Deno.test("a name that nobody has proved uses up nothing of who has", () => {
  const it = setting({ user: { count: 1, ms: 1_000 } });
  const [claimed, proved] = [{ user: "alice" }, { user: "alice", tokenId: "01KB" }];
  assert.equal(it.take("", claimed), null);
  assert.equal(it.take("", claimed)?.what, "user");
  assert.equal(it.take("", proved), null);
  assert.equal(it.take("", proved)?.what, "user");
});

Deno.test("a clock that is set back locks nobody out for longer than a bucket lasts", () => {
  const it = setting({ user: { count: 1, ms: 1_000 } });
  it.take("", { user: "alice" });
  it.clock.now -= 3600_000;
  assert.equal(it.take("", { user: "alice" })?.waitMs, 1_000);
  it.clock.now += 1_000;
  assert.equal(it.take("", { user: "alice" }), null);
});

Deno.test("a clock that is set back keeps nobody from giving tokens for longer than a minute", () => {
  const it = setting({});
  const client = { ip: "203.0.113.7" };
  for (let i = 0; i < 60; i++) it.throttle.wrongToken(client.ip);
  it.clock.now -= 3600_000;
  assert.equal(it.throttle.tokensWait(client), 1_000);
  it.clock.now += 1_000;
  assert.equal(it.throttle.tokensWait(client), 0);
});

Deno.test("what is used up stays so while the limits are not known", () => {
  const clock = { now: 1_000_000 };
  const throttle = new Throttle(() => clock.now);
  const hourly = { token: null, user: { count: 1, ms: 3600_000 }, address: null };
  const policy = { org: "acme", limits: hourly };
  const asking = { org: "acme", user: "alice", role: null, tokenId: null };
  const take = (known: typeof policy | undefined) =>
    throttle.take(asking, { policy: known, client: { ip: "" }, cost: 1 });
  assert.equal(take(policy), null);
  assert.equal(take(undefined)?.what, "user");
  clock.now += 120_000;
  assert.equal(take(policy)?.waitMs, 3480_000);
});

Deno.test("a whole IPv6 network is one sender, and an IPv4 address within one the same as itself", () => {
  const it = setting({ address: { count: 1, ms: 1_000 } });
  assert.equal(it.take("2001:db8:1:2::1"), null);
  assert.notEqual(it.take("2001:db8:1:2:ffff::9"), null);
  assert.notEqual(it.take("2001:0DB8:0001:0002::"), null);
  assert.equal(it.take("2001:db8:1:3::1"), null);
  assert.equal(it.take("::1"), null);
  assert.notEqual(it.take("0:0:0:0:0:0:0:1"), null);
  assert.equal(it.take("192.0.2.1"), null);
  assert.notEqual(it.take("::ffff:192.0.2.1"), null);
  assert.equal(it.take("192.0.2.2"), null);
});

Deno.test("a high limit asks for addresses only when half of it is used, and still holds", () => {
  const count = 20_000;
  const it = setting({ address: { count, ms: 60_000 } });
  for (let i = 0; i < count / 2; i++) assert.equal(it.take("192.0.2.1"), null);
  assert.equal(it.asked(), 0);
  let more = 0;
  while (more < 2 * count && it.take("192.0.2.1") === null) more++;
  assert.equal(more, count);
  assert.equal(it.take("192.0.2.2"), null, "another address is not the one");
  // Whoever goes on at twice the rate gets through at the rate itself.
  let through = 0;
  for (let i = 0; i < 2 * count; i++) {
    it.clock.now += 60_000 / (2 * count);
    if (it.take("192.0.2.1") === null) through++;
  }
  assert.ok(Math.abs(through - count) < count / 50, `${through}`);
});

Deno.test("a client without an address is limited by token and user alone", () => {
  const it = setting({ address: { count: 1, ms: 1_000 } });
  assert.deepEqual([it.take(""), it.take("")], [null, null]);
  for (let i = 0; i < 100; i++) it.throttle.wrongToken("");
  assert.equal(it.throttle.tokensWait({ ip: "" }), 0);
});

Deno.test("counting a request takes no time that anybody would notice", () => {
  const it = setting({
    token: { count: 1e8, ms: 60_000 },
    user: { count: 1e8, ms: 60_000 },
    address: { count: 1e8, ms: 60_000 },
  });
  const client = { user: "alice", tokenId: "01KB" };
  const round = () => {
    const begin = performance.now();
    for (let i = 0; i < 20_000; i++) it.take("192.0.2.1", client);
    return (performance.now() - begin) / 20;
  };
  const best = Math.min(...Array.from({ length: 10 }, round));
  assert.ok(best < 5_000, `${best.toFixed(0)} ns`);
});
