import assert from "node:assert/strict";
import { PolicyInvalid } from "../../../policy/store/errors.ts";
import { keys } from "../../../policy/store/keys.ts";
import { OwnRequest, RequestClosed, TooManyRequests } from "../../../policy/store/request.ts";
import { MAX_OPEN, MAX_PER_ADDRESS, MAX_PER_USER } from "../../../policy/store/requests.ts";
import { DAY, HOUR, NOW } from "../world.ts";
import { inStores, wish } from "./exceptions_fixture.ts";

const APPROVE = {
  decision: "approve",
  by: "eve",
  role: "editor",
  until: null,
  comment: null,
} as const;
const DENY = { ...APPROVE, decision: "deny" } as const;
const ALICE = { org: "acme", user: "alice", ip: "10.0.0.7", authenticated: true };

Deno.test("a request is stored, written down and told to approvers with a link", () =>
  inStores(async ({ requests, audit, news }) => {
    const { request, created } = await requests.ask(wish());
    assert.equal(created, true);
    assert.equal(request.status, "open");
    assert.equal(request.expires, new Date(NOW + 14 * DAY).toISOString());
    assert.deepEqual(await requests.get("acme", request.id), request);
    assert.equal(await requests.get("other", request.id), null);

    const [entry] = await audit();
    assert.deepEqual(
      [entry.action, entry.by, entry.target, entry.reason],
      ["exception.asked", "alice", request.id, "mends our build"],
    );
    const [told] = await news();
    assert.deepEqual([told.kind, told.event], ["exception", "exception.asked"]);
    assert.match(told.text, /^alice asks for pkg:npm\/axios@1\.0\.0, withheld by min_age: mends/);
    const link = new URL(told.link ?? "");
    assert.equal(link.origin, "https://packages.example");
    assert.equal(link.pathname, `/admin/v1/orgs/acme/requests/${request.id}/decide`);
    assert.doesNotMatch(JSON.stringify(told), /10\.0\.0\.7/);
  }));

Deno.test("the log does not pass off a name in an address as somebody's own deed", () =>
  inStores(async ({ requests, audit }) => {
    await requests.ask(wish({ user: "root", authenticated: false }));
    await requests.ask(wish({ user: "", authenticated: false }));
    assert.deepEqual(
      (await audit()).map(({ by }) => by),
      ["root (by name only)", "somebody without a name"],
    );
  }));

Deno.test("asking again for the same release gives the open request, also to a process beside", () =>
  inStores(async ({ requests, other, news }) => {
    const first = await requests.ask(wish());
    const [again, beside] = await Promise.all([
      requests.ask(wish({ reason: "still" })),
      other().requests.ask(wish({ reason: "please" })),
    ]);
    assert.deepEqual([again.created, beside.created], [false, false]);
    assert.equal(again.request.id, first.request.id);
    assert.equal((await news()).length, 1);
    const bob = await requests.ask(wish({ user: "bob" }));
    assert.equal(bob.created, true);
  }));

Deno.test("a name in an address neither stands for nor learns of what its owner has asked", () =>
  inStores(async ({ requests }) => {
    const { purl } = wish();
    const claimed = { ...ALICE, authenticated: false };
    const stranger = await requests.ask(wish({ authenticated: false, reason: "let me in" }));
    assert.equal(await requests.last(ALICE, purl), null);
    const alice = await requests.ask(wish());
    assert.deepEqual([alice.created, alice.request.reason], [true, "mends our build"]);
    assert.deepEqual(await requests.last(ALICE, purl), alice.request);
    assert.deepEqual(await requests.last(claimed, purl), stranger.request);
    const again = await requests.ask(wish({ authenticated: false }));
    assert.deepEqual([again.created, again.request.id], [false, stranger.request.id]);
  }));

Deno.test("what was asked by a clock ahead keeps nobody from asking once it is set right", () =>
  inStores(async ({ requests, clock }) => {
    clock.now += 30 * DAY;
    for (let i = 0; i < MAX_PER_USER; i++) {
      await requests.ask(wish({ purl: `pkg:npm/a${i}@1.0.0` }));
    }
    await assert.rejects(requests.ask(wish()), TooManyRequests);
    clock.now -= 30 * DAY;
    assert.equal((await requests.ask(wish())).created, true);
  }));

Deno.test("two that ask at once make one request", () =>
  inStores(async ({ requests, other }) => {
    const stores = [requests, other().requests, other().requests];
    const asked = await Promise.all(stores.map((store) => store.ask(wish())));
    assert.equal(new Set(asked.map(({ request }) => request.id)).size, 1);
    assert.equal(asked.filter(({ created }) => created).length, 1);
    assert.equal((await requests.list("acme", { limit: 10 })).items.length, 1);
  }));

