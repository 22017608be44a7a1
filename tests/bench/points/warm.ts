/** 1. Metadata seen before, against a server that returns the same prepared bytes. */
import { join } from "node:path";
import { type Bench, documentOf, type Point, type Size } from "../bench.ts";
import { capture, headersOf, type Variant } from "../capture.ts";
import { startFloor, startProxy, startUpstream } from "../contenders.ts";
import type { Measured } from "../load.ts";
import type { Running } from "../process.ts";
import { inTurns, medians } from "../rounds.ts";
import { ratioRow, type Row } from "../row.ts";

export const CONNECTIONS = [1, 16, 64] as const;

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
  await using stack = new AsyncDisposableStack();
  const running = (one: Running) => stack.adopt(one, ({ stop }) => stop());
  const upstream = running(await startUpstream(bench));
  const proxy = running(await startProxy(bench, { upstream }));
  const variants = variantsOf(documentOf(size, 0));
  const answers = join(bench.folder, `answers-${size.bytes}`);
  await capture(proxy.base, variants, { folder: answers, upstream: upstream.base });
  const floor = running(await startFloor(bench, "prepared", { answers }));
  const bases: Record<string, string> = { proxy: proxy.base, floor: floor.base };
  const rows: Row[] = [];
  for (const variant of variants) {
    for (const connections of CONNECTIONS) {
      const measure = async (contender: string, seconds: number) =>
        await bench.load.run({
          urls: [`${bases[contender]}${variant.path}`],
          headers: headersOf(variant),
          connections,
          seconds,
        });
      if (connections === 1) { for (const contender in bases) await measure(contender, 1); }
      const results = await inTurns(
        Object.keys(bases),
        bench.rounds,
        (contender) => measure(contender, bench.seconds),
      );
      const what = `${size.label} ${nameOf(variant)}, ${connections} connections`;
      rows.push(...throughputRows(what, results));
      bench.progress(`${what}: ${JSON.stringify(rows.at(-2)?.ratio?.toFixed(2))}`);
    }
  }
  return rows;
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
