import * as v from "valibot";
import type { Page, Records, Stats } from "../../policy/store/types.ts";
import { type Simulation, simulation } from "../simulation_summary.ts";
import type { Query, View } from "./arguments.ts";

/** Where the rows come from: KV itself, or a running proxy. */
export interface Source {
  rows(view: ListView, query: Query, limit: number): AsyncIterable<object>;
  stats(query: Query): Promise<Stats>;
  /** @param document `{ policy }` or `{ patch }` */
  simulate(query: Query, document: object): Promise<Simulation>;
}

export type ListView = Exclude<View, "stats" | "simulate">;

/** Asks the admin API: GET, or POST where there is a body. */
export type Ask = (
  org: string,
  view: View,
  parameters: Readonly<Record<string, string>>,
  body?: object,
) => Promise<unknown>;

const PAGE = 1_000;
const TIMEOUT_MS = 60_000;

/** @param ask for what is no history of installs: the admin API on the same database */
export function storeSource(records: Records, ask: Ask): Source {
  return {
    rows: (view, query, limit) =>
      follow(limit, (page): Promise<Page<object>> => {
        switch (view) {
          case "installs":
            return records.list("install", query, page);
          case "refusals":
            return records.list("refusal", query, page);
          case "packages":
            return records.packages(query, page);
          case "users":
            return records.users(query, page);
          default:
            return readPage(ask, view, query, page);
        }
      }),
    stats: ({ org, since, until }) => records.stats(org, { since, until }),
    simulate: () => Promise.reject(new Error("Only a running proxy judges what was installed")),
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

/** Asks the admin API of a running proxy. Throws Error with what the proxy said. */
export function proxySource({ url, token }: { url: URL; token: string }): Source {
  const ask = asking(url, token, (request) => {
    return fetch(request, { redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) });
  });
  return {
    rows: (view, query, limit) => follow(limit, (page) => readPage(ask, view, query, page)),
    stats: async (query) => read(statsSchema, await ask(query.org, "stats", parametersOf(query))),
    async simulate(query, document) {
      const body = { ...document, ...parametersOf(query) };
      return read(simulation, await ask(query.org, "simulate", {}, body));
    },
  };
}

/** @param send takes the request to the API */
export function asking(
  url: URL,
  token: string,
  send: (request: Request) => Response | Promise<Response>,
): Ask {
  const base = url.href.endsWith("/") ? url.href : `${url.href}/`;
  return async (org, view, parameters, body) => {
    const address = new URL(`admin/v1/orgs/${encodeURIComponent(org)}/${view}`, base);
    address.search = new URLSearchParams(parameters).toString();
    const headers = { Authorization: `Bearer ${token}`, Accept: "application/json" };
    const response = await send(
      body === undefined ? new Request(address, { headers }) : new Request(address, {
        method: "POST",
        headers: { ...headers, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw new Error(`The proxy answers ${response.status}${detailOf(answer)}`);
    return answer;
  };
}

async function readPage(
  ask: Ask,
  view: View,
  query: Query,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<Page<object>> {
  const parameters: Record<string, string> = { ...parametersOf(query), limit: String(limit) };
  if (cursor !== undefined) parameters.cursor = cursor;
  return read(pageSchema, await ask(query.org, view, parameters));
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

/** Times are Unix ms; all else is a text as the API takes it. */
function parametersOf({ org: _org, ...filters }: Query): { [name: string]: string } {
  const parameters: Record<string, string> = {};
  for (const [name, value] of Object.entries(filters)) {
    if (value === undefined) continue;
    parameters[name] = typeof value === "number" ? new Date(value).toISOString() : String(value);
  }
  return parameters;
}

function read<T>(schema: v.GenericSchema<unknown, T>, body: unknown): T {
  const parsed = v.safeParse(schema, body);
  if (!parsed.success) throw new Error("The proxy's answer cannot be read: is this its address?");
  return parsed.output;
}

const problemSchema = v.object({
  detail: v.string(),
  errors: v.optional(v.array(v.object({ pointer: v.string(), detail: v.string() })), []),
});

function detailOf(body: unknown): string {
  const parsed = v.safeParse(problemSchema, body);
  if (!parsed.success) return "";
  const { detail, errors } = parsed.output;
  const faults = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return `: ${[detail, ...faults].join(" ").slice(0, 1_000)}`;
}
