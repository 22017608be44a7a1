/** Reads JSON bodies, of bounded size. */
import { BodyRefused, readBounded } from "../policy/bounded_body.ts";
import { MAX_DOCUMENT_BYTES } from "../policy/schema.ts";
import { Problem } from "./problem.ts";

/** A document within its bound may come with white space. */
const MAX_BODY_BYTES = 2 * MAX_DOCUMENT_BYTES;

export const JSON_TYPES = ["application/json"] as const;
export const PATCH_TYPES = ["application/merge-patch+json", "application/json"] as const;

/** What `curl -d @file` says unless told otherwise. */
const CURL = "application/x-www-form-urlencoded";

/**
 * The body as JSON. Throws Problem: 400, 413, 415.
 * @param types media types accepted, beside none at all and curl's default
 */
export async function readJson(request: Request, types: readonly string[]): Promise<unknown> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0].trim().toLowerCase();
  if (type !== "" && type !== CURL && !types.includes(type)) throw unsupported(types);
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new Problem("unsupported_media_type", "Send the body without Content-Encoding.");
  }
  const bytes = await readBytes(request);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    if (type === CURL) throw unsupported(types);
    throw new Problem("bad_request", "The body is not JSON in UTF-8.");
  }
}

function unsupported(types: readonly string[]): Problem {
  return new Problem("unsupported_media_type", `Send JSON as ${types.join(" or ")}.`, {
    headers: { "Accept": types.join(", "), "Accept-Patch": types.join(", ") },
  });
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const tooLarge = () =>
    new Problem("too_large", `The body may hold ${MAX_BODY_BYTES} bytes, white space included.`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  try {
    return await readBounded(request.body, { maxBytes: MAX_BODY_BYTES });
  } catch (cause) {
    if (!(cause instanceof BodyRefused)) throw cause;
    if (cause.fault === "too_large") throw tooLarge();
    if (cause.fault === "too_slow") throw new Problem("too_slow", cause.message);
    throw new Problem("bad_request", "The body broke off.");
  }
}
