/**
 * Sends faulty requests through a proxy and its port, as a process of its own:
 * `<requests>`. Prints what it holds before and after; must then end by itself,
 * since nothing is under way any more.
 */
// deno-lint-ignore-file no-console -- the test reads what it prints
import { type Driver, DRIVERS } from "../contract/drivers.ts";
import { testProxy } from "../proxy.ts";
import { ROWS } from "./cells.ts";
import { startFront } from "./front.ts";
import { collectGarbage } from "./garbage.ts";

const AT_ONCE = 16;
/** So many in between that logs of the test itself do not count. */
const ROUND = 250;

const total = Number(Deno.args[0]);
const folder = await Deno.makeTempDir();
const worlds = await Promise.all(DRIVERS.map(openWorld));
const upstreams = Object.fromEntries(worlds.map((it) => [it.driver.id, it.upstream]));
const proxy = await testProxy({
  upstreams,
  limits: { firstByteMs: 200, stallMs: 120, documentBytes: 200_000, retryMs: 5 },
  kvPath: `${folder}/proxy.sqlite`,
});
const base = proxy.listen();
const paths = worlds.flatMap((it) => it.paths);
const outcomes: Record<string, number> = {};

/** A package for each fault of an index and each of a file. */
async function openWorld(driver: Driver) {
  const world = driver.start();
  const front = await startFront(world.server.url);
  const publishedAt = new Date("2020-01-01");
  const paths = ROWS.flatMap((_, i) => {
    const names = [`index${i}x`, `files${i}x`];
    const [, file] = names.map((name) => world.publish({ name, version: "1.0.0", publishedAt }));
    return [
      { driver, path: driver.index(names[0]) },
      { driver, path: file.path },
    ];
  });
  for (const [i, { fault }] of ROWS.entries()) {
    const named = (name: string) => (path: RegExp) => new RegExp(`^(?=.*${name})${path.source}`);
    front.fault(named(`index${i}x`)(unanchored(world.indexes)), fault);
    front.fault(named(`files${i}x`)(unanchored(world.files)), fault);
  }
  const upstream = world.upstream.replace(world.server.url, front.url);
  return { driver, world, front, upstream, paths };
}

function unanchored({ source }: RegExp): RegExp {
  return new RegExp(source.startsWith("^") ? source.slice(1) : `.*${source}`);
}

async function ask({ driver, path }: (typeof paths)[number]): Promise<string> {
  try {
    const response = await fetch(`${base}${driver.mount}${path}`, { headers: driver.headers });
    try {
      await response.bytes();
      return String(response.status);
    } catch {
      return "broken";
    }
  } catch {
    return "no answer";
  }
}

async function send(count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += ROUND) {
    let left = Math.min(ROUND, count - sent);
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        const outcome = await ask(paths[Math.floor(Math.random() * paths.length)]);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
    }));
    proxy.lines.length = 0;
    for (const { world } of worlds) world.server.requests.length = 0;
  }
}

async function level() {
  // Connections that nobody needs are closed within this.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await collectGarbage();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return {
    heapMB: heapUsed / 2 ** 20,
    externalMB: external / 2 ** 20,
    rssMB: rss / 2 ** 20,
    descriptors: Deno.build.os === "linux" ? [...Deno.readDirSync("/proc/self/fd")].length : 0,
    connections: worlds.reduce((sum, { front }) => sum + front.open(), 0),
  };
}

await send(500);
for (const name of Object.keys(outcomes)) delete outcomes[name];
const before = await level();
const began = performance.now();
await send(total);
const seconds = (performance.now() - began) / 1000;
const after = await level();
await proxy[Symbol.asyncDispose]();
for (const { front, world } of worlds) {
  await front[Symbol.asyncDispose]();
  await world.server[Symbol.asyncDispose]();
}
await Deno.remove(folder, { recursive: true });
console.log(JSON.stringify({ requests: total, seconds, outcomes, before, after }));
