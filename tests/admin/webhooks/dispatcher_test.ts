/** What receivers see when they fail, stall, redirect or are gone, and when instances die. */
import assert from "node:assert/strict";
import type { Webhook } from "../../../policy/types.ts";
import { kvCommitting } from "../../policy/store/records_fixture.ts";
import { type Answer, type Receiver, STALL, startReceiver } from "../../receiver.ts";
import { eventually, inWorld, START, type World } from "./world.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const SECRET = "correct horse battery staple";

function status(...statuses: number[]): Answer {
  return (attempt) => new Response(null, { status: statuses[attempt - 1] ?? 204 });
}

function withReceiver(
  answer: Answer | undefined,
  run: (world: World & { receiver: Receiver }) => Promise<void>,
  hook: Partial<Webhook> = {},
): Promise<void> {
  return inWorld(async (world) => {
    await using receiver = startReceiver(answer);
    await world.hooks({ url: receiver.url, ...hook });
    await run({ ...world, receiver });
  });
}

/** The texts that each message told. */
function told({ messages }: Receiver): string[][] {
  return messages.map(({ text }) => {
    const { events } = JSON.parse(text);
    return events.map((event: { text: string }) => event.text);
  });
}

Deno.test("a message says what happened, to whom, under an id, and is signed", () =>
  withReceiver(undefined, async ({ receiver, instance, happen, left }) => {
    await happen("a policy changed");
    await instance().run();
    const [{ headers, text, path }] = receiver.messages;
    assert.equal(path, "/hook");
    const id = headers.get("webhook-id") ?? "";
    const timestamp = headers.get("webhook-timestamp") ?? "";
    assert.equal(timestamp, String(START / 1000));
    assert.equal(headers.get("content-type"), "application/json");
    const body = JSON.parse(text);
    assert.equal(body.events.length, 1);
    const { id: newsId, ...event } = body.events[0];
    assert.match(newsId, /^[0-9A-Z]{26}$/);
    assert.deepEqual({ ...body, events: [event] }, {
      type: "events",
      id,
      org: "acme",
      events: [{
        at: new Date(START).toISOString(),
        org: "acme",
        kind: "policy",
        event: "policy",
        text: "a policy changed",
        link: null,
        details: {},
      }],
    });
    const key = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(SECRET),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["verify"],
    );
    const [version, signature] = (headers.get("webhook-signature") ?? "").split(",");
    assert.equal(version, "v1");
    assert.ok(
      await crypto.subtle.verify(
        "HMAC",
        key,
        Uint8Array.fromBase64(signature),
        new TextEncoder().encode(`${id}.${timestamp}.${text}`),
      ),
    );
    assert.deepEqual(await left(), []);
  }, { secret: SECRET }));

Deno.test("a receiver that fails twice is told by another instance, the same under the same id", () =>
  withReceiver(status(500, 503), async ({ receiver, instance, happen, clock, left, lines }) => {
    const [a, b] = [instance(), instance()];
    await happen("first", "second");
    await a.run();
    await b.run(); // too early
    assert.equal(receiver.messages.length, 1);
    clock.now += 5 * SECOND;
    await Promise.all([a.run(), b.run()]);
    assert.equal(receiver.messages.length, 2);
    await happen("third");
    clock.now += 30 * SECOND;
    await Promise.all([a.run(), b.run()]);
    assert.deepEqual(told(receiver), [
      ["first", "second"],
      ["first", "second"],
      ["first", "second"],
      ["third"],
    ]);
    const [first, second, third, fourth] = receiver.messages;
    assert.equal(new Set([first.id, second.id, third.id]).size, 1);
    assert.equal(new Set([first.text, second.text, third.text]).size, 1);
    assert.notEqual(fourth.id, first.id);
    assert.deepEqual(await left(), []);
    assert.deepEqual(lines.map(({ event, retry_ms }) => [event, retry_ms]), [
      ["webhook_failed", 5 * SECOND],
      ["webhook_failed", 30 * SECOND],
      ["webhook_told", undefined],
      ["webhook_told", undefined],
    ]);
  }));

