/** 6. Install records: how many a second reach the local KV file, each durable before it counts. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installs } from "../admin_client.ts";
import type { Bench, Point } from "../bench.ts";
import { inTurns, medians } from "../rounds.ts";
import { limitRow, ratioRow, type Row } from "../row.ts";
import { World } from "../world.ts";

const AT_ONCE = 64;
const SECONDS = 2;

export const records: Point = {
  number: 6,
  title: "Install records",
  run: async (bench) => [await measureStore(bench), await measureDownloads(bench)],
};

/** Through the store itself. */
async function measureStore(bench: Bench): Promise<Row> {
  const script = fileURLToPath(new URL("../servers/adders.ts", import.meta.url));
  const measure = async (_contender: "proxy", round: number) => {
    const kv = join(bench.folder, `records-${round}.sqlite`);
    const args = ["run", "-A", script, `kv=${kv}`, `at-once=${AT_ONCE}`, `seconds=${SECONDS}`];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const told: { added: number; found: number; seconds: number } = JSON.parse(
      new TextDecoder().decode(stdout),
    );
    if (told.found < told.added) throw new Error(`${told.added} added, ${told.found} found`);
    return told.added / told.seconds;
  };
  const values = medians(await inTurns(["proxy"], bench, measure), (rate) => rate);
  const what = `records into a KV file, ${AT_ONCE} at a time`;
  bench.progress(`${what}: ${JSON.stringify(values)}`);
  const row = { point: 6, what, unit: "records/s", values, compared: "records/s" };
  return limitRow(row, values.proxy, { atLeast: 5_000 });
}

/** Through downloads of a small file, beside a server that only passes it on. */
async function measureDownloads(bench: Bench): Promise<Row> {
  await using world = await World.open(bench);
  const proxy = await world.proxy();
  const name = "file-2000-0";
  const path = `${name}/-/${name}-1.0.3.tgz`;
  const urls: Readonly<Record<string, string>> = {
    proxy: `${proxy.base}npm/${path}`,
    streamed: `${(await world.floor("streamed")).base}${path}`,
  };
  const measure = async (contender: string) => {
    const before = await installs(proxy);
    const begin = performance.now();
    const measured = await bench.load.run({
      urls: [urls[contender]],
      connections: AT_ONCE,
      seconds: 2,
    });
    const seconds = (performance.now() - begin) / 1_000;
    const recorded = (await installs(proxy)) - before;
    // The tool's own start takes part of the time, hence the tenth.
    if (contender === "proxy" && recorded < measured.requestsPerSecond * (seconds - 0.2) * 0.9) {
      throw new Error(
        `${measured.requestsPerSecond} downloads a second, ${recorded} records in all`,
      );
    }
    return measured;
  };
  for (const contender in urls) await measure(contender);
  const results = await inTurns(Object.keys(urls), bench, measure);
  const what = `downloads of a 2 KB file, recorded, ${AT_ONCE} at a time`;
  const values = medians(results, (one) => one.requestsPerSecond);
  bench.progress(`${what}: ${JSON.stringify(values)}`);
  return ratioRow({ point: 6, what, unit: "requests/s", values }, ["proxy", "streamed"], {});
}
