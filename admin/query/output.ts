import * as v from "valibot";
import { alertSchema } from "../../policy/store/alert.ts";
import { AUDIT_FIELDS } from "../../policy/store/audit.ts";
import { RECORD_FIELDS } from "../../policy/store/record_entry.ts";
import { requestSchema } from "../../policy/store/request.ts";
import type { Stats } from "../../policy/store/types.ts";
import { ALERT_COLUMNS, alertRow } from "../alert_row.ts";
import { csvLines, jsonArray, jsonLines, tableLines } from "../formats.ts";
import type { Arguments, Format, View } from "./arguments.ts";
import { SIMULATION, simulationRows } from "./simulation_rows.ts";
import type { Source } from "./sources.ts";

interface Columns {
  /** What fits a line. */
  readonly table: readonly string[];
  readonly csv: readonly string[];
}

const PACKAGE = ["ecosystem", "package", "version", "purl", "count", "first", "last", "users"];
const USER = ["user", "count", "packages", "first", "last"];
const STATS = ["by", "value", "installs", "refusals"];
const EXCEPTION = ["id", "purl", "versions", "rules", "until", "reason", "ended"];
const REQUEST = Object.keys(requestSchema.entries);
const OF_TABLE = {
  alerts: "at advisory severity ecosystem package versions installs users status summary",
  requests: "id at user purl rules reason ticket status expires",
  audit: "at by action target reason changes",
} as const;

const COLUMNS: Record<View, Columns> = {
  installs: {
    table: ["at", "user", "ip", "ecosystem", "package", "version", "filename", "bytes", "verdict"],
    csv: RECORD_FIELDS,
  },
  refusals: {
    table: ["at", "user", "ip", "ecosystem", "package", "version", "verdict", "code", "reason"],
    csv: RECORD_FIELDS,
  },
  packages: { table: PACKAGE.filter((column) => column !== "purl"), csv: PACKAGE },
  users: { table: USER, csv: USER },
  stats: { table: STATS, csv: STATS },
  alerts: { table: OF_TABLE.alerts.split(" "), csv: ALERT_COLUMNS },
  exceptions: { table: EXCEPTION, csv: EXCEPTION },
  requests: { table: OF_TABLE.requests.split(" "), csv: REQUEST },
  audit: { table: OF_TABLE.audit.split(" "), csv: AUDIT_FIELDS },
  simulate: { table: SIMULATION, csv: SIMULATION },
};

/**
 * What is printed, piece by piece.
 * @param document of `simulate`: `{ policy }` or `{ patch }`
 */
export async function* output(
  source: Source,
  { view, query, limit }: Arguments,
  format: Format,
  document: object = {},
): AsyncGenerator<string> {
  const columns = COLUMNS[view];
  if (view === "stats") {
    const stats = await source.stats(query);
    if (format === "json") yield* jsonLines([stats]);
    else yield* write(statsRows(stats).slice(0, limit), columns, format);
  } else if (view === "simulate") {
    const simulated = await source.simulate(query, document);
    if (format === "json") yield* jsonLines([simulated]);
    else yield* write(simulationRows(simulated).slice(0, limit), columns, format);
  } else {
    yield* write(flat(view, source.rows(view, query, limit), format), columns, format);
  }
}

const changesSchema = v.object({ changes: v.array(v.looseObject({ pointer: v.string() })) });

/** Rows as lines show them: what has members of its own is told in a word. */
async function* flat(
  view: View,
  rows: AsyncIterable<object>,
  format: Format,
): AsyncGenerator<object> {
  for await (const row of rows) {
    if (view === "alerts" && (format === "csv" || format === "table")) {
      const alert = v.safeParse(alertSchema, row);
      yield alert.success ? alertRow(alert.output) : row;
    } else if (view === "audit" && format === "table") {
      const line = v.safeParse(changesSchema, row);
      const changes = line.success ? line.output.changes.map(({ pointer }) => pointer) : [];
      yield { ...row, changes };
    } else yield row;
  }
}

function write(
  rows: Iterable<object> | AsyncIterable<object>,
  columns: Columns,
  format: Format,
): AsyncGenerator<string> {
  switch (format) {
    case "table":
      return tableLines(rows, columns.table);
    case "csv":
      return csvLines(rows, columns.csv);
    case "json":
      return jsonArray(rows);
    case "jsonl":
      return jsonLines(rows);
  }
}

function statsRows(stats: Stats): object[] {
  const { installs, refusals, by_ecosystem, by_day, by_code } = stats;
  const rows: object[] = [{ by: "total", value: "", installs, refusals }];
  for (const [by, sums] of [["ecosystem", by_ecosystem], ["day", by_day]] as const) {
    for (const value of Object.keys(sums).sort()) rows.push({ by, value, ...sums[value] });
  }
  for (const value of Object.keys(by_code).sort()) {
    rows.push({ by: "code", value, refusals: by_code[value] });
  }
  return rows;
}
