/** What a developer writes: a reason and perhaps a ticket, as JSON or as a form. */
import * as v from "valibot";
import { oneLine } from "../policy/rules/rule.ts";
import { strict } from "../policy/shape.ts";
import { readBody } from "./body.ts";
import { RequestError } from "./errors.ts";

export interface Wish {
  readonly reason: string;
  readonly ticket: string | null;
}

const MAX_BODY = 16 * 1024;
const MAX_REASON = 500;
const MAX_TICKET = 100;

const line = (most: number) =>
  v.pipe(
    v.string("a text is expected"),
    v.maxLength(most, `it is longer than ${most} characters`),
    v.transform((text) => oneLine(text, most)),
  );

const wishSchema = strict({
  reason: v.pipe(line(MAX_REASON), v.minLength(1, "it is empty")),
  ticket: v.optional(v.nullable(line(MAX_TICKET)), null),
});

/** Throws RequestError: 400, 413, 415, 422. */
export async function readWish(request: Request): Promise<Wish> {
  const parsed = v.safeParse(wishSchema, await read(request));
  if (!parsed.success) throw invalid(parsed.issues[0]);
  const { reason, ticket } = parsed.output;
  return { reason, ticket: ticket === "" ? null : ticket };
}

function invalid(issue: v.BaseIssue<unknown>): RequestError {
  const name = String(issue.path?.[0]?.key ?? "");
  const fault = issue.type !== "strict_object"
    ? issue.message
    : issue.received === "undefined"
    ? "it is missing"
    : "there is no such member";
  const message = name === ""
    ? 'Send {"reason": "...", "ticket": "..."}; the ticket may be left out.'
    : `${JSON.stringify(name.slice(0, 40))}: ${fault}. Give a reason of at most ${MAX_REASON} ` +
      `characters, and perhaps a ticket of at most ${MAX_TICKET}.`;
  return new RequestError({ status: 422, code: "wish_invalid", message });
}

async function read(request: Request): Promise<unknown> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0].trim().toLowerCase();
  // `curl -d` says that it is a form, whatever it sends.
  const form = type === "application/x-www-form-urlencoded";
  if (!form && type !== "application/json" && type !== "") {
    const message = "Send JSON, or a form as application/x-www-form-urlencoded.";
    throw new RequestError({ status: 415, code: "type_unsupported", message });
  }
  const text = decode(await readBody(request, { maxBytes: MAX_BODY }));
  if (form && !text.trimStart().startsWith("{")) return fieldsOf(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = "The body is not JSON.";
    throw new RequestError({ status: 400, code: "body_invalid", message }, { cause });
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = "The body is not UTF-8.";
    throw new RequestError({ status: 400, code: "body_invalid", message }, { cause });
  }
}

function fieldsOf(text: string): Record<string, string> {
  const form = new URLSearchParams(text);
  const reason = form.get("reason");
  return { ...(reason === null ? {} : { reason }), ticket: form.get("ticket") ?? "" };
}
