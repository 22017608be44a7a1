import assert from "node:assert/strict";
import { DAY, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { judgeNewest, spread } from "./popular.ts";

Deno.test("a much-used package is judged by its newest mature stable release", async () => {
  await using registry = startNpmRegistry();
  const now = Date.now();
  const publish = (name: string, version: string, days: number, more = {}) =>
    registry.publish({ name, version, publishedAt: new Date(now - days * DAY), ...more });
  publish("steady", "1.0.0", 400);
  publish("steady", "1.1.0", 40);
  publish("steady", "1.2.0-rc.1", 30);
  publish("steady", "1.2.0", 2);
  publish("weakened", "1.0.0", 90, { trust: "trusted_publisher" });
  publish("weakened", "1.0.1", 40);
  publish("new", "1.0.0", 1);
  await using proxy = await testProxy({ upstreams: { npm: registry.url } });
  const ask = (path: string) => proxy.fetch(path, { headers: { accept: "application/json" } });
  const judge = (name: string) => judgeNewest("npm", name, { ask, now });
  assert.deepEqual(await judge("steady"), { kind: "passes" });
  const alarm = await judge("weakened");
  assert(alarm.kind === "alarm" && alarm.version === "1.0.1");
  assert.match(alarm.reason, /although 1\.0\.0 was published by a trusted publisher/);
  assert.equal((await judge("new")).kind, "unknown");
  assert.equal((await judge("absent")).kind, "unknown");
});

Deno.test("names are spread over the whole list", () => {
  const all = Array.from({ length: 10 }, (_, i) => i);
  assert.deepEqual(spread(all, 5), [0, 2, 4, 6, 8]);
  assert.deepEqual(spread(all, 20), all);
  assert.deepEqual(spread(all, 0), []);
});
