/** What every page and every answer of the proxy says to browsers. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { UpstreamError } from "../../ecosystems/errors.ts";
import { Upstream } from "../../ecosystems/upstream.ts";
import { serveRegistry } from "../registry/server.ts";
import { BROWSER, setting } from "./world.ts";

Deno.test("every page has a policy without scripts, and cannot be framed", async () => {
  await using it = await setting();
  for (
    const path of [
      "/",
      "/setup",
      "/why/pkg:npm/left",
      "/why/pkg:npm/left@1.0.0",
      "/o-acme/u-alice/setup",
      "/pypi/simple/demo-tool/",
      "/pypi/simple/",
    ]
  ) {
    const response = await it.get(path, BROWSER);
    const text = await response.text();
    assert.equal(response.status, 200, path);
    assert.match(response.headers.get("content-type") ?? "", /^text\/html/, path);
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
    assert.doesNotMatch(policy, /script-src|unsafe-eval/, path);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
    assert.doesNotMatch(text, /<script|\son\w+=/i, path);
    if (path.startsWith("/pypi/")) continue;
    assert.match(response.headers.get("referrer-policy") ?? "", /^(?:no-referrer|same-origin)$/);
    assert.equal(response.headers.get("cross-origin-opener-policy"), "same-origin", path);
  }
});

Deno.test("what a registry has written is nothing that runs at this origin", async () => {
  await using it = await setting();
  const file = await it.get("/npm/left/-/left-1.0.0.tgz", BROWSER);
  assert.equal(file.status, 200);
  await file.arrayBuffer();
  const again = await it.get("/npm/left/-/left-1.0.0.tgz", BROWSER);
  await again.arrayBuffer();
  for (const { headers } of [file, again]) {
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.match(headers.get("content-security-policy") ?? "", /sandbox/);
  }
});

Deno.test("errors and refusals are not to be taken for something else", async () => {
  await using it = await setting();
  for (
    const [path, method] of [
      ["/npm/none", "GET"],
      ["/npm/left", "PUT"],
      ["/pypi/simple/none/", "GET"],
      ["/nothing/at/all/here", "GET"],
      ["/o-A/npm/left", "GET"],
      ["/health", "GET"],
      ["/admin/v1/orgs", "GET"],
      ["/why/pkg:npm/none", "GET"],
    ] as const
  ) {
    const response = await it.get(path, undefined, { method });
    await response.text();
    assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
  }
});

Deno.test("a document that unfolds to 250 times itself is no document", async () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(64 * 1024 * 1024).fill(32), { level: 9 }));
  assert.ok(bomb.length < 100_000);
  await using server = serveRegistry(() => ({
    body: bomb,
    type: "application/json",
    headers: { "content-encoding": "gzip" },
  }));
  const plain = { authorization: null, partition: "", fileOrigins: [] };
  const source = { ecosystem: "npm", url: server.url, ...plain };
  const begin = Deno.memoryUsage().rss;
  await assert.rejects(
    new Upstream().document(source, { url: "x", accept: "*/*" }),
    (error) => error instanceof UpstreamError && error.fault === "oversized",
  );
  assert.ok(Deno.memoryUsage().rss - begin < 60 * 1024 * 1024, "it was not unfolded");
});
