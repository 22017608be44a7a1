/** One table from failure to answer; the public text never names internals. */
import {
  InvalidMetadata,
  IssuerUnavailable,
  UpstreamError,
  type UpstreamFault,
} from "../ecosystems/errors.ts";
import { PolicyUnreadable, StoreUnavailable } from "../policy/store/errors.ts";
import { visible } from "../policy/visible.ts";
import { IdentityError } from "./identity.ts";

/** An answer that is no success. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  /** For the developer. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const UPSTREAM: Record<Exclude<UpstreamFault, "status">, { status: number; code: string }> = {
  unreachable: { status: 502, code: "upstream_unreachable" },
  timeout: { status: 504, code: "upstream_timeout" },
  client: { status: 408, code: "client_timeout" },
  redirect: { status: 502, code: "upstream_redirect" },
  oversized: { status: 502, code: "upstream_oversized" },
  busy: { status: 503, code: "upstream_busy" },
  digest: { status: 502, code: "digest_mismatch" },
};

export const NOT_FOUND: Problem = {
  status: 404,
  code: "not_found",
  message: "There is nothing at this address.",
};

export const READ_ONLY: Problem = {
  status: 405,
  code: "read_only",
  message: "This proxy is read-only: publish, change and sign in at the registry itself.",
  headers: { allow: "GET, HEAD" },
};

/** A request that cannot be served as it was sent. */
export class RequestError extends Error {
  override readonly name = "RequestError";

  constructor(readonly problem: Problem, options?: ErrorOptions) {
    super(problem.message, options);
  }
}

/** What a thrown value means to a client. */
export function problemOf(error: unknown): Problem {
  if (error instanceof IdentityError) {
    const { status, code, message, headers } = error;
    return { status, code, message, headers };
  }
  if (error instanceof RequestError) return error.problem;
  if (error instanceof UpstreamError) return upstreamProblem(error);
  if (error instanceof InvalidMetadata) {
    return { status: 502, code: "metadata_invalid", message: `${error.message}.` };
  }
  if (error instanceof PolicyUnreadable) {
    return {
      status: 503,
      code: "policy_unreadable",
      message: "The policy cannot be read, so nothing is let through.",
    };
  }
  if (error instanceof StoreUnavailable) {
    return {
      status: 503,
      code: "store_unavailable",
      message: "The proxy's database does not answer, so nothing is let through.",
      headers: { "retry-after": "5" },
    };
  }
  if (error instanceof IssuerUnavailable) {
    return {
      status: 503,
      code: "issuer_unavailable",
      message: "The issuer of this identity token does not answer, so it cannot be checked.",
      headers: { "retry-after": "10" },
    };
  }
  return { status: 500, code: "internal", message: "Something went wrong in the proxy." };
}

/** What a thrown value means to the operator: its cause, and where it came from if nobody meant it. */
export function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  const stack = error.constructor === Error || error instanceof TypeError ? ` ${error.stack}` : "";
  return `${error.name}: ${error.message}${cause}${stack}`;
}

function upstreamProblem(error: UpstreamError): Problem {
  const { fault, message, options } = error;
  const retry = options.retryAfter;
  const headers = retry !== undefined && /^[\w ,:]{1,40}$/.test(retry)
    ? { "retry-after": retry }
    : undefined;
  if (fault !== "status") return { ...UPSTREAM[fault], message: `${message}.`, headers };
  const upstream = options.status ?? 502;
  if (upstream === 429 || upstream === 503) {
    return { status: 503, code: "upstream_busy", message: `${message}.`, headers };
  }
  if (upstream === 401 || upstream === 403 || upstream === 451) {
    return { status: upstream, code: "upstream_denied", message: `${message}; not this proxy.` };
  }
  return { status: 502, code: "upstream_status", message: `${message}.` };
}

/** The answer, as JSON under `error` for clients that look there, else as text. */
export function respond(problem: Problem, { json }: { json: boolean }): Response {
  const { status, code } = problem;
  // It may repeat what was sent, and is printed to terminals.
  const message = visible(problem.message);
  const headers = new Headers(problem.headers);
  headers.set("cache-control", "no-store");
  headers.set("content-type", json ? "application/json" : "text/plain; charset=utf-8");
  headers.set("x-content-type-options", "nosniff");
  const body = json ? JSON.stringify({ error: message, code }) : `${message}\n`;
  return new Response(body, { status, headers });
}

/** The answer as RFC 9457 has it, for programs. */
export function respondProblem(problem: Problem): Response {
  const { status, code } = problem;
  const message = visible(problem.message);
  const headers = new Headers(problem.headers);
  headers.set("cache-control", "no-store");
  headers.set("content-type", "application/problem+json");
  headers.set("x-content-type-options", "nosniff");
  const type = `urn:package-proxy:problem:${code}`;
  return new Response(JSON.stringify({ type, title: message, status, detail: message }), {
    status,
    headers,
  });
}
