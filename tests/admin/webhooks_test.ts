/** Webhooks from outside: what people do at the proxy, and what a receiver then hears. */
import assert from "node:assert/strict";
import { openJournal } from "../../policy/store/journal.ts";
import { openRefusalNews } from "../../policy/store/refusal_news.ts";
import { createApp } from "../../routes/app.ts";
import { start, temporary } from "../process.ts";
import { type ProxyOptions, testProxy } from "../proxy.ts";
import { startReceiver } from "../receiver.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const HOUR = 3600_000;
const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64" };
const ADMIN_TOKEN = "0123456789abcdef";
const WEBHOOK_ALLOW = { webhookAllow: ["127.0.0.1:*"] };

type Event = Readonly<Record<string, unknown>>;

function without(event: Event, ...names: string[]): Event {
  return Object.fromEntries(Object.entries(event).filter(([name]) => !names.includes(name)));
}

/** A registry with one old and one young package, and the proxy in front; its webhooks are the receiver. */
async function setting(policy: Record<string, unknown> = {}, more: Partial<ProxyOptions> = {}) {
  const npm = startNpmRegistry();
  npm.publish({ name: "left", version: "1.0.0" });
  npm.publish({ name: "young", version: "1.0.0", publishedAt: new Date(Date.now() - HOUR) });
  const receiver = startReceiver();
  const proxy = await testProxy({
    upstreams: { npm: npm.url },
    settings: WEBHOOK_ALLOW,
    ...more,
  });
  const put = (document: unknown) =>
    proxy.fetch("/admin/v1/orgs/default/policy", {
      method: "PUT",
      headers: {
        authorization: `Bearer ${proxy.rootToken}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(document),
    });
  const stored = await put({ webhooks: [{ url: receiver.url }], ...policy });
  assert.equal(stored.status, 201, await stored.text());
  await proxy.tellWebhooks();
  const begun = receiver.messages.length;
  return {
    proxy,
    put,
    receiver,
    async status(path: string, method = "GET") {
      const response = await proxy.fetch(path, { method, headers: NPM });
      await response.arrayBuffer();
      return response.status;
    },
    /** What the receiver has heard since the policy was set. */
    async heard(): Promise<Event[]> {
      await proxy.tellWebhooks();
      return receiver.messages.slice(begun).flatMap(({ text }) => JSON.parse(text).events);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await receiver[Symbol.asyncDispose]();
      await npm[Symbol.asyncDispose]();
    },
  };
}

const FILE = "/o-acme/u-alice/npm/young/-/young-1.0.0.tgz";

Deno.test("a refused download is told once an hour, with the address that explains it", async () => {
  const publicUrl = "http://proxy.example";
  await using it = await setting({}, { settings: { ...WEBHOOK_ALLOW, publicUrl } });
  assert.equal(await it.status(FILE, "HEAD"), 403);
  assert.deepEqual(await it.heard(), []);
  for (let i = 0; i < 5; i++) assert.equal(await it.status(FILE), 403);
  assert.equal(await it.status("/o-acme/u-bob/npm/young/-/young-1.0.0.tgz"), 403);
  const [event, ...others] = await it.heard();
  assert.deepEqual(others, []);
  const [{ policy, reason }] = await it.proxy.refusals("acme");
  assert.match(reason ?? "", /^published /);
  assert.deepEqual(without(event, "id", "at"), {
    org: "acme",
    kind: "refusal",
    event: "refusal",
    text: `Refused pkg:npm/young@1.0.0 to alice (min_age): ${reason}`,
    link: "http://proxy.example/o-acme/u-alice/why/pkg:npm/young@1.0.0",
    details: {
      ecosystem: "npm",
      package: "young",
      version: "1.0.0",
      filename: "young-1.0.0.tgz",
      purl: "pkg:npm/young@1.0.0",
      user: "alice",
      code: "min_age",
      reason,
      policy,
    },
  });
  // Another org is another matter.
  assert.equal(await it.status("/o-other/npm/young/-/young-1.0.0.tgz"), 403);
  assert.deepEqual((await it.heard()).map(({ org }) => org), ["acme", "other"]);
  it.proxy.clock.now += HOUR;
  assert.equal(await it.status(FILE), 403);
  assert.deepEqual((await it.heard()).map(({ org }) => org), ["acme", "other", "acme"]);
});

Deno.test("whoever asks does not choose where those who are told are sent", async () => {
  await using it = await setting();
  const app = createApp(it.proxy.deps);
  const linkFor = async (host: string, org: string) => {
    const url = `http://${host}${FILE.replace("acme", org)}`;
    const response = await app(new Request(url, { headers: NPM }));
    assert.equal(response.status, 403);
    await response.body?.cancel();
    return (await it.heard()).at(-1)?.link;
  };
  assert.equal(await linkFor("evil.example", "a"), null);
  const own = await linkFor("localhost:8000", "b");
  assert.equal(own, "http://localhost:8000/o-b/u-alice/why/pkg:npm/young@1.0.0");
});

Deno.test("what another instance has told is not told again within the hour", async () => {
  await using it = await setting();
  assert.equal(await it.status(FILE), 403);
  assert.equal((await it.heard()).length, 1);
  // As a process that has just started: with nothing in memory.
  const now = () => it.proxy.clock.now;
  const fresh = openRefusalNews(it.proxy.kv, { now, journal: openJournal({ now }), log: () => {} });
  const [record] = await it.proxy.refusals("acme");
  const policy = await it.proxy.deps.policies.get("acme");
  fresh.tell(policy, record, "https://proxy.example/");
  await fresh.settled();
  assert.equal((await it.heard()).length, 1);
});

Deno.test("a download that is let through with a warning is told as one", async () => {
  await using it = await setting({ mode: "audit" });
  assert.equal(await it.status(FILE), 200);
  assert.equal(await it.status("/o-acme/u-alice/npm/left/-/left-1.0.0.tgz"), 200);
  const [event, ...others] = await it.heard();
  assert.deepEqual(others, []);
  assert.equal(event.kind, "warning");
  assert.match(
    String(event.text),
    /^Handed out with a warning: pkg:npm\/young@1\.0\.0 to alice \(min_age\): published /,
  );
});

Deno.test("nothing is kept for webhooks that do not want it", async () => {
  await using it = await setting();
  const changed = await it.put({ webhooks: [{ url: it.receiver.url, events: ["alert"] }] });
  assert.equal(changed.status, 200, await changed.text());
  assert.equal(await it.status(FILE), 403);
  // That it hears less from now on is the last it hears of policies.
  assert.deepEqual((await it.heard()).map(({ event }) => event), ["policy.replaced"]);
  assert.deepEqual(await Array.fromAsync(it.proxy.kv.list({ prefix: ["told_refusal"] })), []);
});

Deno.test("one policy's refusals are a thousand messages an hour at most, and the log says so", async () => {
  await using it = await setting();
  const policy = await it.proxy.deps.policies.get("acme");
  assert.equal(await it.status(FILE), 403);
  const [record] = await it.proxy.refusals("acme");
  for (let i = 0; i < 1_100; i++) {
    it.proxy.deps.refusalNews.tell(
      policy,
      { ...record, org: `made-up-${i}` },
      "https://a.example/",
    );
  }
  await it.proxy.deps.refusalNews.settled();
  const kept = await Array.fromAsync(it.proxy.kv.list({ prefix: ["news"] }));
  assert.equal(kept.length, 1_000);
  assert.equal(it.proxy.lines.filter(({ event }) => event === "webhook_flood").length, 1);
});

Deno.test("a policy with a webhook at a private address is 422 with a pointer", async () => {
  await using it = await setting({}, {});
  const response = await it.put({ webhooks: [{ url: "https://169.254.169.254/latest" }] });
  assert.equal(response.status, 422);
  const { errors } = await response.json();
  assert.deepEqual(errors, [{
    pointer: "/webhooks/0/url",
    detail: "expected a public address, or a host that the operator allows",
  }]);
});

Deno.test("a changed policy is told, without the secrets in it", async () => {
  await using it = await setting();
  const hook = { url: it.receiver.url, secret: "hush hush", format: "slack" };
  const response = await it.put({ mode: "audit", webhooks: [hook] });
  assert.equal(response.status, 200, await response.text());
  await it.proxy.tellWebhooks();
  const { text, headers } = it.receiver.messages[it.receiver.messages.length - 1];
  assert.match(JSON.parse(text).text, /^default: 1 event\. Policy changed: /);
  assert.match(headers.get("webhook-signature") ?? "", /^v1,/);
  assert.ok(!text.includes("hush"));
});

for (
  const [how, method, body] of [
    ["removed", "PATCH", { webhooks: [] }],
    ["told less", "PATCH", { webhooks: [{ url: "SAME", events: ["warning"] }] }],
    ["sent elsewhere", "PATCH", { webhooks: [{ url: "https://hooks.example/" }] }],
    ["removed with its policy", "DELETE", undefined],
  ] as const
) {
  Deno.test(`a webhook that is ${how} is told of that and of what happened before, and no more`, async () => {
    await using it = await setting();
    const send = async (path: string, how: string, content: unknown) => {
      const response = await it.proxy.fetch(`/admin/v1/orgs/default${path}`, {
        method: how,
        headers: {
          authorization: `Bearer ${it.proxy.rootToken}`,
          "content-type": "application/json",
        },
        body: JSON.stringify(content)?.replace("SAME", it.receiver.url),
      });
      assert.ok(response.ok, await response.text());
    };
    const glass = (version: string) =>
      send("/break-glass", "POST", { purl: `pkg:npm/young@${version}`, reason: "production" });
    await glass("1.0.0");
    await send("/policy", method, body);
    await glass("2.0.0");
    const heard = await it.heard();
    assert.deepEqual(heard.map(({ event, org }) => [event, org]), [
      ["break_glass", "default"],
      [method === "DELETE" ? "policy.removed" : "policy.replaced", "default"],
    ]);
    assert.match(String(heard[1].text), /\/webhooks/);
    await send("/policy", "PATCH", { mode: "audit" });
    assert.deepEqual(await it.heard(), heard);
  });
}

Deno.test("the default's webhooks hear what happened in orgs without a policy before they went", async () => {
  await using it = await setting();
  assert.equal(await it.status(FILE), 403);
  await it.put({ webhooks: [] });
  assert.equal(await it.status(FILE.replace("alice", "bob")), 403);
  const heard = await it.heard();
  assert.deepEqual(heard.map(({ event, org }) => `${org} ${event}`).sort(), [
    "acme refusal",
    "default policy.replaced",
  ]);
});

Deno.test({
  name: "kill -9 while a receiver holds back its answer: the next process repeats the message's id",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporary();
    await using receiver = startReceiver((attempt) =>
      attempt === 1 ? new Promise<Response>(() => {}) : new Response()
    );
    const variables = {
      KV_URL: folder.file("proxy.sqlite"),
      ADMIN_TOKEN,
      WEBHOOK_ALLOW: "127.0.0.1:*",
    };
    {
      await using proxy = await start(variables);
      const put = await fetch(`${proxy.url}/admin/v1/orgs/acme/policy`, {
        method: "PUT",
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify({ webhooks: [{ url: receiver.url }] }),
      });
      assert.equal(put.status, 201, await put.text());
      await until(() => receiver.messages.length === 1);
      proxy.process.kill("SIGKILL");
      await proxy.process.status;
    }
    await using _next = await start(variables);
    await until(() => receiver.messages.length === 2);
    const [first, second] = receiver.messages;
    assert.equal(second.id, first.id);
    assert.equal(second.text, first.text);
  },
});

async function until(check: () => boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!check()) {
    assert.ok(performance.now() < end, "not within a minute");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
