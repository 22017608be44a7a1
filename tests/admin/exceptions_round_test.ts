/**
 * The whole round with a real npm: refused, asked, told, approved by the link,
 * installed, ended, refused again. The receiver of the webhook fails twice first.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import * as v from "valibot";
import { npmClient } from "../clients/npm_clients.ts";
import { type NpmWorld, npmWorld, type Project } from "../clients/npm_world.ts";
import { assertDone, assertRefused } from "../clients/printed.ts";
import { DAY } from "../proxy.ts";
import { type Message, startReceiver } from "../receiver.ts";

const npm = npmClient("npm");
const skipped = npm.missing === null ? "" : ` (skipped: ${npm.missing})`;
const SECRET = "only the receiver and the proxy know";
const FORM = { "content-type": "application/x-www-form-urlencoded" };

const messageSchema = v.object({
  events: v.array(v.object({ event: v.string(), text: v.string(), link: v.nullable(v.string()) })),
});

Deno.test({
  name:
    `an exception's whole round, from refusal to refusal, with npm and curl's requests${skipped}`,
  ignore: npm.missing !== null,
  async fn() {
    await using receiver = startReceiver((attempt) =>
      new Response(null, { status: attempt <= 2 ? 500 : 204 })
    );
    await using world = await npmWorld(npm, {
      policies: {
        acme: {
          webhooks: [{ url: receiver.url, events: ["exception"], secret: SECRET }],
          approvals: { default: "1d", maximum: "2d" },
        },
      },
      settings: { webhookAllow: ["127.0.0.1:*"] },
    });
    const { proxy, base } = world;
    const registry = `${base}/o-acme/u-alice/npm/`;

    // npm is refused, and says where to read why.
    const first = await world.project(registry);
    const refused = await first.add("whistle@1.1.0");
    assertRefused(refused, ["whistle 1.1.0 is withheld (min_age)"]);
    const printed = /See (http:\S+)/.exec(refused.text)?.[1] ?? "";
    assert.equal(printed, `${base}/o-acme/u-alice/why/pkg:npm/whistle`);

    // The developer follows, and asks at the address that they find there.
    const package_ = await (await fetch(printed)).text();
    const address = /see one version: (\S+)/.exec(package_)?.[1] ?? "";
    assert.equal(address, `${printed}@1.1.0`);
    const asked = await fetch(address, {
      method: "POST",
      headers: FORM,
      body: new URLSearchParams({ reason: "our release waits for it", ticket: "OPS-7" }),
    });
    assert.equal(asked.status, 201);
    assert.match(await asked.text(), /nobody has decided yet/);

    // The approver's news arrives at the third attempt, the same message each time.
    for (let i = 0; i < 3; i++) {
      await proxy.tellWebhooks();
      proxy.clock.now += 2 * 60_000;
    }
    assert.equal(receiver.messages.length, 3);
    assert.equal(new Set(receiver.messages.map(({ id }) => id)).size, 1);
    const [news] = read(receiver.messages[2]);
    assert.equal(news.event, "exception.asked");
    assert.match(news.text, /^alice.* asks for pkg:npm\/whistle@1\.1\.0.*our release waits for it/);
    const link = news.link ?? "";

    // The link shows the request; with an editor's token it approves, once.
    const page = await fetch(link, { headers: { accept: "text/html" } });
    assert.equal(page.status, 200);
    assert.match(await page.text(), /OPS-7/);
    const approve = async () => {
      const token = await editor(world);
      const body = new URLSearchParams({ token, decision: "approve", comment: "for one day" });
      const response = await fetch(link, { method: "POST", headers: FORM, body });
      return { status: response.status, body: await response.text() };
    };
    const approved = await approve();
    assert.equal(approved.status, 200, approved.body);
    assert.equal((await approve()).status, 410);

    // npm installs, and the developer sees who let it through.
    const second = await world.project(registry);
    assertDone(await second.add("whistle@1.1.0"));
    const [install] = await proxy.installs("acme");
    assert.deepEqual([install.purl, install.user], ["pkg:npm/whistle@1.1.0", "alice"]);
    assert.match(await (await fetch(address)).text(), /approved by eve until .*: for one day/);

    // Its end is announced, comes, and the cron takes it away.
    const told = receiver.messages.length;
    assert.equal((await proxy.exceptions.expire()).told, 0);
    proxy.clock.now += 0.8 * DAY;
    assert.equal((await proxy.exceptions.expire()).told, 1);
    await proxy.tellWebhooks();
    const later = receiver.messages.slice(told).flatMap(read).map(({ event }) => event);
    assert.deepEqual(later, ["exception.approved", "exception.expiring"]);
    proxy.clock.now += 0.2 * DAY;

    // npm is refused from the moment of its end, pruned or not, with a lockfile too.
    await refusedAgain(world, registry, second);
    assert.deepEqual(await proxy.exceptions.expire(), { ended: 1, told: 0, failed: [] });
    await refusedAgain(world, registry, second);

    // The audit log tells all of it.
    const org = `${base}/admin/v1/orgs/acme`;
    const headers = { authorization: `Bearer ${await editor(world)}` };
    const { items } = await (await fetch(`${org}/audit`, { headers })).json();
    const steps = items.map((
      entry: Record<string, unknown>,
    ) => [entry.action, entry.by, entry.reason])
      .filter(([action]: unknown[]) => String(action).startsWith("exception."));
    assert.deepEqual(steps.reverse(), [
      ["exception.asked", "alice (by name only)", "our release waits for it"],
      ["exception.approved", "eve", "for one day"],
      ["exception.expired", "proxy", null],
    ]);
    const ended = await (await fetch(`${org}/exceptions?state=ended`, { headers })).json();
    assert.deepEqual(
      ended.items.map(({ purl, reason }: Record<string, unknown>) => [purl, reason]),
      [[
        "pkg:npm/whistle@1.1.0",
        "our release waits for it (asked by alice, approved by eve, OPS-7)",
      ]],
    );
    const document = await (await fetch(`${org}/policy`, { headers })).json();
    assert.deepEqual(document.exceptions, []);
  },
});

/** By name, and by the lockfile of the project that had it. */
async function refusedAgain(world: NpmWorld, registry: string, had: Project): Promise<void> {
  const reason = ["whistle 1.1.0 is withheld", "(min_age)"];
  assertRefused(await (await world.project(registry)).add("whistle@1.1.0"), reason.slice(0, 1));
  const files = {
    "package.json": await had.read("package.json"),
    "package-lock.json": await had.read("package-lock.json"),
  };
  assertRefused(await (await world.project(registry, { files })).frozen(), reason);
}

/** Eve's, made when it is wanted. */
async function editor({ proxy }: NpmWorld): Promise<string> {
  const made = await proxy.deps.tokens.create({
    org: "acme",
    user: "eve",
    role: "editor",
    expires: null,
    by: "test",
  });
  return made.secret;
}

/** The events of a message whose signature is right. */
function read({ text, headers }: Message) {
  const at = headers.get("webhook-timestamp");
  const signed = createHmac("sha256", Buffer.from(SECRET))
    .update(`${headers.get("webhook-id")}.${at}.${text}`).digest("base64");
  assert.equal(headers.get("webhook-signature"), `v1,${signed}`);
  return v.parse(messageSchema, JSON.parse(text)).events;
}