Deno.test("a burst is few messages, in order, whoever sends them", () =>
  withReceiver(undefined, async ({ receiver, instance, happen, left }) => {
    const texts = Array.from({ length: 120 }, (_, i) => `event ${i}`);
    await happen(...texts);
    const [a, b] = [instance(), instance()];
    await Promise.all([a.run(), b.run(), a.run()]);
    assert.deepEqual(told(receiver).map(({ length }) => length), [50, 50, 20]);
    assert.deepEqual(told(receiver).flat(), texts);
    assert.equal(new Set(receiver.messages.map(({ id }) => id)).size, 3);
    assert.deepEqual(await left(), []);
  }));

Deno.test("news that comes in quick succession is waited for, and becomes one message", () =>
  withReceiver(undefined, async ({ receiver, instance, happen }) => {
    const dispatcher = instance({ burstMs: 300 });
    for (let i = 0; i < 20; i++) {
      await happen(`event ${i}`);
      dispatcher.kick();
    }
    await eventually(() => receiver.messages.length > 0);
    await dispatcher.run();
    assert.deepEqual(told(receiver).map(({ length }) => length), [20]);
  }));

Deno.test("an instance that dies between the message and its commit: the next one repeats the id", () =>
  withReceiver(undefined, async ({ receiver, kv, instance, happen, clock, left }) => {
    await happen("only once, if you look at the id");
    // Dead from the moment in which the receiver has the message.
    const dying = kvCommitting(kv, (commit) => {
      if (receiver.messages.length > 0) return Promise.reject(new TypeError("killed"));
      return commit();
    });
    await instance({ kv: dying }).run();
    assert.equal(receiver.messages.length, 1);
    const survivor = instance();
    await survivor.run(); // the dead one's lease holds still
    assert.equal(receiver.messages.length, 1);
    clock.now += 10 * SECOND;
    await survivor.run();
    assert.equal(receiver.messages.length, 2);
    assert.equal(receiver.messages[0].id, receiver.messages[1].id);
    assert.equal(receiver.messages[0].text, receiver.messages[1].text);
    assert.deepEqual(await left(), []);
  }));

Deno.test("a receiver that stalls holds up nobody but itself, and is cut off", () =>
  withReceiver(STALL, async ({ receiver, instance, happen, hooks, lines }) => {
    await using quick = startReceiver();
    await hooks({ url: receiver.url }, { url: quick.url });
    await happen("news");
    const running = instance({ timeoutMs: 400 }).run();
    await eventually(() => lines.some(({ event }) => event === "webhook_told"));
    assert.equal(lines.some(({ event }) => event === "webhook_failed"), false);
    await running;
    assert.equal(quick.messages.length, 1);
    const failed = lines.find(({ event }) => event === "webhook_failed");
    assert.match(String(failed?.reason), /TimeoutError/);
  }));

Deno.test("a receiver whose answer never ends has answered", () => {
  const endless = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
  return withReceiver(endless, async ({ receiver, instance, happen, left }) => {
    await happen("news");
    await instance().run();
    assert.equal(receiver.messages.length, 1);
    assert.deepEqual(await left(), []);
  });
});

Deno.test("a process that ends does not wait for a stalled receiver, and the message is told again", () =>
  withReceiver(
    (attempt) => attempt === 1 ? new Promise<Response>(() => {}) : new Response(),
    async ({ receiver, instance, happen, left }) => {
      await happen("news");
      const ending = instance();
      const running = ending.run();
      await eventually(() => receiver.messages.length === 1);
      const before = performance.now();
      ending.close();
      await running;
      assert.ok(performance.now() - before < 2_000);
      ending.kick(); // does nothing any more
      await instance().run();
      assert.equal(receiver.messages.length, 2);
      assert.equal(receiver.messages[0].id, receiver.messages[1].id);
      assert.deepEqual(await left(), []);
    },
  ));

