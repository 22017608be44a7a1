/** `/installs`, `/refusals`, `/packages`, `/users`, `/stats`: what was handed out and refused. */
import * as v from "valibot";
import type { Page, RecordQuery } from "../policy/store/types.ts";
import { type Context, type Endpoint, json, withQuery } from "./endpoint.ts";
import { listResponse } from "./lists.ts";
import {
  cursorParameter,
  formatParameter,
  limitParameter,
  readPeriod,
  sinceParameter,
  textParameter,
  untilParameter,
} from "./parameters.ts";
import { Problem } from "./problem.ts";
import { listOf, packageRow, record, stats, userRow } from "./schemas.ts";

const PATH = "/admin/v1/orgs/{org}";

const FILTERS = {
  ecosystem: textParameter("Id of an ecosystem"),
  package: textParameter("A name, or a glob with `*`"),
  version: textParameter(
    "A range in the ecosystem's own syntax, or one version; without `ecosystem`, " +
      "of those ecosystems alone that have such a range",
  ),
  user: textParameter("Who installed"),
  since: sinceParameter,
  until: untilParameter,
  limit: limitParameter(100),
  cursor: cursorParameter,
  format: formatParameter,
};
const REFUSAL_FILTERS = { ...FILTERS, code: textParameter("Reason code, `min_age` for instance") };

type Filters = v.InferOutput<v.ObjectSchema<typeof FILTERS, undefined>> & { code?: string };
type PageOptions = { limit: number; cursor?: string };

export const HISTORY_ENDPOINTS: readonly Endpoint[] = [
  {
    ...list("installs", "listInstalls", "Files handed out, newest first", record),
    ...withQuery(v.object(FILTERS), (context, filters) =>
      answer(context, filters, {
        columns: Object.keys(record.entries),
        load: (query, page) => context.deps.records.list("install", query, page),
      })),
  },
  {
    ...list(
      "refusals",
      "listRefusals",
      "Files refused and, where a rule warns, what would have been; newest first",
      record,
    ),
    ...withQuery(v.object(REFUSAL_FILTERS), (context, filters) =>
      answer(context, filters, {
        columns: Object.keys(record.entries),
        load: (query, page) => context.deps.records.list("refusal", query, page),
      })),
  },
  {
    ...list("packages", "listPackages", "Distinct packages and versions installed", packageRow),
    ...withQuery(v.object(FILTERS), (context, filters) =>
      answer(context, filters, {
        columns: Object.keys(packageRow.entries),
        load: (query, page) => context.deps.records.packages(query, page),
      })),
  },
  {
    ...list("users", "listUsers", "Who installed, and how much", userRow),
    ...withQuery(v.object(FILTERS), (context, filters) =>
      answer(context, filters, {
        columns: Object.keys(userRow.entries),
        load: (query, page) => context.deps.records.users(query, page),
      })),
  },
  {
    method: "GET",
    path: `${PATH}/stats`,
    id: "readStats",
    summary: "Totals by ecosystem, by day and by reason code, in whole days",
    access: "viewer",
    answers: { 200: { description: "The totals", schema: stats } },
    ...withQuery(
      v.object({ since: sinceParameter, until: untilParameter }),
      async ({ deps, org }, period) =>
        json(await deps.records.stats(org, readPeriod(period, deps.now()))),
    ),
  },
];

function list(name: string, id: string, summary: string, item: v.GenericSchema) {
  return {
    method: "GET",
    path: `${PATH}/${name}`,
    id,
    summary,
    access: "viewer",
    answers: {
      200: {
        description: "A page",
        schema: listOf(item),
        types: ["application/json", "application/jsonl", "text/csv"],
        headers: { "Link": 'Where to go on (`rel="next"`), unless this is the end' },
      },
    },
  } as const;
}

async function answer<T extends object>(
  context: Context,
  filters: Filters,
  { columns, load }: {
    columns: readonly string[];
    load: (query: RecordQuery, page: PageOptions) => Promise<Page<T>>;
  },
): Promise<Response> {
  const query = readQuery(context, filters);
  const { limit = 100, cursor, format = "json" } = filters;
  let page: Page<T>;
  try {
    page = await load(query, { limit, cursor });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Problem("query_invalid", '"version" is no range in the syntax of the ecosystem.');
  }
  return listResponse(page, { format, columns, url: context.url });
}

function readQuery({ deps, org }: Context, filters: Filters): RecordQuery {
  const { ecosystem, version, user, code } = filters;
  if (ecosystem !== undefined && !deps.schemes.has(ecosystem)) {
    const known = [...deps.schemes.keys()].join(", ");
    throw new Problem("query_invalid", `"ecosystem": there are ${known}.`);
  }
  return {
    org,
    ecosystem,
    package: filters.package,
    version,
    user,
    code,
    ...readPeriod(filters, deps.now()),
  };
}
