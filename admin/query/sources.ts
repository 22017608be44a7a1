import * as v from "valibot";
import type { Page, RecordQuery, Records, Stats } from "../../policy/store/types.ts";
import type { View } from "./arguments.ts";

/** Where the rows come from: KV itself, or a running proxy. */
export interface Source {
  rows(view: Exclude<View, "stats">, query: RecordQuery, limit: number): AsyncIterable<object>;
  stats(query: RecordQuery): Promise<Stats>;
}

const PAGE = 1_000;
const TIMEOUT_MS = 60_000;

export function storeSource(records: Records): Source {
  return {
    rows: (view, query, limit) =>
      follow(limit, (page): Promise<Page<object>> => {
        if (view === "packages") return records.packages(query, page);
        if (view === "users") return records.users(query, page);
        return records.list(view === "installs" ? "install" : "refusal", query, page);
      }),
    stats: ({ org, since, until }) => records.stats(org, { since, until }),
  };
}

const pageSchema = v.object({
  items: v.array(v.looseObject({})),
  cursor: v.nullable(v.pipe(v.string(), v.minLength(1))),
});

const countsSchema = v.record(v.string(), v.object({ installs: v.number(), refusals: v.number() }));

const statsSchema = v.object({
  installs: v.number(),
  refusals: v.number(),
  by_ecosystem: countsSchema,
  by_day: countsSchema,
  by_code: v.record(v.string(), v.number()),
});

/** Asks the admin API. Throws Error with what the proxy said. */
export function proxySource({ url, token }: { url: URL; token: string }): Source {
  const base = url.href.endsWith("/") ? url.href : `${url.href}/`;

  async function ask(org: string, view: View, parameters: Record<string, string>) {
    const address = new URL(`admin/v1/orgs/${encodeURIComponent(org)}/${view}`, base);
    address.search = new URLSearchParams(parameters).toString();
    const response = await fetch(address, {
      headers: { Authorization: `Bearer ${token}`, Accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) throw new Error(`The proxy answers ${response.status}${detailOf(body)}`);
    return body;
  }

  return {
    rows: (view, query, limit) =>
      follow(limit, async (page) => {
        const parameters: Record<string, string> = {
          ...parametersOf(query),
          limit: String(page.limit),
        };
        if (page.cursor !== undefined) parameters.cursor = page.cursor;
        return read(pageSchema, await ask(query.org, view, parameters));
      }),
    stats: async (query) => read(statsSchema, await ask(query.org, "stats", parametersOf(query))),
  };
}

async function* follow(
  limit: number,
  list: (page: { limit: number; cursor?: string }) => Promise<Page<object>>,
): AsyncGenerator<object> {
  let left = limit;
  let cursor: string | undefined;
  while (left > 0) {
    const page = await list({ limit: Math.min(PAGE, left), cursor });
    const items = page.items.slice(0, left);
    yield* items;
    left -= items.length;
    if (page.cursor === null) return;
    if (page.cursor === cursor) throw new Error("The proxy gives the same page again");
    cursor = page.cursor;
  }
}

function parametersOf(query: RecordQuery): { [name: string]: string } {
  const parameters: Record<string, string> = {};
  for (const name of ["ecosystem", "package", "version", "user", "code"] as const) {
    const value = query[name];
    if (value !== undefined) parameters[name] = value;
  }
  for (const name of ["since", "until"] as const) {
    const value = query[name];
    if (value !== undefined) parameters[name] = new Date(value).toISOString();
  }
  return parameters;
}

function read<T>(schema: v.GenericSchema<unknown, T>, body: unknown): T {
  const parsed = v.safeParse(schema, body);
  if (!parsed.success) throw new Error("The proxy's answer cannot be read: is this its address?");
  return parsed.output;
}

const problemSchema = v.object({ detail: v.string() });

function detailOf(body: unknown): string {
  const parsed = v.safeParse(problemSchema, body);
  return parsed.success ? `: ${parsed.output.detail.slice(0, 1_000)}` : "";
}
