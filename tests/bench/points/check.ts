/** 9. A lockfile of 2,500 packages checked before its install, with indexes seen before and without. */
import type { Bench, Point } from "../bench.ts";
import { type Locked, lockedReleases, lockfile, youngOf } from "../data/lockfile.ts";
import type { Running } from "../process.ts";
import { median } from "../rounds.ts";
import { limitRow, type Row } from "../row.ts";
import { World } from "../world.ts";

const ENTRIES = 2_500;
/** Documents that the upstream is asked to make at once beforehand. */
const PREPARED_AT_ONCE = 16;

export const check: Point = {
  number: 9,
  title: `A lockfile of ${ENTRIES} packages, checked`,
  run: measure,
};

async function measure(bench: Bench): Promise<Row[]> {
  await using world = await World.open(bench);
  const locked = lockedReleases(ENTRIES);
  const integrity = await prepare(world.upstream, locked);
  const text = lockfile(locked, { base: world.upstream.base, integrity });
  const lock = { text, young: youngOf(locked) };
  const proxy = await world.proxy();
  const first = await seconds(proxy, lock);
  bench.progress(`first: ${first.toFixed(2)} s`);
  const again: number[] = [];
  for (let round = 0; round < bench.rounds; round++) again.push(await seconds(proxy, lock));
  bench.progress(`seen before: ${again.map((value) => value.toFixed(2))} s`);
  const row = { point: 9, unit: "s", compared: "s" };
  const known = median(again);
  return [
    limitRow(
      { ...row, what: `${ENTRIES} entries, indexes seen before`, values: { proxy: known } },
      known,
      { atMost: 10 },
    ),
    {
      point: 9,
      unit: "s",
      what: `${ENTRIES} entries, first time (once)`,
      values: { proxy: first },
    },
  ];
}

/** Makes the documents, so that the proxy does not wait for that; the digests that they state. */
async function prepare({ base }: Running, locked: readonly Locked[]): Promise<string[]> {
  const integrity: string[] = [];
  const rest = locked.entries();
  const ask = async () => {
    for (const [at, { name, version }] of rest) {
      const { versions } = await (await fetch(`${base}${name}`)).json();
      integrity[at] = versions[version].dist.integrity;
    }
  };
  await Promise.all(Array.from({ length: PREPARED_AT_ONCE }, ask));
  return integrity;
}

/** Throws unless every package was judged, and as it has to be. */
async function seconds(
  { base }: Running,
  { text, young }: { text: string; young: number },
): Promise<number> {
  const begin = performance.now();
  const response = await fetch(`${base}check?filename=package-lock.json`, {
    method: "POST",
    body: text,
  });
  const body: unknown = await response.json();
  const elapsed = (performance.now() - begin) / 1_000;
  const { total, allow, deny }: { total?: number; allow?: number; deny?: number } = Object(
    Object(body).summary,
  );
  if (total !== ENTRIES || deny !== young || allow !== ENTRIES - young) {
    throw new Error(`/check answers ${response.status}: ${JSON.stringify(body).slice(0, 500)}`);
  }
  return elapsed;
}