Deno.test("approval adds an exception for that version and those rules, and the log says who", () =>
  inStores(async ({ requests, stored, audit, news, policies }) => {
    const { request } = await requests.ask(wish());
    const until = NOW + 3 * DAY;
    const decided = await requests.decide("acme", request.id, {
      ...APPROVE,
      until,
      comment: "for the release",
    });
    assert.equal(decided?.status, "approved");
    assert.deepEqual(decided?.decided, {
      by: "eve",
      at: new Date(NOW).toISOString(),
      until: "2026-12-04T10:00:00Z",
      comment: "for the release",
    });
    assert.deepEqual(await stored(), [{
      purl: "pkg:npm/axios@1.0.0",
      rules: ["min_age"],
      until: "2026-12-04T10:00:00Z",
      reason: "mends our build (asked by alice, approved by eve, OPS-1)",
    }]);
    assert.deepEqual(await requests.get("acme", request.id), decided);
    const entry = (await audit()).at(-1);
    assert.deepEqual(
      [entry?.action, entry?.by, entry?.target, entry?.reason],
      ["exception.approved", "eve", request.id, "for the release"],
    );
    assert.deepEqual(entry?.before, { status: "open" });
    assert.equal((await news()).at(-1)?.event, "exception.approved");
    assert.equal((await policies.history("acme", { limit: 1 })).items[0].by, "eve");
  }));

Deno.test("an approval without an end lasts as long as the policy says", () =>
  inStores(async ({ requests, stored, policies }) => {
    await policies.replace("acme", { approvals: { default: "2d", maximum: "3d" } }, { by: "test" });
    const { request } = await requests.ask(wish());
    await requests.decide("acme", request.id, APPROVE);
    assert.equal((await stored())[0].until, "2026-12-03T10:00:00Z");
  }));

Deno.test("an end beyond the maximum or in the past is refused, and the request stays open", () =>
  inStores(async ({ requests, stored }) => {
    const { request } = await requests.ask(wish());
    for (const until of [NOW, NOW - DAY, NOW + 90 * DAY + 1]) {
      await assert.rejects(
        requests.decide("acme", request.id, { ...APPROVE, until }),
        (error) => error instanceof PolicyInvalid && error.faults[0].pointer === "/until",
      );
    }
    assert.deepEqual(await stored(), []);
    assert.equal((await requests.get("acme", request.id))?.status, "open");
    const decided = await requests.decide("acme", request.id, {
      ...APPROVE,
      until: NOW + 90 * DAY,
    });
    assert.equal(decided?.status, "approved");
  }));

Deno.test("a request is decided once, however many decide at the same time", () =>
  inStores(async ({ requests, other, stored, audit, clock }) => {
    const { request } = await requests.ask(wish());
    // Within one millisecond, lines of two processes have no order.
    clock.now += 1;
    const decisions = await Promise.allSettled([
      requests.decide("acme", request.id, APPROVE),
      other().requests.decide("acme", request.id, DENY),
      other().requests.decide("acme", request.id, APPROVE),
    ]);
    const done = decisions.filter(({ status }) => status === "fulfilled");
    assert.equal(done.length, 1);
    for (const decision of decisions) {
      if (decision.status === "rejected") assert.ok(decision.reason instanceof RequestClosed);
    }
    const closed = await requests.get("acme", request.id);
    assert.equal((await stored()).length, closed?.status === "approved" ? 1 : 0);
    const actions = (await audit()).map(({ action }) => action);
    assert.deepEqual(actions, ["exception.asked", `exception.${closed?.status}`]);
    await assert.rejects(requests.decide("acme", request.id, DENY), RequestClosed);
  }));

Deno.test("a denial changes no policy, says why, and the same may be asked for again", () =>
  inStores(async ({ requests, stored, policies, audit, news }) => {
    const { request } = await requests.ask(wish());
    const before = (await policies.read("acme"))?.revision;
    const denied = await requests.decide("acme", request.id, { ...DENY, comment: "wait a week" });
    assert.deepEqual([denied?.status, denied?.decided?.until], ["denied", null]);
    assert.deepEqual(await stored(), []);
    assert.equal((await policies.read("acme"))?.revision, before);
    assert.equal((await audit()).at(-1)?.reason, "wait a week");
    assert.match((await news()).at(-1)?.text ?? "", /^eve denied .* for alice: wait a week$/);
    assert.deepEqual(
      await requests.last({ ...ALICE, ip: "" }, wish().purl),
      denied,
    );
    assert.equal((await requests.ask(wish())).created, true);
  }));

Deno.test("nobody approves a request of their own, but for an admin; anybody may take it back", () =>
  inStores(async ({ requests, stored }) => {
    const { request } = await requests.ask(wish({ user: "eve" }));
    await assert.rejects(requests.decide("acme", request.id, APPROVE), OwnRequest);
    assert.deepEqual(await stored(), []);
    const admin = await requests.decide("acme", request.id, { ...APPROVE, role: "admin" });
    assert.equal(admin?.status, "approved");
    const second = await requests.ask(wish({ user: "eve", purl: "pkg:npm/axios@1.0.1" }));
    assert.equal((await requests.decide("acme", second.request.id, DENY))?.status, "denied");
    assert.equal(await requests.decide("acme", "none", DENY), null);
    assert.equal(await requests.decide("other", second.request.id, DENY), null);
  }));

