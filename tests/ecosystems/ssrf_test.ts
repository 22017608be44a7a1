/** No way to make the proxy call addresses that only its own network can reach. */
import assert from "node:assert/strict";
import { OsvClient } from "../../ecosystems/advisories/client.ts";
import type { Source } from "../../ecosystems/ecosystem.ts";
import { UpstreamError } from "../../ecosystems/errors.ts";
import type { Resolve } from "../../ecosystems/guarded_lookup.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { serveRegistry } from "../registry/server.ts";

const LOOPBACK: Resolve = () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
const NPM = { "user-agent": "npm/11.0.0 node/v24.0.0" };

function sourceOf(url: string, given: Partial<Source> = {}): Source {
  const plain = { ecosystem: "npm", authorization: null, partition: "", fileOrigins: [] };
  return { ...plain, url, ...given };
}

const PRIVATE = [
  "http://127.0.0.1/",
  "https://127.0.0.1/",
  "https://2130706433/",
  "https://0x7f.1/",
  "https://10.0.0.1/",
  "https://172.16.0.1:8443/",
  "https://192.168.1.1/",
  "https://100.64.0.1/",
  "http://169.254.169.254/latest/meta-data/",
  "https://0.0.0.0/",
  "https://[::1]/",
  "https://[::]/",
  "https://[fe80::1]/",
  "https://[fd00::1]/",
  "https://[::ffff:10.0.0.1]/",
  "https://[64:ff9b::7f00:1]/",
  "https://localhost/",
  "https://localhost./",
  "https://a.localhost/",
  "https://nexus/",
  "https://nexus.internal/",
  "https://printer.local/",
];

