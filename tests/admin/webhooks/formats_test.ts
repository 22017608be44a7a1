import assert from "node:assert/strict";
import fc from "fast-check";
import { bodyOf } from "../../../admin/webhooks/formats.ts";
import { isHopeless, retryDelay } from "../../../admin/webhooks/retry.ts";
import { signedHeaders } from "../../../admin/webhooks/signature.ts";
import type { Batch } from "../../../policy/store/outbox.ts";
import type { News } from "../../../policy/store/types.ts";
import type { WebhookEvent } from "../../../policy/types.ts";

const AT = "2026-11-20T12:00:00.000Z";
const KINDS: readonly WebhookEvent[] = [
  "refusal",
  "warning",
  "alert",
  "exception",
  "policy",
  "break_glass",
];

function news(text: string, more: Partial<News> = {}): News {
  return {
    id: "01",
    at: AT,
    org: "acme",
    kind: "refusal",
    event: "refusal",
    text,
    link: null,
    details: { ip: "10.1.2.3", secret: "hush" },
    ...more,
  };
}

function batch(...list: News[]): Batch {
  return {
    org: "acme",
    hook: "h",
    deliveryId: "D1",
    news: list,
    attempts: 0,
    retryAt: 0,
    state: { key: [], value: null, versionstamp: null },
  };
}

const NASTY =
  "Refused <!channel> & <https://evil.example|click> @everyone [click](https://evil.example) *_~`|";

Deno.test("JSON has everything, in order", () => {
  const list = [news("first"), news("second", { kind: "alert", link: "https://a.example/" })];
  assert.deepEqual(JSON.parse(bodyOf(batch(...list), undefined)), {
    type: "events",
    id: "D1",
    org: "acme",
    events: list,
  });
});