Deno.test("after 14 days without a decision it is over", () =>
  inStores(async ({ requests, clock }) => {
    const { request } = await requests.ask(wish());
    clock.now = NOW + 14 * DAY - 1;
    assert.equal((await requests.get("acme", request.id))?.status, "open");
    clock.now = NOW + 14 * DAY;
    assert.equal((await requests.get("acme", request.id))?.status, "expired");
    await assert.rejects(requests.decide("acme", request.id, APPROVE), RequestClosed);
    const page = { limit: 10 };
    assert.deepEqual((await requests.list("acme", { ...page, status: "open" })).items, []);
    assert.equal((await requests.list("acme", { ...page, status: "expired" })).items.length, 1);
    assert.equal((await requests.ask(wish())).created, true);
  }));

Deno.test("one user asks so often within an hour, and is told when to go on", () =>
  inStores(async ({ requests, clock }) => {
    const ask = (i: number, more = {}) =>
      requests.ask(wish({ purl: `pkg:npm/a${i}@1.0.0`, ...more }));
    for (let i = 0; i < MAX_PER_USER; i++) {
      await ask(i);
      clock.now += 60_000;
    }
    const tooMany = (error: unknown) =>
      error instanceof TooManyRequests && error.retryAfterMs === HOUR - MAX_PER_USER * 60_000;
    await assert.rejects(ask(99), tooMany);
    assert.equal((await ask(0)).created, false, "the open one is still told");
    assert.equal((await ask(98, { user: "bob" })).created, true);
    clock.now = NOW + HOUR;
    assert.equal((await ask(99)).created, true);
    await assert.rejects(ask(97), TooManyRequests);
  }));

Deno.test("names that anybody can make up do not get around the bound of an address", () =>
  inStores(async ({ requests }) => {
    const ask = (i: number, more = {}) =>
      requests.ask(wish({ user: `u${i}`, authenticated: false, ...more }));
    for (let i = 0; i < MAX_PER_ADDRESS; i++) await ask(i);
    await assert.rejects(ask(1_000), TooManyRequests);
    assert.equal((await ask(1_000, { ip: "10.0.0.8" })).created, true);
    assert.equal((await ask(1_001, { authenticated: true })).created, true);
  }));

Deno.test("an org has so many open requests, and room again when one is decided", () =>
  inStores(async ({ kv, requests }) => {
    const first = await requests.ask(wish());
    for (let i = 1; i < MAX_OPEN; i++) {
      await kv.set(keys.openRequest("acme", `other${i}`), NOW + 15 * DAY);
    }
    const ask = () => requests.ask(wish({ user: "bob" }));
    await assert.rejects(
      ask,
      (error) => error instanceof TooManyRequests && error.retryAfterMs === 14 * DAY,
    );
    assert.equal((await requests.ask(wish({ org: "other" }))).created, true);
    await requests.decide("acme", first.request.id, DENY);
    assert.equal((await ask()).created, true);
  }));

Deno.test("requests are listed newest first, page by page, by status", () =>
  inStores(async ({ requests, clock }) => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      clock.now += 1_000;
      ids.unshift((await requests.ask(wish({ user: `user${i}` }))).request.id);
    }
    const first = await requests.list("acme", { limit: 3 });
    const second = await requests.list("acme", { limit: 3, cursor: first.cursor ?? "" });
    assert.deepEqual([...first.items, ...second.items].map(({ id }) => id), ids);
    assert.equal(second.cursor, null);
    await requests.decide("acme", ids[1], DENY);
    const denied = await requests.list("acme", { limit: 3, status: "denied" });
    assert.deepEqual(denied.items.map(({ id }) => id), [ids[1]]);
  }));

Deno.test("a link counts for its request alone and until its end, in every process", () =>
  inStores(async ({ requests, other, news, clock }) => {
    const { request: { id } } = await requests.ask(wish());
    const { searchParams } = new URL((await news())[0].link ?? "");
    const link = {
      expires: searchParams.get("expires") ?? "",
      signature: searchParams.get("signature") ?? "",
    };
    assert.equal(await requests.checkLink("acme", id, link), "good");
    assert.equal(await other().requests.checkLink("acme", id, link), "good");
    assert.equal(await requests.checkLink("other", id, link), "forged");
    assert.equal(await requests.checkLink("acme", `${id}0`, link), "forged");
    const later = { ...link, expires: String(Number(link.expires) + 1) };
    assert.equal(await requests.checkLink("acme", id, later), "forged");
    for (
      const signature of ["", "AAAA", "%", link.signature.slice(0, -4), `${link.signature}AAAA`]
    ) {
      assert.equal(await requests.checkLink("acme", id, { ...link, signature }), "forged");
    }
    clock.now = NOW + 14 * DAY;
    assert.equal(await requests.checkLink("acme", id, link), "expired");
  }));
