/** How an index answer goes out: compressed or not, whole or as 304, within the memory there is. */
import assert from "node:assert/strict";
import { SharedBodies } from "../../ecosystems/shared_body.ts";
import { Answers } from "../../routes/answers.ts";
import { type ProxyOptions, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

async function setting(options: ProxyOptions = {}) {
  const registry = startNpmRegistry();
  for (let i = 0; i < 20; i++) registry.publish({ name: "left", version: `1.0.${i}` });
  const proxy = await testProxy({ ...options, upstreams: { npm: registry.url } });
  return {
    registry,
    proxy,
    async get(headers: Record<string, string>, { path = "/npm/left", method = "GET" } = {}) {
      const response = await proxy.fetch(path, { headers, method });
      return { response, headers: response.headers, bytes: await response.bytes() };
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).bytes();
}

Deno.test("gzip is sent exactly to those who accept it", async () => {
  await using it = await setting();
  const plain = await it.get({ "accept-encoding": "identity" });
  for (
    const [accepted, expected] of [
      ["gzip", true],
      ["GZIP", true],
      ["x-gzip", true],
      ["*", true],
      ["br, *;q=0.1", true],
      ["gzip, deflate, br", true],
      ["gzip;q=0.001", true],
      ["br;q=1.0, gzip;q=0.5, *;q=0", true],
      ["gzip;q=0", false],
      ["gzip; q=0.000, *", false],
      ["*;q=0", false],
      ["br", false],
      ["", false],
      ["identity", false],
      ["notgzip", false],
    ] as const
  ) {
    const { headers, bytes } = await it.get({ "accept-encoding": accepted });
    assert.equal(headers.get("content-encoding"), expected ? "gzip" : null, accepted);
    assert.equal(headers.get("content-length"), String(bytes.length));
    assert.deepEqual(expected ? await inflated(bytes) : bytes, plain.bytes);
  }
});

Deno.test("If-None-Match holds for any of its ETags, weak ones too, and only for them", async () => {
  await using it = await setting();
  const { headers } = await it.get({});
  const etag = headers.get("etag") ?? "";
  for (const given of [etag, `W/${etag}`, `"x", ${etag}`, `"x",W/${etag} , "y"`, "*"]) {
    const { response, bytes } = await it.get({ "if-none-match": given });
    assert.equal(response.status, 304, given);
    assert.equal(bytes.length, 0);
    assert.equal(response.headers.get("etag"), etag);
    assert.equal(response.headers.get("vary"), headers.get("vary"));
    assert.equal(response.headers.get("content-encoding"), null);
  }
  for (const given of ['"x"', etag.slice(1, -1), `${etag}x`, "", etag.toUpperCase()]) {
    assert.equal((await it.get({ "if-none-match": given })).response.status, 200, given);
  }
  const zipped = await it.get({ "if-none-match": etag, "accept-encoding": "gzip" });
  assert.equal(zipped.response.status, 200, "another representation has another ETag");
});

Deno.test("an ETag outlives the process, and changes with content, form, org's policy and address", async () => {
  await using it = await setting({ policies: { acme: { mode: "audit" } } });
  const etag = async (path: string, headers: Record<string, string> = {}) =>
    (await it.get(headers, { path })).headers.get("etag");
  const first = await etag("/npm/left");
  await using second = await testProxy({ upstreams: { npm: it.registry.url } });
  const restarted = await second.fetch("/npm/left");
  await restarted.body?.cancel();
  assert.equal(restarted.headers.get("etag"), first);
  const others = [
    await etag("/npm/left", { accept: "application/vnd.npm.install-v1+json" }),
    await etag("/left"),
    await etag("/o-acme/npm/left"),
    await etag("/npm/left/1.0.0"),
    await etag("/npm/-/package/left/dist-tags"),
  ];
  assert.equal(new Set([first, ...others]).size, 6);
  it.registry.publish({ name: "left", version: "2.0.0" });
  assert.notEqual(await etag("/npm/left"), first);
});

Deno.test("what each policy's orgs are sent counts among what is held", () => {
  const bytes = 200_000;
  const answers = new Answers(bytes, new SharedBodies());
  const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);
  const held = () => keys.map((key) => answers.get(key, false)).filter((it) => it !== undefined);
  for (const key of keys) answers.put(key, { body: "{}", type: "application/json" }, false);
  assert.equal(held().length, keys.length);
  for (let revision = 0; revision < 500; revision++) {
    for (const key of keys) {
      const prepared = answers.get(key, false);
      if (prepared === undefined) continue;
      const asked = { key, revision: `${revision}`, zipped: false };
      const template = answers.templateOf(prepared, asked);
      assert.equal(answers.templateOf(prepared, asked), template, "made once");
    }
    const templates = held().reduce((sum, { templates }) => sum + templates.size, 0);
    // Of some kilobytes each.
    assert.ok(templates > 0 && templates * 2_000 < bytes, `${revision}: ${templates}`);
  }
});

Deno.test("answers are right whatever memory there is for them", async () => {
  for (const cacheBytes of [1, 5_000, 100_000]) {
    await using it = await setting({ settings: { cacheBytes } });
    for (let i = 0; i < 30; i++) it.registry.publish({ name: `package-${i}`, version: "1.0.0" });
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 30; i++) {
        const { response, bytes } = await it.get({}, { path: `/npm/package-${i}` });
        assert.equal(response.status, 200);
        assert.equal(JSON.parse(new TextDecoder().decode(bytes)).name, `package-${i}`);
      }
    }
  }
});

Deno.test("a large document goes out whole, compressed and not", async () => {
  await using it = await setting();
  const readme = crypto.getRandomValues(new Uint8Array(60_000)).toHex().repeat(12);
  it.registry.publish({ name: "large", version: "1.0.0", extra: { notes: readme } });
  const plain = await it.get({}, { path: "/npm/large" });
  assert.ok(plain.bytes.length > 1024 * 1024);
  assert.equal(JSON.parse(new TextDecoder().decode(plain.bytes)).versions["1.0.0"].notes, readme);
  const zipped = await it.get({ "accept-encoding": "gzip" }, { path: "/npm/large" });
  assert.deepEqual(await inflated(zipped.bytes), plain.bytes);
  const head = await it.get({ "accept-encoding": "gzip" }, { path: "/npm/large", method: "HEAD" });
  assert.equal(head.headers.get("content-length"), String(zipped.bytes.length));
});