Deno.test("Slack: a heading, a block for each event, a link, nothing that calls or hides", () => {
  const link = "https://proxy.example/why/pkg:npm/a@1?x=1&y=<|>";
  const body = JSON.parse(bodyOf(batch(news(NASTY, { link })), "slack"));
  const escaped = "Refused &lt;!channel&gt; &amp; &lt;https://evil.example|click&gt; @everyone " +
    "[click](https://evil.example) *_~`|";
  assert.deepEqual(body, {
    text: `acme: 1 event. Refusal: ${escaped}`,
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: "*acme: 1 event*", verbatim: true } },
      {
        type: "section",
        text: {
          type: "mrkdwn",
          text: `*Refusal* ${escaped} ` +
            "<https://proxy.example/why/pkg:npm/a@1?x=1&amp;y=%3C%7C%3E|Open>",
          verbatim: true,
        },
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
});

Deno.test("Teams: an Adaptive Card of text runs, which know no Markdown", () => {
  const link = "https://proxy.example/why/pkg:npm/a@1";
  const body = JSON.parse(bodyOf(batch(news(NASTY, { link }), news("plain")), "teams"));
  assert.equal(body.type, "message");
  const [{ contentType, contentUrl, content }] = body.attachments;
  assert.equal(contentType, "application/vnd.microsoft.card.adaptive");
  assert.equal(contentUrl, null);
  assert.equal(content.type, "AdaptiveCard");
  assert.deepEqual(content.body.map(({ type }: { type: string }) => type), [
    "RichTextBlock",
    "RichTextBlock",
    "RichTextBlock",
  ]);
  assert.deepEqual(content.body[1].inlines, [
    { type: "TextRun", text: "Refusal ", weight: "bolder" },
    { type: "TextRun", text: NASTY },
    { type: "TextRun", text: " " },
    { type: "TextRun", text: "Open", selectAction: { type: "Action.OpenUrl", url: link } },
  ]);
  assert.equal(content.body[2].inlines.length, 2);
});

Deno.test("Discord: embeds that call nobody, with their Markdown taken out", () => {
  const link = "https://proxy.example/why/pkg:npm/a@1";
  const body = JSON.parse(bodyOf(batch(news(NASTY, { link })), "discord"));
  assert.deepEqual(body.allowed_mentions, { parse: [] });
  assert.equal(body.content, "acme\\: 1 event");
  assert.deepEqual(body.embeds, [{
    title: "Refusal",
    description: "Refused \\<!channel\\> & \\<https\\://evil.example\\|click\\> \\@everyone " +
      "\\[click\\]\\(https\\://evil.example\\) \\*\\_\\~\\`\\|",
    timestamp: AT,
    color: 0xf57c00,
    url: link,
  }]);
});

Deno.test("chats show what matters most, and say how much more there is", () => {
  const many = Array.from({ length: 48 }, (_, i) => news(`refusal ${i}`));
  const list = [
    ...many,
    news("an alert", { kind: "alert" }),
    news("glass", { kind: "break_glass" }),
  ];
  const slack = JSON.parse(bodyOf(batch(...list), "slack"));
  assert.equal(slack.text, "acme: 50 events");
  const texts = slack.blocks.map(({ text }: { text: { text: string } }) => text.text);
  assert.equal(texts.length, 22);
  assert.deepEqual(texts.slice(0, 4), [
    "*acme: 50 events*",
    "*Break-glass* glass",
    "*Alert* an alert",
    "*Refusal* refusal 0",
  ]);
  assert.equal(texts.at(-1), "and 30 more");
  const discord = JSON.parse(bodyOf(batch(...list), "discord"));
  assert.equal(discord.embeds.length, 10);
  assert.equal(discord.content, "acme\\: 50 events \\(and 40 more\\)");
  const teams = JSON.parse(bodyOf(batch(...list), "teams"));
  assert.deepEqual(teams.attachments[0].content.body.at(-1).inlines, [
    { type: "TextRun", text: "and 35 more" },
  ]);
});

Deno.test("chats get one line without control characters, and no address but of the web", () => {
  const text = "a\r\nb\u0000c\u202ed\u2028e\tf  g";
  for (const link of ["javascript:alert(1)", "ftp://a.example/", "not one", null]) {
    const { blocks } = JSON.parse(bodyOf(batch(news(text, { link })), "slack"));
    assert.equal(blocks[1].text.text, "*Refusal* a b c d e f g");
  }
});

Deno.test("no chat message holds what only details hold, or is longer than its chat takes", () => {
  const anything = fc.record({
    text: fc.oneof(
      fc.string({ unit: "binary", maxLength: 2_000 }),
      fc.constant("*".repeat(5_000)),
      fc.constant("😀".repeat(2_000)),
      fc.constant("漢".repeat(2_000)),
      fc.constant("<&>".repeat(2_000)),
    ),
    kind: fc.constantFrom(...KINDS),
    link: fc.oneof(
      fc.webUrl({ withQueryParameters: true }),
      fc.constant(`https://a.example/${"x".repeat(480)}`),
      fc.constant(null),
    ),
  });
  const several = fc.array(anything, { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(several, (list) => {
      const all = batch(...list.map(({ text, ...more }) => news(text, more)));
      for (const format of ["slack", "teams", "discord"] as const) {
        const body = bodyOf(all, format);
        assert.ok(body.isWellFormed());
        assert.ok(!body.includes("10.1.2.3") && !body.includes("hush"));
        const message = JSON.parse(body);
        if (format === "slack") {
          assert.ok(message.blocks.length <= 50);
          for (const { text } of message.blocks) assert.ok(text.text.length <= 3_000);
        }
        if (format === "teams") {
          assert.ok(new TextEncoder().encode(body).length <= 28_000, `${body.length}`);
        }
        if (format === "discord") {
          assert.ok(message.content.length <= 2_000);
          let sum = 0;
          for (const { title, description } of message.embeds) {
            assert.ok(title.length <= 256 && description.length <= 4_096);
            sum += title.length + description.length;
          }
          assert.ok(message.embeds.length <= 10 && sum <= 6_000, `${sum}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("a message is signed as Standard Webhooks has it", () => {
  // The example of its libraries.
  assert.deepEqual(
    signedHeaders('{"test": 2432232314}', {
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      at: 1_614_265_330_000,
      secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }),
    {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
  );
  assert.deepEqual(signedHeaders("{}", { id: "a", at: 1_999, secret: undefined }), {
    "webhook-id": "a",
    "webhook-timestamp": "1",
  });
});

Deno.test("what failed is tried again later and later, a fifth sooner or later than its peers", () => {
  const delay = (failures: number, random: number) =>
    retryDelay(failures, { random, retryAfterMs: null }) / 1_000;
  assert.deepEqual([1, 2, 3, 4, 5, 6, 30].map((n) => delay(n, 0.5)), [
    5,
    30,
    120,
    600,
    3600,
    3600,
    3600,
  ]);
  assert.deepEqual([delay(1, 0), delay(1, 1), delay(5, 0), delay(5, 1)], [4, 6, 2880, 4320]);
});

Deno.test("a message is given up when its youngest news is a day old and it was tried for a while", () => {
  const DAY = 24 * 3600_000;
  assert.equal(isHopeless(5, 0, DAY), true);
  assert.equal(isHopeless(5, 0, DAY - 1), false);
  assert.equal(isHopeless(4, 0, 7 * DAY), false);
});
