/** The same for what happens beside requests: sessions of people, and news on their way to webhooks. */
import assert from "node:assert/strict";
import { StoreUnavailable } from "../../policy/store/errors.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { ensureRootToken } from "../../policy/store/root_token.ts";
import { hashSecret } from "../../policy/store/secrets.ts";
import { openSessions } from "../../policy/store/sessions.ts";
import { testProxy } from "../proxy.ts";
import { startReceiver } from "../receiver.ts";
import { faultyKv } from "./faulty_kv.ts";

const MINUTE = 60_000;

Deno.test("nobody is signed in or out on the word of a database that fails", async () => {
  using kv = await Deno.openKv(":memory:");
  const faulty = faultyKv();
  const journal = openJournal({ now: Date.now });
  const sessions = openSessions(faulty.wrap(kv), {
    now: Date.now,
    journal,
    rules: "1",
    timeoutMs: 100,
  });
  const user = "ann@acme.example";
  const grants = [{ org: "acme", role: "viewer" as const }];
  const begun = await sessions.open({ user, grants, attempt: "one" });
  assert.ok(begun);
  const { id } = begun.session;
  for (const fault of ["throws", "silent", "unwritable"] as const) {
    faulty.fail(fault);
    await assert.rejects(sessions.open({ user, grants, attempt: fault }), StoreUnavailable);
    await assert.rejects(sessions.remove(user, id, { by: user }), StoreUnavailable);
    if (fault === "unwritable") continue;
    await assert.rejects(sessions.find(begun.secret), StoreUnavailable);
    await assert.rejects(sessions.list(user), StoreUnavailable);
  }
  faulty.fail("conflict");
  assert.equal(await sessions.open({ user, grants, attempt: "two" }), null);
  assert.equal(await sessions.remove(user, id, { by: user }), false);
  faulty.fail(null);
  faulty.release();
  assert.equal((await sessions.find(begun.secret))?.id, id);
  assert.deepEqual((await sessions.list(user)).map((session) => session.id), [id]);
});

Deno.test("the first start shows the administrator's token, though its commit failed and then gave no answer", async () => {
  using kv = await Deno.openKv(":memory:");
  const faulty = faultyKv();
  faulty.fail("flaky");
  const first = await ensureRootToken(faulty.wrap(kv), { configured: undefined, now: Date.now });
  assert.equal(hashSecret(first.secret ?? ""), first.sha256);
  const second = await ensureRootToken(kv, { configured: undefined, now: Date.now });
  assert.deepEqual(second, { secret: null, sha256: first.sha256 });
});

Deno.test("webhooks are told what happened once the database is back, as often as it takes, under one id", async () => {
  await using receiver = startReceiver();
  const faulty = faultyKv();
  await using proxy = await testProxy({
    wrapKv: faulty.wrap,
    settings: { webhookAllow: ["127.0.0.1:*"] },
    policy: { webhooks: [{ url: receiver.url, events: ["policy"], format: "json" }] },
  });
  await proxy.tellWebhooks();
  const before = receiver.messages.length;
  const change = { rules: { min_age: { level: "warn", age: "3d" } } };
  await proxy.deps.policies.update("default", (document) => ({ ...document, ...change }), {
    by: "ann",
  });
  const tell = async () => {
    proxy.clock.now += 10 * MINUTE;
    await proxy.tellWebhooks().catch((error) => assert.ok(error instanceof StoreUnavailable));
  };
  faulty.fail("throws");
  await tell();
  assert.equal(receiver.messages.length, before, "nothing is told that cannot be looked up");
  faulty.fail("unwritable");
  await tell();
  faulty.fail(null);
  await tell();
  await tell();
  const told = receiver.messages.slice(before);
  assert.ok(told.length > 0);
  assert.ok(told.some(({ text }) => text.includes("ann")), told[0].text);
  assert.equal(new Set(told.map(({ id }) => id)).size, 1, "one id, so that it counts once");
  const left = await Array.fromAsync(proxy.kv.list({ prefix: ["delivery"] }));
  assert.deepEqual(left, []);
});
