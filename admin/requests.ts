/** `/requests`: what developers ask to be let through, and the decisions on it. */
import * as v from "valibot";
import { requestSchema } from "../policy/store/request.ts";
import { approvalPage, decide, DECIDE_PATH, decideByLink, decision } from "./decide.ts";
import { decisionForm } from "./decide_page.ts";
import { type Context, type Endpoint, json, withQuery } from "./endpoint.ts";
import { JSON_TYPES } from "./body.ts";
import { listResponse } from "./lists.ts";
import { cursorParameter, formatParameter, limitParameter } from "./parameters.ts";
import { Problem } from "./problem.ts";
import { listOf, problem } from "./schemas.ts";

const PATH = "/admin/v1/orgs/{org}/requests";

const request = v.strictObject(requestSchema.entries);

const statusParameter = v.optional(v.pipe(
  v.string(),
  v.picklist(
    ["open", "approved", "denied", "expired"],
    "expected open, approved, denied or expired",
  ),
  v.description("Only those; all by default. Nobody decided within 14 days: expired"),
));

const linkParameter = (description: string) =>
  v.optional(v.pipe(v.string(), v.maxLength(200, "is too long"), v.description(description)));

const LINK = v.object({
  expires: linkParameter("From the link that approvers were sent"),
  signature: linkParameter("From the link that approvers were sent"),
});
const FAILED = { schema: problem, types: ["text/html", "application/problem+json"] };

export const REQUEST_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: PATH,
    id: "listRequests",
    summary: "Requests for exceptions, newest first",
    access: "viewer",
    answers: {
      200: {
        description: "A page; with a status it may be short although there are more",
        schema: listOf(request),
        types: ["application/json", "application/jsonl", "text/csv"],
        headers: { "Link": 'Where to go on (`rel="next"`), unless this is the end' },
      },
    },
    ...withQuery(
      v.object({
        status: statusParameter,
        limit: limitParameter(100),
        cursor: cursorParameter,
        format: formatParameter,
      }),
      async ({ deps, org, url }, { status, limit = 100, cursor, format = "json" }) =>
        listResponse(await deps.requests.list(org, { limit, cursor, status }), {
          format,
          columns: Object.keys(request.entries),
          url,
        }),
    ),
  },
  {
    method: "GET",
    path: `${PATH}/{id}`,
    id: "readRequest",
    summary: "One request for an exception",
    access: "viewer",
    answers: { 200: { description: "The request", schema: request } },
    faults: [404],
    handle: read,
  },
  {
    method: "GET",
    path: DECIDE_PATH,
    id: "openRequestPage",
    summary: "The page that an approver's link leads to: shows the request, changes nothing",
    access: "public",
    answers: {
      200: {
        description: "What is asked for, with a form to decide",
        schema: v.string(),
        types: ["text/html"],
      },
      400: { description: "A name or parameter that cannot be read", ...FAILED },
      403: { description: "The link is none of this proxy's", ...FAILED },
      404: { description: "There is no such request", ...FAILED },
      410: { description: "The link or the request is over, or it was decided on", ...FAILED },
      500: { description: "The proxy failed", ...FAILED },
      503: { description: "The store does not answer", ...FAILED },
    },
    ...withQuery(LINK, approvalPage),
    form: decisionForm,
  },
  {
    method: "POST",
    path: DECIDE_PATH,
    id: "decideRequest",
    summary: "Approve or deny, once. An approval adds an exception for exactly that version, " +
      "for the rules that withheld it, with an end",
    access: "editor",
    body: {
      description: "The decision; a form may have the token in its field `token`",
      schema: decision,
      types: [...JSON_TYPES, "application/x-www-form-urlencoded"],
    },
    answers: {
      200: {
        description: "Decided; the request as it is now",
        schema: request,
        types: ["application/json", "text/html"],
      },
    },
    faults: [404, 410, 413, 415, 422],
    ...withQuery(
      LINK,
      (context, link) =>
        link.expires === undefined && link.signature === undefined
          ? decide(context)
          : decideByLink(context, link),
    ),
    form: decisionForm,
  },
];

async function read({ deps, org, id }: Context): Promise<Response> {
  const found = await deps.requests.get(org, id);
  if (found === null) throw new Problem("not_found", "The org has no such request.");
  return json(found);
}
