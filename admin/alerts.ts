/** `/alerts`: what was handed out before an advisory said what it is. */
import * as v from "valibot";
import type { Alert } from "../policy/store/alerts.ts";
import { ALERT_COLUMNS, alertRow } from "./alert_row.ts";
import { JSON_TYPES, readJson } from "./body.ts";
import { type Context, type Endpoint, json, withQuery } from "./endpoint.ts";
import { parseBody } from "./forms.ts";
import { listResponse } from "./lists.ts";
import {
  cursorParameter,
  formatParameter,
  limitParameter,
  readPeriod,
  sinceParameter,
  untilParameter,
} from "./parameters.ts";
import { Problem } from "./problem.ts";
import { acknowledgement, alert, listOf } from "./schemas.ts";

const PATH = "/admin/v1/orgs/{org}/alerts";

export const ALERT_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: PATH,
    id: "listAlerts",
    summary: "What was handed out before an advisory said what it is, newest first",
    access: "viewer",
    answers: {
      200: {
        description: "A page",
        schema: listOf(alert),
        types: ["application/json", "application/jsonl", "text/csv"],
        headers: { "Link": 'Where to go on (`rel="next"`), unless this is the end' },
      },
    },
    ...withQuery(
      v.object({
        status: v.optional(v.pipe(
          v.string(),
          v.picklist(["open", "acknowledged"], "expected open or acknowledged"),
          v.description("Only those; all by default"),
        )),
        since: sinceParameter,
        until: untilParameter,
        limit: limitParameter(100),
        cursor: cursorParameter,
        format: formatParameter,
      }),
      async ({ deps, org, url }, { status, limit = 100, cursor, format = "json", ...period }) => {
        const page = await deps.alerts.list(org, {
          status,
          limit,
          cursor,
          ...readPeriod(period, deps.now()),
        });
        if (format !== "csv") return listResponse(page, { format, columns: ALERT_COLUMNS, url });
        const rows = { items: page.items.map(alertRow), cursor: page.cursor };
        return listResponse(rows, { format, columns: ALERT_COLUMNS, url });
      },
    ),
  },
  {
    method: "GET",
    path: `${PATH}/{id}`,
    id: "readAlert",
    summary: "One alert",
    access: "viewer",
    answers: { 200: { description: "The alert", schema: alert } },
    faults: [404],
    handle: async ({ deps, org, id }) => answer(await deps.alerts.get(org, id)),
  },
  {
    method: "POST",
    path: `${PATH}/{id}/acknowledge`,
    id: "acknowledgeAlert",
    summary: "Say that somebody has seen to it; who was first stays on record",
    access: "editor",
    body: {
      description: "A comment, or an empty object",
      schema: acknowledgement,
      types: JSON_TYPES,
    },
    answers: { 200: { description: "The alert", schema: alert } },
    faults: [404, 413, 415, 422],
    handle: acknowledge,
  },
];

async function acknowledge({ deps, org, id, caller, request }: Context): Promise<Response> {
  const { comment } = parseBody(acknowledgement, await readJson(request, JSON_TYPES));
  return answer(await deps.alerts.acknowledge(org, id, { by: caller.user, comment }));
}

function answer(found: Alert | null): Response {
  if (found === null) throw new Problem("not_found", "The org has no such alert.");
  return json(found);
}