Deno.test("redirects are not followed", () => {
  const redirect = () => new Response(null, { status: 307, headers: { location: "/elsewhere" } });
  return withReceiver(redirect, async ({ receiver, instance, happen, lines }) => {
    await happen("news");
    await instance().run();
    assert.deepEqual(receiver.messages.map(({ path }) => path), ["/hook"]);
    assert.equal(lines[0].reason, "status 307");
  });
});

Deno.test("410: that message is given up, later ones are not", () =>
  withReceiver(status(410), async ({ receiver, instance, happen, lines, left }) => {
    await happen("first");
    await instance().run();
    assert.equal(lines[0].event, "webhook_gone");
    await happen("second");
    await instance().run();
    assert.deepEqual(told(receiver), [["first"], ["second"]]);
    assert.deepEqual(await left(), []);
  }));

Deno.test("Retry-After is honoured up to an hour, in seconds and as a date", async () => {
  const cases: [string, number][] = [
    ["120", 120 * SECOND],
    ["1", 5 * SECOND],
    ["86400", HOUR],
    [new Date(START + 10 * MINUTE).toUTCString(), 10 * MINUTE],
    ["soon", 5 * SECOND],
    ["-5", 5 * SECOND],
  ];
  for (const [value, wait] of cases) {
    const busy = () => new Response(null, { status: 429, headers: { "retry-after": value } });
    await withReceiver(busy, async ({ instance, happen, lines }) => {
      await happen("news");
      await instance().run();
      assert.equal(lines[0].retry_ms, wait, value);
    });
  }
});

Deno.test("a receiver that stays away is tried for a day, then what is a day old is dropped", () =>
  withReceiver(
    (attempt) => new Response(null, { status: attempt <= 29 ? 500 : 204 }),
    async ({ receiver, instance, happen, clock, lines, left }) => {
      await happen(...Array.from({ length: 60 }, (_, i) => `old ${i}`));
      const dispatcher = instance();
      const waits: unknown[] = [];
      while (!lines.some(({ event }) => event === "webhook_dropped")) {
        await dispatcher.run();
        const { retry_ms } = lines[lines.length - 1];
        waits.push(retry_ms);
        clock.now += Number(retry_ms ?? 0);
        assert.ok(waits.length < 100);
      }
      assert.deepEqual(waits.slice(0, 7), [
        5 * SECOND,
        30 * SECOND,
        2 * MINUTE,
        10 * MINUTE,
        HOUR,
        HOUR,
        HOUR,
      ]);
      const dropped = lines.find(({ event }) => event === "webhook_dropped");
      assert.equal(dropped?.dropped, 60);
      assert.equal(receiver.messages.length, 29);
      assert.ok(clock.now - START >= 24 * HOUR && clock.now - START < 25 * HOUR);
      assert.deepEqual(await left(), []);
      await happen("new");
      await dispatcher.run();
      assert.deepEqual(told(receiver).at(-1), ["new"]);
    },
  ));

Deno.test("after days of standstill, what is a day old is tried all the same", () =>
  withReceiver(status(500), async ({ receiver, instance, happen, clock, left }) => {
    await happen("old");
    clock.now += 3 * 24 * HOUR;
    await instance().run();
    clock.now += 5 * SECOND;
    await instance().run();
    assert.deepEqual(told(receiver), [["old"], ["old"]]);
    assert.deepEqual(await left(), []);
  }));

Deno.test("what failed while the clock was ahead is tried again once it is set right", () =>
  withReceiver(status(500), async ({ receiver, instance, happen, clock, left }) => {
    await happen("news");
    clock.now += 24 * HOUR;
    await instance().run();
    clock.now -= 24 * HOUR;
    await instance().run();
    assert.deepEqual(told(receiver), [["news"], ["news"]]);
    assert.deepEqual(await left(), []);
  }));

