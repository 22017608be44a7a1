/** 3. Metadata not seen before, against a proxy that only streams; and the memory it takes. */
import { type Bench, documentOf, type Point, type Size, SIZES } from "../bench.ts";
import { headersOf } from "../capture.ts";
import type { Running } from "../process.ts";
import { RawClient } from "../raw_client.ts";
import { inTurns, median, medians } from "../rounds.ts";
import { limitRow, ratioRow, type Row } from "../row.ts";
import { World } from "../world.ts";

const LIMITS: Readonly<Record<number, number>> = { 650_000: 1.3, 10_000_000: 2 };

export const cold: Point = {
  number: 3,
  title: "Metadata not seen before",
  async run(bench) {
    const rows: Row[] = [];
    for (const size of bench.sizes) {
      for (const gzip of [true, false]) rows.push(await measureTime(bench, size, gzip));
    }
    for (const size of bench.sizes.filter(({ bytes }) => bytes >= 1_000_000)) {
      rows.push(await measureMemory(bench, size));
    }
    return rows;
  },
};

/** Time to the last byte; each round asks for a document that nobody has asked for. */
async function measureTime(bench: Bench, size: Size, gzip: boolean): Promise<Row> {
  await using world = await World.open(bench);
  const { upstream } = world;
  const bases: Record<string, [string, string]> = {
    proxy: [(await world.proxy()).base, "/npm/"],
    streamed: [(await world.floor("streamed")).base, "/"],
    parsed: [(await world.floor("parsed")).base, "/"],
  };
  const headers = headersOf({ abbreviated: false, gzip });
  const ask = async (contender: string, name: string) => {
    await prepare(upstream, name);
    const [base, mount] = bases[contender];
    using client = await RawClient.open(base);
    const { status, lastByteMs } = await client.get(`${mount}${name}`, headers);
    if (status !== 200) throw new Error(`${contender} answers ${status} for ${name}`);
    return lastByteMs;
  };
  for (const contender in bases) {
    for (let i = 0; i < 10; i++) await ask(contender, documentOf(SIZES[i % 2], 100 + i));
    for (let i = 0; i < 3; i++) await ask(contender, documentOf(size, 110 + i));
  }
  const rounds = Math.max(bench.rounds, 5);
  const results = await inTurns(
    Object.keys(bases),
    { rounds, patience: bench.patience },
    (contender, round) => ask(contender, documentOf(size, round)),
  );
  const what = `${size.label} ${gzip ? "gzip" : "identity"}, time to the last byte`;
  const values = medians(results, (ms) => ms);
  const limit = LIMITS[size.bytes];
  bench.progress(`${what}: ${JSON.stringify(values)}`);
  return ratioRow(
    { point: 3, what, unit: "ms", values },
    ["proxy", "streamed"],
    limit === undefined ? {} : { atMost: limit },
  );
}

/** The most a fresh process ever held, beyond what it held before its first document. */
async function measureMemory(bench: Bench, size: Size): Promise<Row> {
  const factors: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < Math.min(bench.rounds, 5); round++) {
    await using world = await World.open(bench);
    const { upstream } = world;
    const proxy = await world.proxy();
    using client = await RawClient.open(proxy.base);
    const small = documentOf(SIZES[0], 0);
    await client.get(`/npm/${small}`, headersOf({ abbreviated: false, gzip: true }));
    const name = documentOf(size, 0);
    const bytes = await prepare(upstream, name);
    const before = proxy.memory().now;
    await client.get(`/npm/${name}`, headersOf({ abbreviated: false, gzip: true }));
    peaks.push(proxy.memory().peak - before);
    factors.push((proxy.memory().peak - before) * 1024 * 1024 / bytes);
  }
  const what = `${size.label}, peak memory of one request`;
  const values = { proxy: median(peaks) };
  bench.progress(`${what}: ${median(factors).toFixed(2)}`);
  return limitRow(
    { point: 3, what, unit: "MB", values, compared: "peak / document" },
    median(factors),
    {
      atMost: 4,
    },
  );
}

/** Has the upstream make what it will be asked for. Returns its size, inflated. */
async function prepare(upstream: Running, name: string): Promise<number> {
  using client = await RawClient.open(upstream.base);
  return (await client.get(`/${name}`)).body.length;
}
