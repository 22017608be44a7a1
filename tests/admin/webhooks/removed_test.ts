/** What webhooks are told that were taken out of the policy. */
import assert from "node:assert/strict";
import { startReceiver } from "../../receiver.ts";
import { inWorld } from "./world.ts";

const SECRET = "correct horse battery staple";

Deno.test("what a webhook was not told yet when it went is tried again as always", () =>
  inWorld(async ({ instance, happen, hooks, policies, clock, lines, left }) => {
    await using receiver = startReceiver((attempt) =>
      new Response(null, { status: attempt === 1 ? 500 : 204 })
    );
    await hooks({ url: receiver.url, secret: SECRET });
    await happen("news");
    clock.now += 1_000;
    await policies.replace("acme", { webhooks: [] }, { by: "bob" });
    await happen("later");
    await instance().run();
    assert.equal(lines.at(-1)?.event, "webhook_failed");
    clock.now += 60_000;
    await instance().run();
    const both = ["news", "bob changed the policy of acme: /webhooks/0."];
    assert.deepEqual(receiver.messages.map(({ text }) => textsOf(text)), [both, both]);
    assert.ok(receiver.messages.every(({ headers }) => headers.has("webhook-signature")));
    assert.deepEqual(await left(), []);
  }));

for (
  const [how, more] of [
    ["another format", { format: "slack" }],
    ["its first secret", { secret: SECRET }],
  ] as const
) {
  Deno.test(`what a receiver refused is told again once the webhook is mended by ${how}`, () =>
    inWorld(async ({ instance, happen, hooks, clock, lines, left }) => {
      await using receiver = startReceiver((attempt) =>
        new Response(null, { status: attempt === 1 ? 400 : 204 })
      );
      await hooks({ url: receiver.url });
      await happen("malware");
      await instance().run();
      await hooks({ url: receiver.url, ...more });
      clock.now += 60_000;
      await instance().run();
      assert.deepEqual(lines.map(({ event }) => event), ["webhook_failed", "webhook_told"]);
      const [, { text, headers }] = receiver.messages;
      assert.match(text, /malware/);
      assert.deepEqual(
        ["blocks" in JSON.parse(text), headers.has("webhook-signature")],
        ["format" in more, "secret" in more],
      );
      assert.deepEqual(await left(), []);
    }));
}

Deno.test("an address of any length is in the way neither of the change nor of other webhooks", () =>
  inWorld(async ({ instance, hooks, policies }) => {
    await using receiver = startReceiver();
    await hooks({ url: `https://hooks.example/${"x".repeat(100_000)}` }, { url: receiver.url });
    await policies.replace("acme", { webhooks: [] }, { by: "bob" });
    await instance().run();
    const text = "bob changed the policy of acme: /webhooks/0, /webhooks/1.";
    assert.deepEqual(receiver.messages.map(({ text }) => textsOf(text)), [[text]]);
  }));

function textsOf(message: string): string[] {
  const { events } = JSON.parse(message);
  return events.map((event: { text: string }) => event.text);
}