Deno.test("a policy cannot name a private registry at an address of the proxy's own network", async () => {
  await using proxy = await testProxy({ settings: { registryAllow: ["nexus.corp.example:8081"] } });
  const put = async (registries: unknown[], method = "PUT") => {
    const response = await proxy.fetch("/admin/v1/orgs/acme/policy", {
      method,
      headers: {
        "authorization": `Bearer ${proxy.rootToken}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ registries }),
    });
    return { status: response.status, body: await response.json() };
  };
  const registry = (url: string) => ({ ecosystem: "npm", packages: "pkg:npm/@acme/*", url });
  for (const url of [...PRIVATE, "http://packages.example/", "http://nexus.corp.example:8082/"]) {
    const { status, body } = await put([registry("https://packages.example/"), registry(url)]);
    assert.equal(status, 422, url);
    assert.deepEqual(
      body.errors.map(({ pointer }: { pointer: string }) => pointer),
      ["/registries/1/url"],
      url,
    );
    assert.match(body.errors[0].detail, /that the operator allows/);
  }
  for (const file of [...PRIVATE, "http://files.example/"]) {
    const origins = [
      "https://files.example",
      "http://nexus.corp.example:8081",
      new URL(file).origin,
    ];
    const { status, body } = await put([{
      ...registry("https://packages.example/"),
      files: origins,
    }]);
    assert.equal(status, 422, file);
    assert.equal(body.errors[0].pointer, "/registries/0/files/2", file);
  }
  assert.equal(await proxy.deps.policies.has("acme"), false);
  const allowed = ["https://packages.example/npm", "http://nexus.corp.example:8081/npm/"];
  assert.equal((await put(allowed.map(registry))).status, 201);
});

Deno.test("a registry that a policy names is looked up when it is used, for documents, files and services", async () => {
  await using server = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  const { port } = new URL(server.url);
  for (
    const [url, answers] of [
      [`https://packages.example:${port}/`, ["127.0.0.1"]],
      [`https://packages.example:${port}/`, ["93.184.215.14", "127.0.0.1"]],
      [`https://packages.example:${port}/`, ["::ffff:7f00:1"]],
      [`https://packages.example:${port}/`, []],
      [server.url, null],
      [`https://localhost:${port}/`, null],
      [`http://packages.example:${port}/`, null],
    ] as const
  ) {
    const resolve: Resolve = () => {
      if (answers === null) assert.fail("nobody is to be asked");
      const family = (address: string) => address.includes(":") ? 6 : 4;
      return Promise.resolve(
        answers.map((address) => ({ address, family: family(address) })),
      );
    };
    const upstream = new Upstream({ allow: ["other.example"], resolve });
    const source = sourceOf(url, { namedByPolicy: true });
    for (
      const work of [
        upstream.document(source, { url: "x", accept: "*/*" }),
        upstream.file(source, `${url}x`),
        upstream.pass(source, { url: "x", accept: "*/*" }, { method: "GET" }),
      ]
    ) {
      await assert.rejects(work, (error) => {
        assert.ok(error instanceof UpstreamError);
        assert.equal(error.fault, "redirect");
        assert.match(error.message, /^Cannot call /);
        return true;
      });
    }
  }
  assert.deepEqual(server.requests, []);
});

Deno.test("DNS rebinding: what was checked is what is connected to, for each connection", async () => {
  await using server = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  const { port } = new URL(server.url);
  const url = `http://packages.example:${port}/`;
  let asked = 0;
  const resolve: Resolve = (hostname) => {
    assert.equal(hostname, "packages.example");
    asked++;
    return LOOPBACK(hostname);
  };
  const source = sourceOf(url, { namedByPolicy: true });
  const allowed = new Upstream({ allow: ["packages.example:*"], resolve });
  await allowed.document(source, { url: "x", accept: "*/*" });
  assert.equal(asked, 1, "asked once, and that answer is used");
  await (await allowed.file(source, `${url}file`))?.body.cancel();
  assert.ok(asked <= 2, `${asked}`);
  // A connection of the operator's own, to the same name, is none that was looked at.
  const refusing = new Upstream({ allow: [], resolve: LOOPBACK });
  await refusing.document(sourceOf(server.url), { url: "x", accept: "*/*" });
  const before = server.requests.length;
  const twin = sourceOf(server.url, { namedByPolicy: true });
  await assert.rejects(refusing.document(twin, { url: "x", accept: "*/*" }), UpstreamError);
  assert.equal(server.requests.length, before);
});

Deno.test("what a public upstream names besides itself is looked at, what the operator names is not", async () => {
  await using server = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  const { origin } = new URL(server.url);
  const upstream = new Upstream({ resolve: LOOPBACK });
  const home = sourceOf("https://index.example/");
  for (const stated of [origin, "https://files.example", "http://169.254.169.254"]) {
    await assert.rejects(
      upstream.file(home, `${stated}/x`, { origins: [stated] }),
      /^UpstreamError: Cannot call /,
      stated,
    );
  }
  assert.deepEqual(server.requests, []);
  const named = sourceOf("https://index.example/", { fileOrigins: [origin] });
  await (await upstream.file(named, `${origin}/x`))?.body.cancel();
  const byPolicy = sourceOf("https://index.example/", {
    fileOrigins: [origin],
    namedByPolicy: true,
  });
  await assert.rejects(upstream.file(byPolicy, `${origin}/x`), /^UpstreamError: Cannot call /);
  await using neighbour = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  const stated = new URL(neighbour.url).origin;
  const own = sourceOf(server.url);
  await (await upstream.file(own, `${stated}/x`, { origins: [stated] }))?.body.cancel();
  assert.equal(neighbour.requests.length, 1, "an upstream of the operator's own network");
});

Deno.test("no redirect leads to an address that is not the upstream's, private ones least of all", async () => {
  await using inside = serveRegistry(() => ({ body: "secret", type: "text/plain" }));
  await using server = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  for (
    const location of [inside.url, "http://169.254.169.254/", "file:///etc/passwd", "//[::1]/"]
  ) {
    server.fault(/.*/, { kind: "redirect", location });
    for (const namedByPolicy of [false, true]) {
      const source = sourceOf(server.url, { namedByPolicy });
      const upstream = new Upstream({ allow: ["127.0.0.1:*"] });
      const address = { url: "x", accept: "*/*" };
      await assert.rejects(upstream.document(source, address), { fault: "redirect" });
      await assert.rejects(upstream.file(source, `${server.url}x`), { fault: "redirect" });
    }
  }
  assert.deepEqual(inside.requests, []);
});

Deno.test("the advisories' client follows no redirect", async () => {
  await using inside = serveRegistry(() => ({ body: '{"id":"A-1"}', type: "application/json" }));
  await using server = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  server.fault(/.*/, { kind: "redirect", location: `${inside.url}v1/vulns/A-1` });
  await assert.rejects(new OsvClient(server.url).record("A-1"), /OSV answers 30/);
  assert.deepEqual(inside.requests, []);
});

Deno.test("an allowed private registry serves indexes and files by its name", async () => {
  await using inside = startNpmRegistry();
  await using outside = startNpmRegistry();
  const { port } = new URL(inside.url);
  const big = crypto.getRandomValues(new Uint8Array(60_000)).toHex();
  inside.publish({ name: "@acme/tool", version: "1.0.0", files: { "big.txt": big } });
  await using proxy = await testProxy({
    upstreams: { npm: outside.url },
    resolve: LOOPBACK,
    settings: { registryAllow: ["packages.example:*"] },
    policy: {
      registries: [{
        ecosystem: "npm",
        packages: "pkg:npm/@acme/*",
        url: `http://packages.example:${port}/`,
      }],
    },
  });
  const path = "/npm/@acme/tool/-/tool-1.0.0.tgz";
  const ask = (path: string) => proxy.fetch(path, { headers: NPM });
  const index = await (await ask("/npm/@acme%2ftool")).json();
  assert.deepEqual(Object.keys(index.versions), ["1.0.0"]);
  inside.fault(/\.tgz$/, { kind: "reset", after: 20_000 });
  await assert.rejects(async () => await (await ask(path)).arrayBuffer());
  inside.mend();
  const left = await ask(path);
  await left.body?.cancel();
  const whole = await ask(path);
  assert.equal(whole.status, 200);
  assert.ok((await whole.bytes()).length > 60_000);
  assert.equal((await proxy.installs()).length, 1);
  assert.equal((await ask("/npm/@acme/tool/-/tool-9.9.9.tgz")).status, 404);
  assert.deepEqual(outside.requests, []);
});
