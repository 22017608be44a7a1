/**
 * Rows as CSV, JSON lines, JSON or a table, line by line. Texts in them come
 * from outside: none can control a terminal, reorder a line or run as a formula.
 */
import { UNSEEN, visible } from "../policy/visible.ts";

export { visible } from "../policy/visible.ts";

type Rows = Iterable<object> | AsyncIterable<object>;

/** RFC 4180 with its header; all at once. */
export function toCsv(rows: Iterable<object>, columns: readonly string[]): string {
  let text = csvLine(columns);
  for (const row of rows) text += csvLine(columns.map((column) => textOf(row, column)));
  return text;
}

/** One JSON object a line; all at once. */
export function toJsonl(rows: Iterable<object>): string {
  let text = "";
  for (const row of rows) text += jsonText(row) + "\n";
  return text;
}

export async function* csvLines(rows: Rows, columns: readonly string[]): AsyncGenerator<string> {
  yield csvLine(columns);
  for await (const row of rows) yield csvLine(columns.map((column) => textOf(row, column)));
}

export async function* jsonLines(rows: Rows): AsyncGenerator<string> {
  for await (const row of rows) yield jsonText(row) + "\n";
}

/** One JSON array. */
export async function* jsonArray(rows: Rows): AsyncGenerator<string> {
  let before = "[";
  for await (const row of rows) {
    yield `${before}\n  ${jsonText(row)}`;
    before = ",";
  }
  yield before === "[" ? "[]\n" : "\n]\n";
}

/** As many rows decide on the widths of a table's columns. */
const MEASURED = 200;

/** A table for people. Nothing where there are no rows. */
export async function* tableLines(rows: Rows, columns: readonly string[]): AsyncGenerator<string> {
  let lines: string[][] = [];
  let widths: number[] | null = null;
  for await (const row of rows) {
    const line = columns.map((column) => visible(textOf(row, column)));
    if (widths !== null) {
      yield tableLine(line, widths);
      continue;
    }
    lines.push(line);
    if (lines.length < MEASURED) continue;
    widths = widthsOf([[...columns], ...lines]);
    yield* tableHead(columns, lines, widths);
    lines = [];
  }
  if (lines.length > 0) yield* tableHead(columns, lines, widthsOf([[...columns], ...lines]));
}

function* tableHead(columns: readonly string[], lines: string[][], widths: readonly number[]) {
  yield tableLine(columns.map((column) => column.toUpperCase()), widths);
  for (const line of lines) yield tableLine(line, widths);
}

function widthsOf(lines: readonly string[][]): number[] {
  return lines[0].map((_, at) => Math.max(...lines.map((line) => [...line[at]].length)));
}

function tableLine(line: readonly string[], widths: readonly number[]): string {
  const padded = line.map((text, at) =>
    text + " ".repeat(Math.max(0, widths[at] - [...text].length))
  );
  return padded.join("  ").trimEnd() + "\n";
}

/** A value of a row as text; plain lists are joined by spaces, what has members is JSON. */
function textOf(row: object, column: string): string {
  const value: unknown = Reflect.get(row, column);
  if (value === undefined || value === null) return "";
  if (Array.isArray(value) && !value.some(isStructure)) return value.map(String).join(" ");
  return isStructure(value) ? JSON.stringify(value) : String(value);
}

function isStructure(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function csvLine(fields: readonly string[]): string {
  return fields.map(csvField).join(",") + "\r\n";
}

/**
 * A spreadsheet would run a field as a formula if it began like one, in East
 * Asia with wide signs too (https://owasp.org/www-community/attacks/CSV_Injection).
 * A number is none, and what begins with `@`, as npm's scoped names do, only
 * where it calls something.
 */
const FORMULA = /^(?:[\t\r\n]|\s*(?:[=＝＋－]|[+-](?!\d+(?:\.\d+)?$)|[@＠][^]*[(|!]))/;

function csvField(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  const printed = safe.split(/(\r?\n|\t)/).map((part, at) => at % 2 ? part : visible(part)).join(
    "",
  );
  return /[",\r\n]/.test(printed) ? `"${printed.replaceAll('"', '""')}"` : printed;
}

/** JSON that holds no unseen character; it reads back as the same value. */
function jsonText(value: object): string {
  return JSON.stringify(value).replace(UNSEEN, (unseen) => {
    let escaped = "";
    for (let at = 0; at < unseen.length; at++) {
      escaped += `\\u${unseen.charCodeAt(at).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}
