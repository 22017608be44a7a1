/** `/requests/{id}/decide`: by the API, or by the link that approvers are sent. */
import * as v from "valibot";
import { instantSchema, parseInstant } from "../policy/duration.ts";
import { strict } from "../policy/shape.ts";
import { PolicyInvalid } from "../policy/store/errors.ts";
import { type ExceptionRequest, OwnRequest, RequestClosed } from "../policy/store/request.ts";
import { JSON_TYPES, readJson } from "./body.ts";
import { decidedPage, requestPage } from "./decide_page.ts";
import { type Context, json } from "./endpoint.ts";
import { fieldsOf, isForm, parseBody } from "./forms.ts";
import { wantsPage } from "./page.ts";
import { Problem } from "./problem.ts";

export const DECIDE_PATH = "/admin/v1/orgs/{org}/requests/{id}/decide";

const DAY = 24 * 3600_000;
/** As ages in a policy: a hundred years. */
const MAX_DAYS = 36_525;
const DAYS = `expected a whole number of days from 1 to ${MAX_DAYS}`;

export const decision = strict({
  decision: v.picklist(["approve", "deny"], 'expected "approve" or "deny"'),
  until: v.optional(v.pipe(
    instantSchema,
    v.description("End of the exception; the policy's `approvals.default` from now by default"),
  )),
  days: v.optional(v.pipe(
    v.number(DAYS),
    v.integer(DAYS),
    v.minValue(1, DAYS),
    v.maxValue(MAX_DAYS, DAYS),
    v.description("The same as days from now"),
  )),
  comment: v.optional(v.pipe(
    v.string("expected a text"),
    v.maxLength(500, "longer than 500 characters"),
    v.description("For whoever asked"),
  )),
});

interface Link {
  readonly expires?: string;
  readonly signature?: string;
}

/** The page behind the link. */
export async function approvalPage(context: Context, link: Link): Promise<Response> {
  const request = await linked(context, link);
  if (request.status !== "open") throw closed(request);
  return requestPage(request, { session: context.caller.session, signIn: signInOf(context) });
}

/** Where somebody without a token may sign in first; null: nowhere. */
function signInOf({ deps, request }: Context): string | null {
  return deps.signIn?.linkTo(request) ?? null;
}

/** As `decide`, where the link has to be good as well. */
export async function decideByLink(context: Context, link: Link): Promise<Response> {
  await linked(context, link);
  return await decide(context);
}

export async function decide(context: Context): Promise<Response> {
  const { deps, org, id, caller, request } = context;
  const { decision: verdict, until, days, comment } = parseBody(decision, await bodyOf(request));
  if (until !== undefined && days !== undefined) {
    throw new PolicyInvalid([{ pointer: "/days", detail: "give either this or until" }]);
  }
  let decided: ExceptionRequest | null;
  try {
    decided = await deps.requests.decide(org, id, {
      decision: verdict,
      by: caller.user,
      role: caller.role,
      until: until !== undefined
        ? parseInstant(until)
        : days !== undefined
        ? deps.now() + days * DAY
        : null,
      comment: comment?.trim() || null,
    });
  } catch (error) {
    if (error instanceof RequestClosed) throw closed(error.request);
    // What was sent is what can be mended.
    if (error instanceof PolicyInvalid && days !== undefined) throw sentAs("/days", error);
    if (!(error instanceof OwnRequest)) throw error;
    throw new Problem("forbidden", "Somebody else has to approve what you asked for.");
  }
  if (decided === null) throw missing();
  return wantsPage(request) ? decidedPage(decided) : json(decided);
}

/** The fault of an end that was given otherwise. */
function sentAs(pointer: string, { faults }: PolicyInvalid): PolicyInvalid {
  return new PolicyInvalid(
    faults.map((fault) => fault.pointer === "/until" ? { ...fault, pointer } : fault),
  );
}

/** The request that a link is for. Throws Problem: 403, 404, 410. */
async function linked({ deps, org, id }: Context, link: Link): Promise<ExceptionRequest> {
  const { expires = "", signature = "" } = link;
  const state = await deps.requests.checkLink(org, id, { expires, signature });
  if (state === "forged") {
    throw new Problem("link_invalid", "This link is not one of this proxy's.");
  }
  if (state === "expired") throw new Problem("gone", "The link has expired.");
  const request = await deps.requests.get(org, id);
  if (request === null) throw missing();
  return request;
}

function missing(): Problem {
  return new Problem("not_found", "The org has no such request.");
}

function closed({ status, decided }: ExceptionRequest): Problem {
  return new Problem(
    "gone",
    decided === null
      ? "Nobody decided on this request in time."
      : `This request was ${status} by ${decided.by} at ${decided.at}.`,
  );
}

/** JSON, or a form's fields. */
async function bodyOf(request: Request): Promise<unknown> {
  if (!isForm(request)) return await readJson(request, JSON_TYPES);
  const text = await request.text(); // bounded by `withFormToken`
  if (text.trimStart().startsWith("{")) return await readJson(again(request, text), JSON_TYPES);
  const { days, ...fields } = fieldsOf(text);
  return days === undefined ? fields : { ...fields, days: Number(days) };
}

/** What `curl -d` sends says that it is a form. */
function again({ url, method }: Request, body: string): Request {
  return new Request(url, { method, body, headers: { "content-type": JSON_TYPES[0] } });
}
