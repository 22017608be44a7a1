/** Bodies that clients send: how large, how packed and how slow they may be, on every route that takes one. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { readBody } from "../../routes/body.ts";
import { RequestError } from "../../routes/errors.ts";
import { testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const MB = 1024 * 1024;

Deno.test("a body that is too large is 413 on every route that takes one", async () => {
  await using registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0", publishedAt: new Date() });
  await using proxy = await testProxy({ upstreams: { npm: registry.url } });
  const token = { authorization: `Bearer ${proxy.rootToken}` };
  const json = { ...token, "content-type": "application/json" };
  const form = { "content-type": "application/x-www-form-urlencoded" };
  for (
    const [path, size, headers, method] of [
      ["/npm/-/npm/v1/security/advisories/bulk", 9, {}],
      ["/check", 51, {}],
      ["/o-acme/check", 51, {}],
      ["/admin/v1/orgs/acme/policy", 11, json, "PUT"],
      ["/admin/v1/orgs/acme/policy", 11, json, "PATCH"],
      ["/admin/v1/orgs/acme/block", 11, json],
      ["/admin/v1/orgs/acme/tokens", 11, json],
      ["/admin/v1/orgs/acme/simulate", 11, json],
      ["/why/pkg:npm/left@1.0.0", 11, form],
    ] as const
  ) {
    const body = new Uint8Array(size * MB).fill(32);
    const response = await proxy.fetch(path, { method: method ?? "POST", headers, body });
    assert.equal(response.status, 413, path);
    assert.ok((await response.text()).length < 400, path);
  }
});

Deno.test("a zipped bomb is 413 before it has unfolded", async () => {
  await using proxy = await testProxy();
  const body = new Uint8Array(gzipSync(new Uint8Array(49 * MB)));
  assert.ok(body.length < 100_000);
  for (const path of ["/check", "/npm/-/npm/v1/security/advisories/bulk"]) {
    const headers = { "content-encoding": "gzip" };
    const response = await proxy.fetch(path, { method: "POST", headers, body });
    assert.equal(response.status, 413, path);
    await response.text();
  }
});

Deno.test("a body that trickles is 408", async () => {
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.enqueue(new Uint8Array(1));
    },
  });
  const request = new Request("http://proxy.example/check", { method: "POST", body });
  await assert.rejects(readBody(request, { maxBytes: MB, totalMs: 100 }), (error) => {
    assert.ok(error instanceof RequestError);
    assert.deepEqual([error.problem.status, error.problem.code], [408, "body_too_slow"]);
    return true;
  });
});

Deno.test("bodies that are being read have a bound together, and give their room back", async () => {
  await using registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { npm: registry.url } });
  const post = (path: string, body: BodyInit, init: RequestInit = {}) =>
    proxy.fetch(path, { method: "POST", body, ...init });
  const stuck: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>[] = [];
  const held = [1, 2, 3].map(() =>
    post(
      "/check",
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        start(controller) {
          controller.enqueue(new Uint8Array(40 * MB).fill(32));
          stuck.push(controller);
        },
      }),
    )
  );
  const audit = "/npm/-/npm/v1/security/advisories/bulk";
  const body = new Uint8Array(9 * MB).fill(32);
  let refused: Response;
  do {
    await new Promise((resolve) => setTimeout(resolve, 10));
    refused = await post("/check", body);
    await refused.body?.cancel();
  } while (refused.status === 422); // not all of the three are read yet
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "10"]);
  assert.equal((await post("/check", "pkg:npm/left@1.0.0")).status, 200, "small ones have room");
  assert.equal((await post(audit, "{}")).status, 200);
  for (const controller of stuck) controller.close();
  for (const response of await Promise.all(held)) assert.equal(response.status, 422);
  assert.equal((await post("/check", body)).status, 422, "and large ones again");
});
