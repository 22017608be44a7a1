/** Answers a page in the format that was asked for. */
import type { Page } from "../policy/store/types.ts";
import { json } from "./endpoint.ts";
import { toCsv, toJsonl } from "./formats.ts";

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
