/** Answers a page in the format that was asked for. */
import type { Page } from "../policy/store/types.ts";
import { json } from "./endpoint.ts";

export function listResponse<T extends object>(
  page: Page<T>,
  { format, columns, url }: {
    format: "json" | "jsonl" | "csv";
    /** Columns of CSV, which has to name them even where there is no row. */
    columns: readonly string[];
    url: URL;
  },
): Response {
  const headers: Record<string, string> = {};
  if (page.cursor !== null) {
    const next = new URLSearchParams(url.searchParams);
    next.set("cursor", page.cursor);
    headers["Link"] = `<${url.pathname}?${next}>; rel="next"`;
  }
  if (format === "json") return json({ items: page.items, cursor: page.cursor }, { headers });
  return new Response(format === "csv" ? toCsv(page.items, columns) : toJsonl(page.items), {
    headers: {
      "Content-Type": format === "csv"
        ? "text/csv; charset=utf-8; header=present"
        : "application/jsonl",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...headers,
    },
  });
}

function toJsonl(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

/** RFC 4180, with a header line. */
function toCsv(rows: readonly object[], columns: readonly string[]): string {
  const lines = rows.map((row) => {
    const values = new Map<string, unknown>(Object.entries(row));
    return columns.map((column) => cell(values.get(column)));
  });
  return [columns, ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}

function cell(value: unknown): string {
  const text = Array.isArray(value) ? value.join(" ") : String(value ?? "");
  // A spreadsheet would run what begins like this as a formula, and users choose these texts.
  const inert = typeof value !== "number" && /^[=+@\t\r-]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
