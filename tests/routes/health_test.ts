import assert from "node:assert/strict";
import { serveHealth } from "../../routes/health.ts";
import { faultyKv } from "../faults/faulty_kv.ts";
import { testProxy } from "../proxy.ts";

Deno.test("/health is 200 while the store answers, and names the upstreams", async () => {
  await using proxy = await testProxy({ upstreams: { npm: "http://127.0.0.1:9/some/path/" } });
  for (const path of ["/health", "/o-acme/health"]) {
    const response = await proxy.fetch(path);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const body = await response.json();
    assert.equal(body.status, "ok");
    assert.equal(body.store, "ok");
    assert.equal(body.upstreams.npm, "http://127.0.0.1:9");
  }
});

Deno.test("/health is 503 when the store fails, and says no more than that", async () => {
  await using proxy = await testProxy();
  const probe = () => Promise.reject(new Error("password of the database"));
  const response = await serveHealth({ ...proxy.deps, probe });
  assert.equal(response.status, 503);
  const text = await response.text();
  assert.match(text, /"status":"unavailable"/);
  assert.ok(!text.includes("password"));
});

Deno.test("/health is 503 when the store is read and not written, half a minute later at most", async () => {
  const faulty = faultyKv();
  await using proxy = await testProxy({ wrapKv: faulty.wrap });
  const status = async () => {
    const response = await proxy.fetch("/health");
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status(), 200);
  faulty.fail("unwritable");
  proxy.clock.now += 30_000;
  assert.deepEqual([await status(), await status()], [503, 503]);
  faulty.fail(null);
  assert.equal(await status(), 200);
});

Deno.test("/health is 503 when the store does not answer in time", async () => {
  await using proxy = await testProxy();
  const { promise, resolve } = Promise.withResolvers<void>();
  const response = await serveHealth({ ...proxy.deps, probe: () => promise }, { timeoutMs: 5 });
  assert.equal(response.status, 503);
  assert.equal((await response.json()).store, "unavailable");
  resolve();
});

Deno.test("/health answers GET and HEAD, and nothing that writes", async () => {
  await using proxy = await testProxy();
  assert.equal((await proxy.fetch("/health", { method: "HEAD" })).status, 200);
  assert.equal((await proxy.fetch("/health", { method: "POST" })).status, 405);
});
