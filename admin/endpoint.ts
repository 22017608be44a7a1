/** What a route of the API is: one value from which both routing and its description are made. */
import * as v from "valibot";
import type { Exceptions } from "../policy/store/exceptions.ts";
import type { Requests } from "../policy/store/request.ts";
import type { Alerts } from "../policy/store/alerts.ts";
import type { Audit, Policies, Records, Tokens } from "../policy/store/types.ts";
import type { Role, VersionSchemes } from "../policy/types.ts";
import { Problem } from "./problem.ts";
import type { Caller } from "./caller.ts";
import type { SignIn } from "./sign_in/mod.ts";
import type { PackageReader } from "./simulation.ts";

export interface AdminDeps {
  readonly policies: Policies;
  readonly tokens: Tokens;
  readonly records: Records;
  readonly audit: Audit;
  readonly alerts: Alerts;
  readonly packages: PackageReader;
  readonly requests: Requests;
  readonly exceptions: Exceptions;
  /** Absent or null: people use tokens, as programs do. */
  readonly signIn?: SignIn | null;
  readonly schemes: VersionSchemes;
  /** Unix ms. */
  readonly now: () => number;
  /** Told of every failure that is answered with a 5xx. */
  readonly report?: (error: unknown) => void;
}

/** `public`: no token; `any`: any role but `client`, whatever its org. */
export type Access = "public" | "any" | Exclude<Role, "client">;

export interface Context {
  readonly deps: AdminDeps;
  readonly request: Request;
  readonly url: URL;
  /** Checked to be a name; `""` on routes without `{org}`. */
  readonly org: string;
  /** `""` on routes without `{id}`. */
  readonly id: string;
  readonly caller: Caller;
}

export interface Answer {
  readonly description: string;
  /** Absent: no body. */
  readonly schema?: v.GenericSchema;
  /** Media types; JSON unless said otherwise. */
  readonly types?: readonly string[];
  readonly headers?: Record<string, string>;
}

export interface Body {
  readonly description: string;
  readonly schema: v.GenericSchema;
  readonly types: readonly string[];
}

/** How a form at a browser uses a route. */
export interface FormUse {
  /** The request as a program would have sent it, its credentials among the headers. */
  readonly read: (request: Request) => Promise<Request>;
  /** A failure as a page. */
  readonly failed: (problem: Problem) => Promise<Response>;
}

export interface Endpoint {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** As OpenAPI writes it: `/admin/v1/orgs/{org}/policy`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly access: Access;
  readonly query?: QuerySchema;
  /** Request headers beside Authorization, with what they do. */
  readonly headers?: Record<string, string>;
  readonly body?: Body;
  /** By status; the error answers come from `faults`. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Absent: the route is for programs alone. */
  readonly form?: FormUse;
  /** Statuses of problem documents beside those every route has. */
  readonly faults?: readonly number[];
  readonly handle: (context: Context) => Response | Promise<Response>;
}

/** Each parameter is a text on the way in; all are optional. */
export type QuerySchema = v.ObjectSchema<
  Record<string, v.OptionalSchema<v.GenericSchema<string, unknown>, undefined>>,
  undefined
>;

/** Ties a handler to the query schema that its route declares. */
export function withQuery<const Q extends QuerySchema>(
  query: Q,
  handle: (context: Context, query: v.InferOutput<Q>) => Response | Promise<Response>,
): { query: Q; handle: Endpoint["handle"] } {
  return { query, handle: (context) => handle(context, readQuery(query, context.url)) };
}

function readQuery<const Q extends QuerySchema>(schema: Q, url: URL): v.InferOutput<Q> {
  const given = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (given.has(name)) throw new Problem("query_invalid", `"${name}" is given twice.`);
    // A misspelt filter that is ignored would answer another question than was asked.
    if (!Object.hasOwn(schema.entries, name)) {
      const known = Object.keys(schema.entries).join(", ");
      throw new Problem("query_invalid", `There is no "${name}" here; there are ${known}.`);
    }
    given.set(name, value);
  }
  const parsed = v.safeParse(schema, Object.fromEntries(given));
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  throw new Problem("query_invalid", `"${v.getDotPath(issue)}": ${issue.message}.`);
}

export function json(
  body: unknown,
  init: { status?: number; headers?: Record<string, string> } = {},
) {
  return new Response(JSON.stringify(body), {
    status: init.status ?? 200,
    headers: {
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...init.headers,
    },
  });
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: { "Cache-Control": "no-store" } });
}
