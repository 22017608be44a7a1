/** Bodies that a browser's form may send in place of JSON. */
import * as v from "valibot";
import { BodyRefused, readBounded } from "../policy/bounded_body.ts";
import { PolicyInvalid } from "../policy/store/errors.ts";
import { pointerOf } from "../policy/tree.ts";
import { CSRF_HEADER } from "./csrf.ts";
import { Problem } from "./problem.ts";

const FORM = "application/x-www-form-urlencoded";
/** A token, a reason and a comment. */
const MAX_FORM_BYTES = 64 * 1024;

export function isForm(request: Request): boolean {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0].trim().toLowerCase();
  return type === FORM;
}

/**
 * The request with a form's field `token` as its Authorization and `csrf` as
 * its X-CSRF-Token, since a form can send no header. Throws Problem: 401, 413.
 */
export async function withFormToken(request: Request): Promise<Request> {
  // Whatever they say of a body, these have none.
  if (request.method === "GET" || request.method === "HEAD" || !isForm(request)) return request;
  const body = await boundedText(request);
  const headers = new Headers(request.headers);
  const fields = new URLSearchParams(body);
  const csrf = fields.get("csrf") ?? "";
  if (/^[\x21-\x7e]+$/.test(csrf) && !headers.has(CSRF_HEADER)) headers.set(CSRF_HEADER, csrf);
  const token = fields.get("token")?.trim() ?? "";
  if (token !== "" && !headers.has("authorization")) {
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new Problem("unauthorized", "The token is unknown or has expired.");
    }
    headers.set("authorization", `Bearer ${token}`);
  }
  return new Request(request.url, { method: request.method, headers, body });
}

/** The fields of a form that are not empty, but for those that say who sends it. */
export function fieldsOf(body: string): Record<string, string> {
  const fields = [...new URLSearchParams(body)]
    .filter(([name, value]) => value.trim() !== "" && name !== "token" && name !== "csrf");
  // Neither a prototype's member nor a member twice.
  if (new Set(fields.map(([name]) => name)).size < fields.length) {
    throw new Problem("bad_request", "A field of the form is given twice.");
  }
  return Object.fromEntries(fields);
}

/** Throws PolicyInvalid with every fault. */
export function parseBody<const S extends v.GenericSchema>(
  schema: S,
  body: unknown,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, body);
  if (parsed.success) return parsed.output;
  throw new PolicyInvalid(parsed.issues.map((issue) => ({
    pointer: pointerOf((issue.path ?? []).map((item) => String(item.key))),
    detail: issue.type === "strict_object"
      ? (issue.received === "undefined" ? "is required" : "unknown key")
      : issue.message,
  })));
}

async function boundedText(request: Request): Promise<string> {
  try {
    const bytes = await readBounded(request.body, { maxBytes: MAX_FORM_BYTES });
    return new TextDecoder().decode(bytes);
  } catch (cause) {
    if (!(cause instanceof BodyRefused)) throw cause;
    if (cause.fault === "too_large") {
      throw new Problem("too_large", `A form may hold ${MAX_FORM_BYTES} bytes.`);
    }
    if (cause.fault === "too_slow") throw new Problem("too_slow", cause.message);
    throw new Problem("bad_request", "The body broke off.");
  }
}
