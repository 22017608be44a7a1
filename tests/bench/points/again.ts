/** 2. Metadata seen before, where upstream must be asked again, and where a policy changed. */
import { join } from "node:path";
import { block, setPolicy } from "../admin_client.ts";
import { type Bench, documentOf, type Point, type Size } from "../bench.ts";
import { capture, headersOf } from "../capture.ts";
import { versionOf } from "../data/packument.ts";
import { RawClient } from "../raw_client.ts";
import { inTurns, median } from "../rounds.ts";
import { limitRow, type Row } from "../row.ts";
import { World } from "../world.ts";
import { throughputRows } from "./warm.ts";

const FORM = { abbreviated: false, gzip: true };
/** Changes that are not counted: by then the code that takes them is compiled. */
const WARM_UP = 8;

export const again: Point = {
  number: 2,
  title: "Metadata seen before, asked for again",
  async run(bench) {
    const rows: Row[] = [];
    for (const size of bench.sizes) rows.push(...await measureRevalidation(bench, size));
    for (const size of bench.sizes) rows.push(...await measureChange(bench, size));
    return rows;
  },
};

/** Against a server that asks the same upstream, hears 304 and returns prepared bytes. */
async function measureRevalidation(bench: Bench, size: Size): Promise<Row[]> {
  await using world = await World.open(bench, "none");
  const proxy = await world.proxy();
  // All of the load comes from one address.
  await setPolicy(proxy, { limits: { per_address: "off" } });
  const path = `npm/${documentOf(size, 0)}`;
  const folder = join(bench.folder, `asked-again-${size.bytes}`);
  await capture(proxy.base, [{ path, ...FORM }], { folder, upstream: world.upstream.base });
  const bases = { proxy: proxy.base, floor: (await world.floor("revalidated", folder)).base };
  const rows: Row[] = [];
  for (const connections of [1, 16, 64]) {
    const measure = (contender: "proxy" | "floor") =>
      bench.load.run({
        urls: [`${bases[contender]}${path}`],
        headers: headersOf(FORM),
        connections,
        seconds: bench.seconds,
      });
    const contenders = ["proxy", "floor"] as const;
    for (const contender of contenders) if (connections === 1) await measure(contender);
    const results = await inTurns(contenders, bench, measure);
    const what = `${size.label} full gzip, 304 from upstream, ${connections} at a time`;
    rows.push(...throughputRows(what, results, 2));
    bench.progress(`${what}: ${rows.at(-2)?.ratio?.toFixed(2)}`);
  }
  return rows;
}

/**
 * The first answer after a change, against parsing and printing the document:
 * one change leaves the set of versions as it is, the other takes one more away.
 */
async function measureChange(bench: Bench, size: Size): Promise<Row[]> {
  await using world = await World.open(bench);
  const proxy = await world.proxy();
  const parsed = await world.floor("parsed");
  const name = documentOf(size, 0);
  const times = {
    warm: [] as number[],
    same: [] as number[],
    other: [] as number[],
    parsed: [] as number[],
  };
  using client = await RawClient.open(proxy.base);
  using naive = await RawClient.open(parsed.base);
  const ask = async () => {
    const { status, lastByteMs } = await client.get(`/npm/${name}`, headersOf(FORM));
    if (status !== 200) throw new Error(`The proxy answers ${status}`);
    return lastByteMs;
  };
  for (let round = -WARM_UP; round < Math.max(bench.rounds, 5); round++) {
    await ask();
    const warm = await ask();
    await block(proxy, `pkg:npm/other-${round + WARM_UP}`);
    const same = await ask();
    await block(proxy, `pkg:npm/${name}@${versionOf((round + WARM_UP + 1) * 5 + 1)}`);
    const other = await ask();
    const slow = (await naive.get(`/${name}`, headersOf(FORM))).lastByteMs;
    if (round < 0) continue;
    times.warm.push(warm);
    times.same.push(same);
    times.other.push(other);
    times.parsed.push(slow);
  }
  const [warm, same, other, slow] = [times.warm, times.same, times.other, times.parsed].map(median);
  const row = (label: string, ms: number, atMost: number) =>
    limitRow(
      {
        point: 2,
        what: `${size.label}, first answer after a policy change, ${label}`,
        unit: "ms",
        values: { proxy: ms, warm, parsed: slow },
        compared: "proxy / parsed",
      },
      ms / slow,
      { atMost },
    );
  bench.progress(`${size.label}, policy changes: ${JSON.stringify({ warm, same, other, slow })}`);
  return [row("same versions", same, 0.5), row("one version less", other, 1)];
}