Deno.test("a webhook that was taken out of the policy is told nothing more", () =>
  withReceiver(status(500), async ({ receiver, instance, happen, hooks, clock, lines, left }) => {
    await happen("news");
    await instance().run();
    await hooks();
    clock.now += MINUTE;
    await instance().run();
    assert.equal(receiver.messages.length, 1);
    assert.deepEqual(lines.at(-1), { event: "webhook_removed", org: "acme", dropped: 1 });
    // Its state ends by itself.
    assert.deepEqual((await left()).filter((name) => name !== "delivery_state"), []);
  }));

Deno.test("each webhook is told what it asked for", () =>
  withReceiver(undefined, async ({ receiver, instance, hooks, happenAs }) => {
    await using other = startReceiver();
    await hooks({ url: receiver.url, events: ["alert"] }, {
      url: other.url,
      events: ["refusal", "policy"],
    });
    await happenAs("alert", "an alert");
    await happenAs("refusal", "a refusal");
    await happenAs("warning", "a warning");
    await instance().run();
    assert.deepEqual(told(receiver), [["an alert"]]);
    assert.deepEqual(told(other), [["a refusal"]]);
  }));

Deno.test("a private address is not called once the operator does not allow it any more", () =>
  withReceiver(undefined, async ({ receiver, instance, happen, lines }) => {
    await happen("news");
    await instance({ allow: [] }).run();
    assert.equal(receiver.messages.length, 0);
    assert.match(String(lines[0].reason), /^AddressRefused: Cannot call 127\.0\.0\.1:\d+: /);
  }));

Deno.test("a public name that resolves to a private address is not called", () =>
  withReceiver(undefined, async ({ receiver, instance, happen, hooks, lines }) => {
    const { port } = new URL(receiver.url);
    await hooks({ url: `https://rebinding.example:${port}/hook` });
    await happen("news");
    const resolve = () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
    await instance({ resolve }).run();
    assert.equal(receiver.messages.length, 0);
    assert.equal(
      lines[0].reason,
      `AddressRefused: Cannot call rebinding.example:${port}: it resolves to a private address`,
    );
  }));

Deno.test("the log names a receiver's host, never its path or the secret", () =>
  withReceiver(status(500), async ({ receiver, instance, happen, clock, lines }) => {
    await happen("news");
    await instance().run();
    clock.now += MINUTE;
    await instance().run();
    const log = JSON.stringify(lines);
    assert.ok(log.includes(new URL(receiver.url).host));
    assert.ok(!log.includes("/hook") && !log.includes(SECRET));
  }, { secret: SECRET }));

Deno.test("an org whose policy cannot be read holds up nobody, and its news waits", () =>
  withReceiver(undefined, async ({ receiver, instance, happen, policies, kv, lines }) => {
    await happen("ours");
    await kv.set(["news", "broken", "1"], {
      id: "1",
      at: new Date(START).toISOString(),
      org: "broken",
      kind: "alert",
      event: "alert",
      text: "theirs",
      link: null,
      details: {},
    });
    const get = (org: string) =>
      org === "broken" ? Promise.reject(new RangeError("unreadable")) : policies.get(org);
    await instance({ policies: { get } }).run();
    assert.deepEqual(told(receiver), [["ours"]]);
    assert.equal(
      lines.some(({ event, org }) => event === "webhook_waits" && org === "broken"),
      true,
    );
    await policies.replace("broken", { webhooks: [{ url: receiver.url }] }, { by: "test" });
    await instance().run();
    assert.ok(told(receiver).flat().includes("theirs"));
  }));

Deno.test("an instance that wakes up by itself tries again without being asked", () =>
  withReceiver(status(500), async ({ receiver, instance, happen, clock }) => {
    await happen("news");
    const started = performance.now();
    const now = () => clock.now + performance.now() - started;
    const dispatcher = instance({ wakes: true, burstMs: 10, random: () => 0, now });
    dispatcher.kick();
    await eventually(() => receiver.messages.length === 2, 10_000);
    assert.equal(receiver.messages[0].id, receiver.messages[1].id);
  }));
