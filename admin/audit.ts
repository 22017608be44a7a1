/** `/audit`: who changed what, and when. */
import * as v from "valibot";
import { AUDIT_FIELDS } from "../policy/store/audit.ts";
import { AUDIT_ACTIONS } from "../policy/store/types.ts";
import { type Endpoint, withQuery } from "./endpoint.ts";
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
import { auditEntry, listOf } from "./schemas.ts";

export const AUDIT_ENDPOINTS: readonly Endpoint[] = [{
  method: "GET",
  path: "/admin/v1/orgs/{org}/audit",
  id: "listAudit",
  summary: "Changes of the org's policy, tokens and exceptions, newest first",
  access: "viewer",
  answers: {
    200: {
      description: "A page",
      schema: listOf(auditEntry),
      types: ["application/json", "application/jsonl", "text/csv"],
      headers: { "Link": 'Where to go on (`rel="next"`), unless this is the end' },
    },
  },
  ...withQuery(
    v.object({
      action: v.optional(v.pipe(
        v.string(),
        v.picklist(AUDIT_ACTIONS, `expected one of ${AUDIT_ACTIONS.join(", ")}`),
        v.description("What was done"),
      )),
      by: textParameter("Who did it: a token's user, `root`, or `proxy`"),
      since: sinceParameter,
      until: untilParameter,
      limit: limitParameter(100),
      cursor: cursorParameter,
      format: formatParameter,
    }),
    async ({ deps, org, url }, { action, by, limit = 100, cursor, format = "json", ...period }) =>
      listResponse(
        await deps.audit.list(org, {
          limit,
          cursor,
          action,
          by,
          ...readPeriod(period, deps.now()),
        }),
        { format, columns: AUDIT_FIELDS, url },
      ),
  ),
}];
