/** What comparable systems got wrong with npm; the table of all is in pitfalls_test.ts. */
import assert from "node:assert/strict";
import type { Trust } from "../../policy/types.ts";
import { DAY, type ProxyOptions, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const CORGI = "application/vnd.npm.install-v1+json";
const NOW = Date.now();
const ago = (days: number) => new Date(NOW - days * DAY);

async function npm(options: ProxyOptions = {}) {
  const registry = startNpmRegistry();
  const proxy = await testProxy({ ...options, upstreams: { npm: registry.url } });
  const get = (path: string, init?: RequestInit) => proxy.fetch(`/npm/${path}`, init);
  return {
    registry,
    proxy,
    get,
    async status(path: string, init?: RequestInit) {
      const response = await get(path, init);
      await response.arrayBuffer();
      return response.status;
    },
    async versions(path: string) {
      const response = await get(path);
      assert.equal(response.status, 200, await response.clone().text());
      return Object.keys((await response.json()).versions);
    },
    async tags(path: string) {
      return (await (await get(path)).json())["dist-tags"];
    },
    /** Versions in this order, with age in days and evidence. */
    publish(name: string, ...versions: [version: string, days: number, trust?: Trust][]) {
      for (const [version, days, trust] of versions) {
        registry.publish({ name, version, publishedAt: ago(days), trust });
      }
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

Deno.test("pitfall: the publisher check never fires on npm; after one downgrade the next untrusted release passes", async () => {
  await using it = await npm();
  it.publish("axios", ["1.13.0", 90, "trusted_publisher"], ["1.14.0", 60, "trusted_publisher"]);
  it.publish("axios", ["1.14.1", 50], ["1.14.2", 40], ["1.15.0", 30, "trusted_publisher"]);
  assert.deepEqual(await it.versions("axios"), ["1.13.0", "1.14.0", "1.15.0"]);
  for (const version of ["1.14.1", "1.14.2"]) {
    const response = await it.get(`axios/-/axios-${version}.tgz`);
    assert.equal(response.status, 403);
    assert.match(await response.text(), /publisher_downgrade/);
  }
});

Deno.test("pitfall: trust-downgrade alarms so noisy that teams dropped the check (pnpm#10202)", async () => {
  await using it = await npm();
  it.publish("semver", ["6.3.0", 900], ["7.0.0", 700, "trusted_publisher"], ["6.3.1", 300]);
  it.publish("semver", ["7.1.0", 20], ["8.0.0", 800, "provenance"], ["8.1.0", 100]);
  // Another major is another line, and evidence older than a year does not count.
  assert.deepEqual(await it.versions("semver"), [
    "6.3.0",
    "7.0.0",
    "6.3.1",
    "7.1.0",
    "8.0.0",
    "8.1.0",
  ]);
});

Deno.test("pitfall: `latest` becomes the last key of `versions`, even when nothing was filtered; other tags dangle", async () => {
  await using it = await npm();
  it.publish("tool", ["2.0.0", 50], ["1.9.1", 40], ["3.0.0-beta.1", 30], ["3.0.0-beta.2", 1]);
  it.registry.tagged("tool", "latest", "2.0.0");
  it.registry.tagged("tool", "beta", "3.0.0-beta.2");
  assert.deepEqual(await it.tags("tool"), { latest: "2.0.0", beta: "3.0.0-beta.1" });
  it.publish("tool", ["4.0.0-rc.1", 2]);
  it.registry.tagged("tool", "rc", "4.0.0-rc.1");
  it.registry.tagged("tool", "latest", "2.0.0");
  const { versions, "dist-tags": tags } = await (await it.get("tool")).json();
  assert.equal(tags.rc, undefined, "nothing else of its line is left");
  for (const [tag, version] of Object.entries(tags)) assert.ok(String(version) in versions, tag);
});

Deno.test("pitfall: `latest` falls back by publish time and picks a backport (verdaccio#6051)", async () => {
  await using it = await npm();
  it.publish("tool", ["2.1.0", 90], ["2.2.0", 60], ["1.9.9", 20], ["2.3.0", 1]);
  assert.equal((await it.tags("tool")).latest, "2.2.0");
});

Deno.test("pitfall: `/pkg/1.0.0` answers 500; HEAD 405; `/@scope/name` unencoded loses its scope", async () => {
  await using it = await npm();
  it.publish("@acme/tool", ["1.0.0", 90], ["1.1.0", 1]);
  it.publish("tool", ["9.0.0", 90]);
  for (
    const name of ["@acme/tool", "@acme%2ftool", "@acme%2Ftool", "%40acme%2ftool", "%40acme/tool"]
  ) {
    assert.deepEqual(await it.versions(name), ["1.0.0"]);
    assert.equal((await (await it.get(`${name}/1.0.0`)).json()).version, "1.0.0");
    assert.equal((await (await it.get(`${name}/latest`)).json()).version, "1.0.0");
    assert.equal(await it.status(`${name}/1.1.0`), 403);
    assert.equal(await it.status(`${name}/2.0.0`), 404);
    for (const path of [name, `${name}/1.0.0`, `${name}/-/tool-1.0.0.tgz`]) {
      assert.equal(await it.status(path, { method: "HEAD" }), 200, path);
    }
  }
});

Deno.test("pitfall: the abbreviated and full packument shared an ETag and the age gate was skipped (pnpm#14925)", async () => {
  await using it = await npm();
  it.publish("left", ["1.0.0", 90], ["1.1.0", 1]);
  const full = await it.get("left", { headers: { accept: "application/json" } });
  const short = await it.get("left", { headers: { accept: CORGI } });
  assert.equal(short.headers.get("content-type"), CORGI);
  const etags = [full, short].map((response) => response.headers.get("etag") ?? "");
  assert.notEqual(etags[0], etags[1]);
  for (const response of [full, short]) {
    assert.deepEqual(Object.keys((await response.json()).versions), ["1.0.0"]);
  }
  const crossed = await it.get("left", { headers: { accept: CORGI, "if-none-match": etags[0] } });
  assert.equal(crossed.status, 200);
  assert.deepEqual(Object.keys((await crossed.json()).versions), ["1.0.0"]);
  const dated = await it.get("left", {
    headers: { "if-modified-since": new Date(NOW + DAY).toUTCString() },
  });
  assert.equal(dated.status, 200, "pnpm derives that from the document, not from our answer");
  await dated.text();
});

Deno.test("pitfall: packuments over a size cap truncated silently (git-pkgs 8b762ff)", async () => {
  await using it = await npm({ limits: { documentBytes: 300_000 } });
  for (let i = 0; i < 100; i++) it.publish("large", [`1.0.${i}`, 90]);
  assert.equal((await it.versions("large")).length, 100);
  it.registry.publish({ name: "large", version: "2.0.0", extra: { notes: "x".repeat(300_000) } });
  const response = await it.get("larger");
  assert.equal(response.status, 404);
  await response.text();
  await using fresh = await testProxy({
    upstreams: { npm: it.registry.url },
    limits: { documentBytes: 300_000 },
  });
  const refused = await fresh.fetch("/npm/large");
  assert.equal(refused.status, 502);
  assert.equal((await refused.json()).code, "upstream_oversized");
  assert.equal((await fresh.fetch("/npm/large/-/large-1.0.0.tgz")).status, 502);
});

Deno.test("pitfall: the whole packument parsed again for each tarball: an install took 100 s instead of 9 s (git-pkgs#296)", async () => {
  await using it = await npm();
  for (let i = 0; i < 40; i++) it.publish("many", [`1.0.${i}`, 90]);
  const parse = JSON.parse;
  let parsed = 0;
  JSON.parse = (text, reviver) => {
    if (String(text).length > 20_000) parsed++;
    return parse(text, reviver);
  };
  try {
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => it.status(`many/-/many-1.0.${i}.tgz`)),
    );
  } finally {
    JSON.parse = parse;
  }
  assert.ok(parsed <= 1, `${parsed} times`);
  assert.equal(it.registry.requests.filter(({ path }) => path === "/many").length, 1);
  assert.equal((await it.proxy.installs()).length, 40);
});

Deno.test("pitfall: a package without versions crashes (safe-chain#107)", async () => {
  await using it = await npm();
  it.publish("gone", ["1.0.0", 90]);
  it.registry.unpublish("gone", "1.0.0");
  for (const accept of ["application/json", CORGI]) {
    const status = await it.status("gone", { headers: { accept } });
    assert.ok(status === 200 || status === 404, String(status));
  }
  for (const path of ["gone/1.0.0", "gone/latest", "gone/-/gone-1.0.0.tgz"]) {
    assert.equal(await it.status(path), 404, path);
  }
  assert.equal((await it.proxy.fetch("/why/pkg:npm/gone")).status, 200);
  assert.equal(await it.status("-/package/gone/dist-tags"), 200);
});

Deno.test("pitfall: PURL `@` against `%40` (git-pkgs#197)", async () => {
  for (
    const purl of [
      "pkg:npm/@acme/tool",
      "pkg:npm/%40acme/tool",
      "pkg:npm/@acme/*",
      "pkg:npm/%40acme/*",
      "pkg:npm/@acme/tool@1.0.0",
      "pkg:npm/%40acme/tool@1.0.0",
    ]
  ) {
    await using it = await npm({ policy: { rules: { block: { entries: [{ purl }] } } } });
    it.publish("@acme/tool", ["1.0.0", 90]);
    const refused = await it.get("@acme/tool/-/tool-1.0.0.tgz");
    assert.equal(refused.status, 403, purl);
    const text = await refused.text();
    assert.match(text, /pkg:npm\/(?:@|%40)acme\/tool@1\.0\.0/);
    const why = /http:\/\/proxy\.example(\/why\/[^\s"]+)/.exec(text)?.[1] ?? "";
    const explained = await it.proxy.fetch(why);
    assert.equal(explained.status, 200, why);
    assert.match(await explained.text(), /blocked/);
    assert.equal((await it.proxy.refusals())[0].package, "@acme/tool");
  }
});

Deno.test("pitfall: exceptions that nobody removes (renovate#40595)", async () => {
  const until = new Date(NOW + DAY).toISOString();
  await using it = await npm({
    policy: { exceptions: [{ purl: "pkg:npm/left", rules: ["min_age"], until }] },
  });
  it.proxy.clock.now = NOW;
  it.publish("left", ["1.0.0", 90], ["1.1.0", 1]);
  const first = await it.get("left");
  const etag = first.headers.get("etag") ?? "";
  assert.deepEqual(Object.keys((await first.json()).versions), ["1.0.0", "1.1.0"]);
  it.proxy.clock.now = NOW + DAY - 1;
  assert.equal(await it.status("left/-/left-1.1.0.tgz"), 200);
  it.proxy.clock.now = NOW + DAY;
  assert.equal(await it.status("left/-/left-1.1.0.tgz"), 403);
  const later = await it.get("left", { headers: { "if-none-match": etag } });
  assert.equal(later.status, 200);
  assert.deepEqual(Object.keys((await later.json()).versions), ["1.0.0"]);
});
