/** Every error the API answers with (RFC 9457), in one table. */
import { IssuerUnavailable } from "../ecosystems/errors.ts";
import {
  CursorInvalid,
  type Fault,
  PolicyInvalid,
  PolicyUnreadable,
  PreconditionFailed,
  StoreUnavailable,
} from "../policy/store/errors.ts";

const PROBLEMS = {
  bad_request: { status: 400, title: "The request cannot be read" },
  name_invalid: { status: 400, title: "That is no name of an org" },
  query_invalid: { status: 400, title: "A query parameter is not accepted" },
  cursor_invalid: { status: 400, title: "The cursor is not of this list" },
  unauthorized: { status: 401, title: "A valid token is needed" },
  forbidden: { status: 403, title: "This token may not do that" },
  link_invalid: { status: 403, title: "The link is not valid here" },
  not_found: { status: 404, title: "There is no such thing" },
  method_not_allowed: { status: 405, title: "Not with this method" },
  too_slow: { status: 408, title: "The body does not come in time" },
  gone: { status: 410, title: "This is over" },
  precondition_failed: { status: 412, title: "Somebody else changed it first" },
  too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body's media type is not accepted" },
  document_invalid: { status: 422, title: "The document is not accepted" },
  policy_unreadable: { status: 500, title: "The stored policy cannot be read" },
  internal: { status: 500, title: "The proxy failed" },
  store_unavailable: { status: 503, title: "The store does not answer" },
  provider_unavailable: { status: 503, title: "The provider of identities does not answer" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemExtra {
  readonly errors?: readonly Fault[];
  readonly headers?: Record<string, string>;
}

/** Thrown by handlers; `detail` is for the caller, so nothing internal may be in it. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(readonly code: ProblemCode, detail: string, readonly extra: ProblemExtra = {}) {
    super(detail);
  }

  get title(): string {
    return PROBLEMS[this.code].title;
  }
}

/** A failure as the caller may see it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof PolicyInvalid) {
    const count = error.faults.length;
    return new Problem(
      "document_invalid",
      `${count} ${count === 1 ? "fault" : "faults"}; nothing was stored.`,
      { errors: error.faults },
    );
  }
  if (error instanceof PreconditionFailed) {
    return new Problem(
      "precondition_failed",
      "The policy's current revision is not the one the request is meant for: read it again.",
    );
  }
  if (error instanceof CursorInvalid) {
    return new Problem("cursor_invalid", "Use a cursor from an answer of this very list.");
  }
  if (error instanceof StoreUnavailable) {
    return new Problem("store_unavailable", "Try again in a moment.", {
      headers: { "Retry-After": "5" },
    });
  }
  if (error instanceof IssuerUnavailable) {
    return new Problem("provider_unavailable", "The provider of identities does not answer.", {
      headers: { "Retry-After": "10" },
    });
  }
  if (error instanceof PolicyUnreadable) {
    return new Problem("policy_unreadable", "Replace it with PUT; until then all is refused.");
  }
  return new Problem("internal", "The log of the proxy says why.");
}

export function problemResponse({ code, message, extra }: Problem): Response {
  const { status, title } = PROBLEMS[code];
  const body = {
    type: `urn:package-proxy:problem:${code}`,
    title,
    status,
    detail: message,
    ...(extra.errors ? { errors: extra.errors } : {}),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...extra.headers,
    },
  });
}
