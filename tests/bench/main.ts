/** `deno task bench`: measures the proxy against floors, rivals and targets, prints the table and writes it. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { fileURLToPath } from "node:url";
import { readArguments } from "./arguments.ts";
import { type Bench, type Point, SIZES } from "./bench.ts";
import { loadTool, versionOf } from "./load.ts";
import { drawCurves } from "./curves.ts";
import { describeMachine } from "./machine.ts";
import { installVerdaccio } from "./peers.ts";
import { advisories } from "./points/advisories.ts";
import { again } from "./points/again.ts";
import { check } from "./points/check.ts";
import { cold } from "./points/cold.ts";
import { files } from "./points/files.ts";
import { growth } from "./points/growth.ts";
import { install } from "./points/install.ts";
import { records } from "./points/records.ts";
import { startUp } from "./points/start.ts";
import { warm } from "./points/warm.ts";
import { Processes } from "./process.ts";
import { table } from "./report.ts";
import { Patience } from "./rounds.ts";
import type { Row } from "./row.ts";

/** Of a whole run, but for what has begun by then and the least number of rounds. */
const LIMIT_MS = 14 * 60_000;
/** Of a point, for rounds that the machine's host disturbed. */
const PATIENCE_MS = 7_000;
/** In the order they are run: the last one makes do with the time that is left. */
const POINTS: readonly Point[] = [
  warm,
  again,
  cold,
  files,
  records,
  startUp,
  check,
  advisories,
  growth,
  install,
];

const options = readArguments(Deno.args);
const folder = await Deno.makeTempDir({ prefix: "proxy-bench-" });
const processes = new Processes();
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, breakOff);
try {
  const load = loadTool({ folder, own: options.ownLoad });
  const machine = describeMachine(load.name);
  const bench: Omit<Bench, "patience"> = {
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
    processes,
    msLeft: () => LIMIT_MS - performance.now(),
    progress: say,
  };
  const rows: Row[] = [];
  let failed = false;
  let again = 0;
  for (const point of POINTS.filter(({ number }) => options.only.includes(number))) {
    const begin = performance.now();
    const patience = new Patience(PATIENCE_MS);
    try {
      rows.push(...await point.run({ ...bench, patience }));
    } catch (error) {
      failed = true;
      console.error(`point ${point.number} fails:`, error);
    }
    again += patience.again;
    console.error(`point ${point.number}: ${((performance.now() - begin) / 1_000).toFixed(0)} s`);
  }
  if (again > 0) say(`${again} rounds that the host disturbed were made again`);
  rows.sort((a, b) => a.point - b.point);
  console.log(table(rows, POINTS.toSorted((a, b) => a.number - b.number)));
  // A run that lacks something does not replace one that has all.
  if (options.write && !failed) {
    const path = fileURLToPath(new URL("./results.json", import.meta.url));
    const results = { date: options.date, machine, rows };
    await Deno.writeTextFile(path, `${JSON.stringify(results, null, 2)}\n`);
    await Deno.writeTextFile(new URL("./curves.svg", import.meta.url), drawCurves(rows));
  }
  if (failed) Deno.exitCode = 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}

function breakOff(): void {
  processes.stopAll();
  try {
    Deno.removeSync(folder, { recursive: true });
  } finally {
    Deno.exit(130);
  }
}

function say(text: string): void {
  console.error(text);
}
