/**
 * 10. What advisories cost an install without a lockfile: requests to the
 * database, which answers after a tenth of a second as one on the Internet
 * does, and seconds beyond those of a proxy that asks none.
 */
import { join } from "node:path";
import { advisory, startOsv } from "../../registry/osv.ts";
import type { Bench, Point } from "../bench.ts";
import type { TreeProject } from "../data/tree.ts";
import type { Running } from "../process.ts";
import { median } from "../rounds.ts";
import type { Row } from "../row.ts";
import { World } from "../world.ts";
import { type Kind, kinds, run, treeOf } from "./install.ts";

const SIZE = 250;
const LATENCY_MS = 100;
/** One package in so many has an advisory. */
const AFFECTED = 5;

export const advisories: Point = {
  number: 10,
  title: `Advisories for an install of ${SIZE} packages`,
  async run(bench) {
    const kind = kinds().find(({ label }) => label === "npm install");
    return kind === undefined ? [] : await measure(bench, kind);
  },
};

async function measure(bench: Bench, kind: Kind): Promise<Row[]> {
  await using world = await World.open(bench);
  const project = await treeOf(world.upstream.base, SIZE);
  await using database = startDatabase(project);
  const rows: Row[] = [];
  const install = (proxy: Running) => run(kind, { base: `${proxy.base}npm/`, project, world });
  const without: number[] = [];
  const cold: number[] = [];
  for (let round = 0; round < Math.min(bench.rounds, 2); round++) {
    without.push(await install(await world.proxy({ env: { OSV_URL: "" } })));
    const kv = join(bench.folder, `advisories-${round}.sqlite`);
    const env = { OSV_URL: database.url };
    const proxy = await world.proxy({ kv, env });
    database.count();
    cold.push(await install(proxy));
    if (round > 0) continue;
    const asked = database.count();
    await install(proxy);
    const warm = database.count();
    await proxy.stop();
    await install(await world.proxy({ kv, env }));
    const restarted = database.count();
    for (const [when, counts] of [["cold", asked], ["warm", warm], ["restarted", restarted]]) {
      if (typeof counts === "string") continue;
      const values = { batches: counts.batches, others: counts.others };
      rows.push({ point: 10, unit: "requests", what: `${SIZE} packages, ${when}`, values });
    }
  }
  const values = { "with": median(cold), without: median(without) };
  bench.progress(`advisories: ${JSON.stringify({ rows: rows.map((row) => row.values), values })}`);
  const what = `${SIZE} packages, cold, with advisories and without`;
  return [...rows, { point: 10, rounds: cold.length, unit: "s", what, values }];
}

interface Counts {
  readonly batches: number;
  readonly others: number;
}

interface Database extends AsyncDisposable {
  /** Ends in `/`. */
  readonly url: string;
  /** Requests since the last call. */
  count(): Counts;
}

/** The small OSV, as far away as the real one. */
function startDatabase(project: TreeProject): Database {
  const names = Object.keys(Object(project.lock.packages))
    .flatMap((path) => path.startsWith("node_modules/") ? [path.slice(13)] : []);
  const osv = startOsv(
    ...names.filter((_, position) => position % AFFECTED === 0).map((name, position) =>
      advisory(`GHSA-bench-${position}`, {
        name,
        events: [{ introduced: "0" }, { fixed: "0.0.1" }],
      })
    ),
  );
  let counts = { batches: 0, others: 0 };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (it) => {
    const { pathname } = new URL(it.url);
    if (pathname.endsWith("/querybatch")) counts.batches++;
    else counts.others++;
    await new Promise((resolve) => setTimeout(resolve, LATENCY_MS));
    return await fetch(new URL(pathname, osv.url), { method: it.method, body: it.body });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    count() {
      const seen = counts;
      counts = { batches: 0, others: 0 };
      return seen;
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await osv[Symbol.asyncDispose]();
    },
  };
}
