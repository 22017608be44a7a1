/** Fault × ecosystem × index or file, as a table at the end. */
// deno-lint-ignore-file no-console -- the table is what people read
import assert from "node:assert/strict";
import { COLUMNS, PASSING, ROWS, runCell, runPassing } from "./cells.ts";

/** So that deadlines are the proxy's, not the machine's. */
const AT_ONCE = 6;

interface Job {
  readonly row: string;
  readonly column: string;
  run(): Promise<string>;
}

const JOBS: readonly Job[] = [
  ...ROWS.flatMap((row) =>
    COLUMNS.map(({ driver, kind, name }) => ({
      row: row.name,
      column: name,
      run: () => runCell(driver, kind, row),
    }))
  ),
  ...PASSING.flatMap((row) =>
    COLUMNS.map(({ driver, kind, name }) => ({
      row: row.name,
      column: name,
      run: () => runPassing(driver, kind, row),
    }))
  ),
];

Deno.test("every fault of an upstream is answered as documented, in time, and gets over by itself", async () => {
  const table = new Map<string, string>();
  const wrong: string[] = [];
  const waiting = [...JOBS];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const at = `${job.row} | ${job.column}`;
      try {
        table.set(at, await job.run());
      } catch (error) {
        table.set(at, "WRONG");
        wrong.push(`${at}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }));
  print(table);
  assert.deepEqual(wrong, []);
});

function print(table: ReadonlyMap<string, string>): void {
  const names = [...new Set(JOBS.map(({ row }) => row))];
  const columns = [...new Set(JOBS.map(({ column }) => column))];
  const rows = [
    ["upstream", ...columns],
    ...names.map((row) => [row, ...columns.map((at) => table.get(`${row} | ${at}`) ?? "")]),
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const lines = rows.map((row) =>
    row.map((text, i) => text.padEnd(widths[i])).join("  ").trimEnd()
  );
  console.log(`\n${lines.join("\n")}`);
}
