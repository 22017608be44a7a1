/** 1. Metadata seen before, against a server that returns the same prepared bytes. */
import { join } from "node:path";
import { setPolicy } from "../admin_client.ts";
import { type Bench, documentOf, type Point, type Size } from "../bench.ts";
import { capture, headersOf, type Variant } from "../capture.ts";
import type { Measured } from "../load.ts";
import { inTurns, medians } from "../rounds.ts";
import { ratioRow, type Row } from "../row.ts";
import { World } from "../world.ts";

const CONNECTIONS = [1, 16, 64];
/** Where those that are far behind take part too: the form and the number that PEERS' tables have. */
const SHOWN = { abbreviated: false, gzip: true, connections: 16 } as const;

export const warm: Point = {
  number: 1,
  title: "Metadata seen before",
  async run(bench) {
    const rows: Row[] = [];
    for (const size of bench.sizes) rows.push(...await measureSize(bench, size));
    return rows;
  },
};

async function measureSize(bench: Bench, size: Size): Promise<Row[]> {
  await using world = await World.open(bench);
  const proxy = await world.proxy();
  // All of the load comes from one address.
  await setPolicy(proxy, { limits: { per_address: "off" } });
  const variants = variantsOf(documentOf(size, 0));
  const answers = join(bench.folder, `answers-${size.bytes}`);
  await capture(proxy.base, variants, { folder: answers, upstream: world.upstream.base });
  const floor = await world.floor("prepared", answers);
  const bases = { proxy: `${proxy.base}npm/`, floor: `${floor.base}npm/` };
  const rows: Row[] = [];
  for (const variant of variants) {
    for (const connections of CONNECTIONS) {
      const seconds = secondsFor(bench, size, { variant, connections });
      const asked = { variant, connections, secondsOf: () => seconds };
      if (connections === 1) await measure(bench, bases, { ...asked, rounds: 1 });
      const results = await measure(bench, bases, { ...asked, rounds: bench.rounds });
      const what = `${size.label} ${nameOf(variant)}, ${connections} at a time`;
      rows.push(...throughputRows(what, results));
      bench.progress(`${what}: ${rows.at(-2)?.ratio?.toFixed(2)}`);
    }
  }
  await floor.stop();
  return [...rows, await measurePeers(world, bases.proxy, size)];
}

/** Long enough for several answers on each connection: 10 MB uncompressed come 50 times a second. */
function secondsFor(
  bench: Bench,
  size: Size,
  { variant, connections }: { variant: Variant; connections: number },
): number {
  if (variant.gzip || size.bytes < 5_000_000) return bench.seconds;
  return Math.max(bench.seconds, connections * 0.025);
}

/** How far ahead of what people run today. */
async function measurePeers(world: World, proxy: string, size: Size): Promise<Row> {
  const { bench } = world;
  const nginx = await world.nginx();
  const verdaccio = await world.verdaccio();
  const bases = {
    proxy,
    ...(nginx && { nginx: nginx.base }),
    streamed: (await world.floor("streamed")).base,
    parsed: (await world.floor("parsed")).base,
    ...(verdaccio && { verdaccio: verdaccio.base }),
  };
  const { connections } = SHOWN;
  const [variant] = variantsOf(documentOf(size, 0))
    .filter(({ abbreviated, gzip }) => abbreviated === SHOWN.abbreviated && gzip === SHOWN.gzip);
  // Those that handle a document anew for each request need seconds for a large one.
  const secondsOf = (contender: string) =>
    size.bytes < 1_000_000 || contender === "proxy" || contender === "nginx" ? bench.seconds : 2.5;
  const asked = { variant, connections, secondsOf };
  await measure(bench, bases, { ...asked, rounds: 1 });
  const rounds = size.bytes < 1_000_000 ? bench.rounds : 3;
  const results = await measure(bench, bases, { ...asked, rounds });
  const what = `${size.label} ${nameOf(variant)}, ${connections} at a time, others`;
  const values = medians(results, (one) => one.requestsPerSecond);
  const rivals = Object.entries(values).filter(([name]) => name !== "proxy");
  const [best] = rivals.reduce((a, b) => a[1] > b[1] ? a : b);
  bench.progress(`${what}: ${JSON.stringify(values)}`);
  return ratioRow({ point: 1, what, unit: "requests/s", values, rounds }, ["proxy", best], {});
}

async function measure(
  bench: Bench,
  bases: Readonly<Record<string, string>>,
  { variant, connections, rounds, secondsOf = () => bench.seconds }: {
    variant: Variant;
    connections: number;
    rounds: number;
    /** How long a contender's turn is. */
    secondsOf?: (contender: string) => number;
  },
): Promise<Map<string, Measured[]>> {
  const turns = rounds === 1 ? { rounds } : { rounds, patience: bench.patience };
  return await inTurns(Object.keys(bases), turns, async (contender) =>
    await bench.load.run({
      urls: [`${bases[contender]}${variant.path.slice("npm/".length)}`],
      headers: headersOf(variant),
      connections,
      seconds: secondsOf(contender),
    }));
}

export function throughputRows(
  what: string,
  results: ReadonlyMap<string, readonly Measured[]>,
  point = 1,
): Row[] {
  const perSecond = medians(results, (one) => one.requestsPerSecond);
  const p99 = medians(results, (one) => one.p99);
  return [
    ratioRow({ point, what, unit: "requests/s", values: perSecond }, ["proxy", "floor"], {
      atLeast: 0.8,
    }),
    ratioRow({ point, what: `${what}, p99`, unit: "ms", values: p99 }, ["proxy", "floor"], {
      atMost: 1.5,
    }),
  ];
}

export function variantsOf(name: string): Variant[] {
  return [false, true].flatMap((abbreviated) =>
    [true, false].map((gzip) => ({ path: `npm/${name}`, abbreviated, gzip }))
  );
}

export function nameOf({ abbreviated, gzip }: Variant): string {
  return `${abbreviated ? "abbreviated" : "full"} ${gzip ? "gzip" : "identity"}`;
}
