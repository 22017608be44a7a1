/** Upstream's faults, the same for every ecosystem: refused with a plain reason, or the last good answer. */
import assert from "node:assert/strict";
import type { Fault } from "../registry/server.ts";
import { testProxy } from "../proxy.ts";
import { type Driver, DRIVERS } from "./drivers.ts";

const LIMITS = { firstByteMs: 600, stallMs: 400, documentBytes: 200_000 };

async function setting(driver: Driver) {
  const world = driver.start();
  const file = world.publish({
    name: "package",
    version: "1.0.0",
    publishedAt: new Date("2020-01-01"),
  });
  const proxy = await testProxy({ upstreams: { [driver.id]: world.upstream }, limits: LIMITS });
  return {
    world,
    proxy,
    file,
    ask: (path: string) => proxy.fetch(`${driver.mount}${path}`, { headers: driver.headers }),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await world.server[Symbol.asyncDispose]();
    },
  };
}

const FAULTS: [string, Fault, number][] = [
  ["500", { kind: "status", status: 500 }, 502],
  ["busy", { kind: "status", status: 429, headers: { "retry-after": "7" } }, 503],
  ["silent", { kind: "stall" }, 504],
  ["stalling in the body", { kind: "stall_body", after: 20 }, 504],
  ["breaking off", { kind: "reset", after: 20 }, 502],
  ["redirecting elsewhere", { kind: "redirect", location: "http://127.0.0.2:9/x" }, 502],
  ["answering nonsense", { kind: "body", body: "<html>sign in</html>", type: "text/html" }, 502],
  ["oversized", { kind: "body", body: " ".repeat(200_001) }, 502],
];

for (const driver of DRIVERS) {
  const index = driver.index("package");

  for (const [name, fault, status] of FAULTS) {
    // PyPI's index may be HTML: a page without links is a project without files.
    if (driver.id === "pypi" && name === "answering nonsense") continue;
    Deno.test(`${driver.id}: upstream ${name}: ${status}, then the last good index if there is one`, async () => {
      await using it = await setting(driver);
      it.world.server.fault(it.world.indexes, fault);
      const refused = await it.ask(index);
      assert.equal(refused.status, status, await refused.clone().text());
      const text = await refused.text();
      assert.ok(text.length < 400 && !/stack|\.ts:/.test(text), text);
      if (name === "busy") assert.equal(refused.headers.get("retry-after"), "7");
      it.world.server.mend();
      assert.equal((await it.ask(index)).status, 200, "it recovers by itself");
      it.world.server.fault(it.world.indexes, fault);
      const stale = await it.ask(index);
      assert.equal(stale.status, 200);
      assert.match(stale.headers.get("cache-status") ?? "", /stale/);
      assert.deepEqual(driver.visible(await stale.text()), ["1.0.0"]);
      it.proxy.clock.now += 25 * 3600_000;
      const old = await it.ask(index);
      assert.equal(old.status, status, "a day later it is not good any more");
      await old.text();
    });
  }

  Deno.test(`${driver.id}: an unreachable upstream is 502`, async () => {
    await using proxy = await testProxy();
    const response = await proxy.fetch(`${driver.mount}${index}`, { headers: driver.headers });
    assert.equal(response.status, 502);
    assert.match(await response.text(), /Cannot reach upstream/);
  });

  Deno.test(`${driver.id}: a file that is not the one of its index breaks off, and is not on record`, async () => {
    await using it = await setting(driver);
    it.world.server.fault(it.world.files, { kind: "tamper" });
    const response = await it.ask(it.file.path);
    await assert.rejects(async () => await response.arrayBuffer());
    assert.deepEqual(await it.proxy.installs(), []);
    assert.ok(
      it.proxy.lines.some((line) => line.event === "broken" && line.code === "digest_mismatch"),
    );
  });

  Deno.test(`${driver.id}: a file that breaks off upstream breaks off here, and is not on record`, async () => {
    for (const kind of ["reset", "stall_body"] as const) {
      await using it = await setting(driver);
      it.world.server.fault(it.world.files, { kind, after: 30 });
      const response = await it.ask(it.file.path);
      await assert.rejects(async () => await response.arrayBuffer());
      assert.deepEqual(await it.proxy.installs(), []);
    }
  });

  Deno.test(`${driver.id}: a file is fetched from the upstream's own addresses only`, async () => {
    await using it = await setting(driver);
    it.world.server.fault(it.world.files, { kind: "redirect", location: "http://127.0.0.2:9/x" });
    const response = await it.ask(it.file.path);
    assert.equal(response.status, 502);
    assert.match(await response.text(), /not allowed/);
  });

  Deno.test(`${driver.id}: a package that upstream no longer has is gone here too`, async () => {
    await using it = await setting(driver);
    assert.equal((await it.ask(index)).status, 200);
    it.world.server.fault(it.world.indexes, { kind: "status", status: 404 });
    assert.equal((await it.ask(index)).status, 404);
    it.world.server.mend();
    it.world.server.fault(it.world.indexes, { kind: "status", status: 500 });
    assert.equal((await it.ask(index)).status, 502, "what was gone does not come back stale");
  });
}
