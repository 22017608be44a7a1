import assert from "node:assert/strict";
import { parsePolicy } from "../../policy/schema.ts";
import { PolicyInvalid } from "../../policy/store/errors.ts";
import { keys } from "../../policy/store/keys.ts";
import { openPolicies } from "../../policy/store/policies.ts";
import { PolicyDocuments } from "../../policy/store/policy_documents.ts";
import type { Policies } from "../../policy/store/types.ts";
import type { Webhook } from "../../policy/types.ts";
import { wants, webhookFaults, webhookId } from "../../policy/webhooks.ts";
import { SCHEMES } from "../../ecosystems/mod.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const PRIVATE = "http://10.0.0.7:9000/hook";

Deno.test("a document may name every event and every format, and those of before", () => {
  const webhooks = [
    { url: "https://hooks.example/", events: ["refusal", "warning", "policy"] },
    { url: "https://hooks.example/", events: ["alert", "exception", "break_glass"] },
    ...["json", "slack", "teams", "discord"].map((format) => ({
      url: "https://a.example",
      format,
    })),
  ];
  assert.deepEqual(parsePolicy({ webhooks }, SCHEMES).webhooks, webhooks);
  for (const wrong of [{ format: "pigeon" }, { events: ["everything"] }, { events: "alert" }]) {
    assert.throws(
      () => parsePolicy({ webhooks: [{ url: "https://a.example", ...wrong }] }, SCHEMES),
      PolicyInvalid,
    );
  }
});

Deno.test("a webhook wants what it names, and everything where it names nothing", () => {
  const hook = { url: "https://hooks.example/" };
  assert.equal(wants(hook, "alert"), true);
  assert.equal(wants({ ...hook, events: ["alert"] }, "alert"), true);
  assert.equal(wants({ ...hook, events: ["policy"] }, "alert"), false);
  assert.equal(wants({ ...hook, events: [] }, "alert"), false);
});

Deno.test("a webhook is the same as long as its messages go to the same place in the same form", () => {
  const url = "https://hooks.example/";
  const id = webhookId({ url, secret: "a" });
  const same: Webhook[] = [
    { url, secret: "b" },
    { url, secret: "a", format: "json" },
    { url, secret: "a", events: ["alert"] },
  ];
  const others: Webhook[] = [
    { url },
    { url: `${url}x`, secret: "a" },
    { url, secret: "a", format: "slack" },
  ];
  for (const hook of same) assert.equal(webhookId(hook), id, JSON.stringify(hook));
  for (const hook of others) assert.notEqual(webhookId(hook), id, JSON.stringify(hook));
  assert.match(id, /^[\w-]{22}$/);
});

Deno.test("ten webhooks are enough", () => {
  const hooks = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ url: `https://hooks.example/${i}` }));
  const faults = (webhooks: Webhook[]) =>
    webhookFaults(webhooks, { allow: [], known: [], input: { webhooks } });
  assert.deepEqual(faults(hooks(10)), []);
  assert.deepEqual(faults(hooks(11)), [{ pointer: "/webhooks", detail: "more than 10 webhooks" }]);
});

async function faultsOf(work: Promise<unknown>): Promise<string[]> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof PolicyInvalid, String(error));
    return error.faults.map(({ pointer }) => pointer);
  }
  return [];
}

async function withPolicies(
  run: (world: { kv: Deno.Kv; open: (allow?: string[]) => Policies }) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const open = (webhookAllow?: string[]) =>
    openPolicies(kv, { schemes: SCHEMES, now: () => NOW, webhookAllow });
  try {
    await run({ kv, open });
  } finally {
    kv.close();
  }
}

Deno.test("no policy is stored with a webhook at a private address, unless the operator allows it", () =>
  withPolicies(async ({ kv, open }) => {
    const by = "alice";
    const webhooks = [{ url: "https://hooks.example/" }, { url: PRIVATE }];
    assert.deepEqual(await faultsOf(open().replace("acme", { webhooks }, { by })), [
      "/webhooks/1/url",
    ]);
    assert.deepEqual(await faultsOf(open().update("acme", () => ({ webhooks }), { by })), [
      "/webhooks/1/url",
    ]);
    assert.deepEqual(await faultsOf(open().replace("acme", { "webhook-url": PRIVATE }, { by })), [
      "/webhook-url",
    ]);
    assert.equal((await kv.get(keys.policy("acme"))).value, null);
    await open(["10.0.0.7:9000"]).replace("acme", { webhooks }, { by });
    assert.deepEqual((await open().get("acme")).webhooks, webhooks);
  }));

Deno.test("a webhook stored when the operator allowed more stands in nobody's way", () =>
  withPolicies(async ({ open }) => {
    const by = "alice";
    await open(["10.0.0.7:*"]).replace("acme", { webhooks: [{ url: PRIVATE }] }, { by });
    const strict = open();
    await strict.update("acme", (document) => ({ ...document, mode: "audit" }), { by });
    assert.equal((await strict.get("acme")).mode, "audit");
    const more = { webhooks: [{ url: PRIVATE }, { url: "https://127.0.0.1/" }] };
    assert.deepEqual(await faultsOf(strict.update("acme", () => more, { by })), [
      "/webhooks/1/url",
    ]);
  }));

const UNSIGNING = ["", "whsec_", "whsec_!!!", "whsec_a-_b", "whsec_a", "whsec_QUJDR="];

Deno.test("a secret is a text, or whsec_ and Base64", () => {
  const url = "https://hooks.example/";
  const faults = (secret: string) =>
    webhookFaults([{ url, secret }], { allow: [], known: [], input: {} })
      .map(({ pointer }) => pointer);
  for (const secret of UNSIGNING) {
    assert.deepEqual(faults(secret), ["/webhooks/0/secret"], secret);
  }
  for (
    const secret of [
      "s",
      "wh",
      " ",
      "line\nline",
      "whsec_QUI",
      "whsec_QUI=",
      "whsec_QUJD",
      "whsec_+/A=",
      "whsec_QQ==",
    ]
  ) {
    assert.deepEqual(faults(secret), [], secret);
  }
});

Deno.test("a secret that was stored before signs on, and stands in nobody's way", () =>
  withPolicies(async ({ kv, open }) => {
    const by = "alice";
    const webhooks = [{ url: "https://hooks.example/", secret: "whsec_!!!" }];
    const json = JSON.stringify(parsePolicy({ webhooks }, SCHEMES));
    const revision = { revision: "0".repeat(26), at: "2026-11-01T00:00:00Z", by, json };
    await new PolicyDocuments(kv, 5_000).write("acme", revision, null);
    assert.deepEqual((await open().get("acme")).webhooks, webhooks);
    await open().update("acme", (document) => ({ ...document, mode: "audit" }), { by });
    assert.deepEqual((await open().get("acme")).webhooks, webhooks);
    const other = { webhooks: [{ ...webhooks[0], secret: "whsec_???" }] };
    assert.deepEqual(await faultsOf(open().update("acme", () => other, { by })), [
      "/webhooks/0/secret",
    ]);
    assert.deepEqual(await faultsOf(open().replace("acme", { webhooks }, { by })), [
      "/webhooks/0/secret",
    ]);
  }));
