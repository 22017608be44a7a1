/** 7. Cold start against an empty `Deno.serve`, and memory after a warm run against the floor's. */
import { join } from "node:path";
import { type Bench, documentOf, type Point } from "../bench.ts";
import { capture, headersOf, type Variant } from "../capture.ts";
import { startFloor, startProxy } from "../contenders.ts";
import { RawClient } from "../raw_client.ts";
import { inTurns, median, medians } from "../rounds.ts";
import { limitRow, type Row } from "../row.ts";
import { World } from "../world.ts";
import { variantsOf } from "./warm.ts";

export const startUp: Point = {
  number: 7,
  title: "Cold start and memory",
  run: async (bench) => [await measureStart(bench), await measureMemory(bench)],
};

/** From the start of the process to its first answer; its KV file is there already. */
async function measureStart(bench: Bench): Promise<Row> {
  await using world = await World.open(bench);
  const { upstream } = world;
  const kv = join(bench.folder, "start.sqlite");
  const measure = async (contender: "proxy" | "empty") => {
    const begin = performance.now();
    const running = contender === "proxy"
      ? await startProxy(bench, { upstream, kv })
      : await startFloor(bench, "empty");
    {
      using client = await RawClient.open(running.base);
      const { status } = await client.get("/health");
      if (status !== 200) throw new Error(`/health answers ${status}`);
    }
    const elapsed = performance.now() - begin;
    await running.stop();
    return elapsed;
  };
  const { patience } = bench;
  const contenders = ["proxy", "empty"] as const;
  await inTurns(contenders, { rounds: 2 }, measure);
  const values = medians(
    await inTurns(contenders, { rounds: Math.max(bench.rounds, 5) * 2, patience }, measure),
    (ms) => ms,
  );
  bench.progress(`cold start: ${JSON.stringify(values)}`);
  const what = "process start to first answer";
  return limitRow(
    { point: 7, what, unit: "ms", values, compared: "proxy − empty, ms" },
    values.proxy - values.empty,
    { atMost: 150 },
  );
}

/** Resident after the same load on both: every size, form and encoding, 64 at a time. */
async function measureMemory(bench: Bench): Promise<Row> {
  const found = { proxy: [] as number[], floor: [] as number[] };
  for (let round = 0; round < (bench.quick ? 1 : 2); round++) {
    await using world = await World.open(bench);
    const proxy = await world.proxy();
    const variants = bench.sizes.flatMap((size) => variantsOf(documentOf(size, 0)));
    const answers = join(bench.folder, `memory-${round}`);
    await capture(proxy.base, variants, { folder: answers, upstream: world.upstream.base });
    const floor = await world.floor("prepared", answers);
    for (const variant of variants) {
      for (const { base } of [proxy, floor]) await load(bench, base, variant);
    }
    found.proxy.push(proxy.memory().now);
    found.floor.push(floor.memory().now);
  }
  const values = { proxy: median(found.proxy), floor: median(found.floor) };
  bench.progress(`memory: ${JSON.stringify(values)}`);
  const what = "resident memory after a warm run";
  return limitRow(
    { point: 7, what, unit: "MB", values, compared: "proxy − floor, MB" },
    values.proxy - values.floor,
    { atMost: 100 },
  );
}

async function load(bench: Bench, base: string, variant: Variant): Promise<void> {
  const { path } = variant;
  const headers = headersOf(variant);
  await bench.load.run({
    urls: [`${base}${path}`],
    headers,
    connections: 64,
    seconds: bench.seconds,
  });
}
