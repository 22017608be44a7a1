/** What a process that is told to end still does. */
import assert from "node:assert/strict";
import { SCHEMES } from "../../ecosystems/mod.ts";
import { openRecords } from "../../policy/store/records.ts";
import { start, temporary } from "../process.ts";
import { DAY } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startFront } from "./front.ts";

const ADMIN_TOKEN = "0123456789abcdef";
const FILE = "/npm/left/-/left-1.0.0.tgz";

Deno.test({
  name:
    "SIGTERM: downloads end whole and on record, nobody else comes in, news waits in the database",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporary();
    const KV_URL = folder.file("proxy.sqlite");
    await using registry = startNpmRegistry();
    const { tarball } = registry.publish({ name: "left", version: "1.0.0" });
    await using front = await startFront(registry.url);
    front.fault(/\.tgz$/, { kind: "trickle", pieces: 20, everyMs: 150 });
    await using proxy = await start({
      KV_URL,
      ADMIN_TOKEN,
      UPSTREAM_NPM: front.url,
      WEBHOOK_ALLOW: "127.0.0.1:*",
    });
    // Nobody listens there, so what is to be told has to wait.
    const policy = {
      webhooks: [{ url: "http://127.0.0.1:9/", events: ["policy"], format: "json" }],
    };
    const put = await fetch(`${proxy.url}/admin/v1/orgs/default/policy`, {
      method: "PUT",
      headers: { "authorization": `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(policy),
    });
    assert.equal(put.status, 201, await put.text());

    const download = await fetch(`${proxy.url}${FILE}`);
    assert.equal(download.status, 200);
    const asked = performance.now();
    proxy.process.kill("SIGTERM");
    const bytes = download.bytes();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const port = Number(new URL(proxy.url).port);
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.1", port }),
      Deno.errors.ConnectionRefused,
    );
    assert.deepEqual(await bytes, tarball);
    assert.equal((await proxy.process.status).code, 0);
    const took = performance.now() - asked;
    assert.ok(took > 1_000 && took < 10_000, `${took} ms`);

    using kv = await Deno.openKv(KV_URL);
    const records = openRecords(kv, { schemes: SCHEMES, now: Date.now, retentionMs: DAY });
    const installs = await Array.fromAsync(records.all("install", { org: "default" }));
    assert.deepEqual(installs.map(({ filename }) => filename), ["left-1.0.0.tgz"]);
    const waiting = [
      ...await Array.fromAsync(kv.list({ prefix: ["news"] })),
      ...await Array.fromAsync(kv.list({ prefix: ["delivery"] })),
    ];
    assert.ok(waiting.length > 0, "the change of the policy is still to be told");
  },
});

Deno.test({
  name: "one stop that comes as two signals is one: a download under way ends whole",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using registry = startNpmRegistry();
    const { tarball } = registry.publish({ name: "left", version: "1.0.0" });
    await using front = await startFront(registry.url);
    front.fault(/\.tgz$/, { kind: "trickle", pieces: 10, everyMs: 50 });
    await using proxy = await start({ UPSTREAM_NPM: front.url });
    const download = await fetch(`${proxy.url}${FILE}`);
    proxy.process.kill("SIGTERM");
    await closed(proxy.url);
    proxy.process.kill("SIGTERM");
    assert.deepEqual(await download.bytes(), tarball);
    assert.equal((await proxy.process.status).code, 0);
  },
});

Deno.test({
  name: "a second signal that comes later ends it at once",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using registry = startNpmRegistry();
    registry.publish({ name: "left", version: "1.0.0" });
    registry.fault(/\.tgz$/, { kind: "stall_body", after: 10 });
    await using proxy = await start({ UPSTREAM_NPM: registry.url });
    const download = await fetch(`${proxy.url}${FILE}`);
    const body = download.arrayBuffer().catch((error: unknown) => error);
    const asked = performance.now();
    proxy.process.kill("SIGTERM");
    await closed(proxy.url);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    proxy.process.kill("SIGTERM");
    assert.equal((await proxy.process.status).code, 0);
    assert.ok(performance.now() - asked < 7_000, "it did not wait for the download");
    assert.ok(await body instanceof Error, "the download must not end well");
  },
});

/** Resolves when a process that was told to end has heard of it. */
async function closed(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  for (;;) {
    const connection = await Deno.connect({ hostname, port: Number(port) }).catch(() => null);
    if (connection === null) return;
    connection.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
