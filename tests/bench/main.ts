/** `deno task bench`: measures, prints and writes what CONTRIBUTING.md's targets are held against. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { fileURLToPath } from "node:url";
import { readArguments } from "./arguments.ts";
import { type Bench, type Point, SIZES } from "./bench.ts";
import { loadTool, versionOf } from "./load.ts";
import { describeMachine } from "./machine.ts";
import { installVerdaccio } from "./peers.ts";
import { again } from "./points/again.ts";
import { cold } from "./points/cold.ts";
import { files } from "./points/files.ts";
import { records } from "./points/records.ts";
import { startUp } from "./points/start.ts";
import { warm } from "./points/warm.ts";
import { table } from "./report.ts";
import type { Row } from "./row.ts";

const POINTS: readonly Point[] = [warm, again, cold, files, records, startUp];

const options = readArguments(Deno.args);
const folder = await Deno.makeTempDir({ prefix: "proxy-bench-" });
try {
  const load = loadTool({ folder, own: options.ownLoad });
  const bench: Bench = {
    folder,
    load,
    rounds: options.rounds,
    seconds: options.seconds,
    quick: options.quick,
    now: Date.parse(options.date),
    sizes: SIZES.filter(({ bytes }) => options.sizes.includes(bytes)),
    peers: {
      nginx: versionOf("nginx", ["-v"]) !== null,
      verdaccio: versionOf("node", ["--version"]) === null ? null : await installVerdaccio(say),
    },
    progress: say,
  };
  const rows: Row[] = [];
  for (const point of POINTS.filter(({ number }) => options.only.includes(number))) {
    const begin = performance.now();
    rows.push(...await point.run(bench));
    console.error(`point ${point.number}: ${((performance.now() - begin) / 1_000).toFixed(0)} s`);
  }
  const machine = describeMachine(load.name);
  console.log(table(rows, POINTS));
  if (options.write) {
    const path = fileURLToPath(new URL("./results.json", import.meta.url));
    const results = { date: options.date, machine, rows };
    await Deno.writeTextFile(path, `${JSON.stringify(results, null, 2)}\n`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

function say(text: string): void {
  console.error(text);
}
