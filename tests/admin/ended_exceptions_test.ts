import assert from "node:assert/strict";
import { inWorld } from "./world.ts";

const HOUR = 3600_000;
const ORG = "/admin/v1/orgs/acme";

Deno.test("exceptions that have ended are listed apart from those that count", () =>
  inWorld(async ({ call, clock, secrets, exceptions }) => {
    const add = (name: string, until?: string) =>
      call("POST", `${ORG}/exceptions`, {
        body: { purl: `pkg:npm/${name}`, rules: ["min_age"], ...(until ? { until } : {}) },
      });
    await add("ever");
    const { body: short } = await add("short", "2026-11-20T13:00:00Z");
    await add("longer", "2026-11-20T14:00:00Z");
    const names = async (query: string) =>
      (await call("GET", `${ORG}/exceptions${query}`, { token: secrets.viewer })).items
        .map(({ purl }) => purl);
    assert.deepEqual(await names("?state=ended"), []);
    clock.now += HOUR;
    await exceptions.expire();
    assert.deepEqual(await names(""), ["pkg:npm/ever", "pkg:npm/longer"]);
    assert.deepEqual(await names("?state=active"), ["pkg:npm/ever", "pkg:npm/longer"]);
    const ended = await call("GET", `${ORG}/exceptions?state=ended`);
    assert.deepEqual(ended.items, [{ ...short, ended: "2026-11-20T13:00:00.000Z" }]);
    clock.now += HOUR;
    await exceptions.expire();
    const page = await call("GET", `${ORG}/exceptions?state=ended&limit=1`);
    assert.deepEqual(page.items.map(({ purl }) => purl), ["pkg:npm/longer"]);
    assert.deepEqual(await names(`?state=ended&limit=1&cursor=${page.body.cursor}`), [
      "pkg:npm/short",
    ]);
    assert.equal((await call("GET", `${ORG}/exceptions?cursor=${page.body.cursor}`)).status, 400);
    assert.equal((await call("GET", `${ORG}/exceptions?state=gone`)).status, 400);
    assert.equal((await call("GET", `${ORG}/block?state=ended`)).status, 400);
    const log = await call("GET", `${ORG}/audit?action=exception.expired`);
    assert.deepEqual(log.items.map(({ by }) => by), ["proxy", "proxy"]);
  }));
