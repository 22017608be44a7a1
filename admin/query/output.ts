import { RECORD_FIELDS } from "../../policy/store/record_entry.ts";
import type { Stats } from "../../policy/store/types.ts";
import { csvLines, jsonArray, jsonLines, tableLines } from "../formats.ts";
import type { Arguments, Format, View } from "./arguments.ts";
import type { Source } from "./sources.ts";

interface Columns {
  /** What fits a line. */
  readonly table: readonly string[];
  readonly csv: readonly string[];
}

const PACKAGE = ["ecosystem", "package", "version", "purl", "count", "first", "last", "users"];
const USER = ["user", "count", "packages", "first", "last"];
const STATS = ["by", "value", "installs", "refusals"];

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
};

/** What is printed, piece by piece. */
export async function* output(
  source: Source,
  { view, query, limit }: Arguments,
  format: Format,
): AsyncGenerator<string> {
  const columns = COLUMNS[view];
  if (view !== "stats") {
    yield* write(source.rows(view, query, limit), columns, format);
    return;
  }
  const stats = await source.stats(query);
  if (format === "json") yield* jsonLines([stats]);
  else {yield* write(
      statsRows(stats).slice(0, limit),
      columns,
      format,
    );}
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
