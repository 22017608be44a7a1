/** The table, for people. */
import type { Row } from "./row.ts";

/** Markdown, one table for each point. */
export function table(
  rows: readonly Row[],
  points: readonly { readonly number: number; readonly title: string }[],
): string {
  return points.flatMap(({ number, title }) => {
    const own = rows.filter((row) => row.point === number);
    return own.length === 0 ? [] : [`## ${number}. ${title}\n\n${section(own)}`];
  }).join("\n\n");
}

function section(rows: readonly Row[]): string {
  const contenders = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
  const lines = rows.map((row) => [
    row.what,
    row.unit,
    ...contenders.map((contender) => format(row.values[contender])),
    row.ratio === undefined ? "" : `${format(row.ratio)} (${row.compared})`,
    row.target ?? "",
    row.met === undefined ? "" : row.met ? "met" : "MISSED",
  ]);
  const head = ["", "unit", ...contenders, "compared", "target", ""];
  const cells = [head, head.map(() => "---"), ...lines];
  const widths = head.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  return cells.map((line) =>
    `| ${line.map((cell, i) => cell.padEnd(widths[i], cell === "---" ? "-" : " ")).join(" | ")} |`
  ).join("\n");
}

/** Three digits that count. */
export function format(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
