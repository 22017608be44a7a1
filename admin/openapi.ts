/** OpenAPI 3.1 of the API, from the endpoints and the schemas that validate. */
import { toJsonSchema, toJsonSchemaDefs } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { ORG_NAME } from "../policy/names.ts";
import type { Answer, Endpoint } from "./endpoint.ts";
import * as schemas from "./schemas.ts";
import { SESSION_COOKIE } from "./sign_in/cookies.ts";
import type { PolicySchemas } from "./schemas.ts";
import { simulation } from "./simulation_summary.ts";

type Json = Record<string, unknown>;

/** Whoever may call a route can meet these, */
const ALWAYS = [400, 401, 403, 500, 503] as const;
/** those who are stopped at the door this one, */
const AT_THE_DOOR = 429;
/** and who sends a body this one. */
const WITH_BODY = 408;

/** @param signIn whether people can sign in, besides tokens */
export function describe(
  endpoints: readonly Endpoint[],
  policySchemas: PolicySchemas,
  { signIn }: { signIn: boolean },
): Json {
  const definitions = {
    Policy: policySchemas.document,
    PolicyRevision: policySchemas.revision,
    NewBlockEntry: policySchemas.blockEntry,
    BlockEntry: schemas.storedBlockEntry,
    NewException: policySchemas.exception,
    Exception: schemas.storedException,
    Org: schemas.orgRow,
    Token: schemas.listedToken,
    NewToken: schemas.newToken,
    CreatedToken: schemas.createdToken,
    Record: schemas.record,
    Package: schemas.packageRow,
    User: schemas.userRow,
    Stats: schemas.stats,
    AuditEntry: schemas.auditEntry,
    Bom: schemas.bom,
    Alert: schemas.alert,
    Acknowledgement: schemas.acknowledgement,
    Simulation: simulation,
    Problem: schemas.problem,
  };
  const config = {
    target: "draft-2020-12",
    typeMode: "output",
    // Checks such as "is a range" have no counterpart in JSON Schema.
    errorMode: "ignore",
    overrideRef: ({ referenceId }: { referenceId: string }) =>
      `#/components/schemas/${referenceId}`,
  } as const;
  const inline = (schema: v.GenericSchema): Json => {
    const { $schema: _dialect, $defs: _elsewhere, ...rest } = toJsonSchema(schema, {
      ...config,
      definitions,
    });
    return rest;
  };
  const paths: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] ??= {};
    paths[endpoint.path][endpoint.method.toLowerCase()] = operation(endpoint, inline);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Package Proxy administration",
      version: "1",
      description: "Policies, tokens and the history of installs, per org. " +
        "Errors are problem documents (RFC 9457).",
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: optionalWhereDefault(toJsonSchemaDefs(definitions, config)),
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "A token of this proxy" },
        ...(signIn ? { session: SESSION_SCHEME } : {}),
      },
    },
    security: [{ token: [] }, ...(signIn ? [{ session: [] }] : [])],
  };
}

const SESSION_SCHEME = {
  type: "apiKey",
  in: "cookie",
  name: SESSION_COOKIE,
  description: "Set by signing in at /admin/sign-in. What changes something also takes the " +
    "session's csrf (`GET /admin/v1/sessions`) as X-CSRF-Token, and has to come from this origin",
};

function operation(endpoint: Endpoint, inline: (schema: v.GenericSchema) => Json): Json {
  const { id, summary, access, body, answers, faults = [] } = endpoint;
  const responses: Record<string, Json> = {};
  for (const [status, answer] of Object.entries(answers)) {
    responses[status] = response(answer, inline);
  }
  const met = access === "public" ? faults : [...ALWAYS, ...faults];
  for (const status of [...met, AT_THE_DOOR, ...(body ? [WITH_BODY] : [])]) {
    responses[status] = fault(status, inline);
  }
  return {
    operationId: id,
    summary,
    ...(access === "public" ? { security: [] } : { description: permission(endpoint) }),
    parameters: parameters(endpoint, inline),
    ...(body
      ? {
        requestBody: {
          required: true,
          description: body.description,
          content: contentOf(body.types, inline(body.schema)),
        },
      }
      : {}),
    responses,
  };
}

function permission({ access }: Endpoint): string {
  return access === "any"
    ? "For every role but `client`."
    : `For the role \`${access}\` and above.`;
}

function parameters(
  { path, query, headers = {} }: Endpoint,
  inline: (schema: v.GenericSchema) => Json,
): Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: name === "org" ? { type: "string", pattern: ORG_NAME } : { type: "string" },
  }));
  const inQuery = Object.entries(query?.entries ?? {}).map(([name, { wrapped }]) => {
    const { description, ...schema } = inline(wrapped);
    return { name, in: "query", description, schema };
  });
  const inHeaders = Object.entries(headers).map(([name, description]) => (
    { name, in: "header", description, schema: { type: "string" } }
  ));
  return [...inPath, ...inQuery, ...inHeaders];
}

function response(
  { description, schema, types = ["application/json"], headers = {} }: Answer,
  inline: (schema: v.GenericSchema) => Json,
): Json {
  const described = Object.entries(headers).map(([name, description]) =>
    [name, { description, schema: { type: "string" } }] as const
  );
  return {
    description,
    ...(described.length > 0 ? { headers: Object.fromEntries(described) } : {}),
    ...(schema ? { content: contentOf(types, inline(schema)) } : {}),
  };
}

function contentOf(types: readonly string[], schema: Json): Json {
  return Object.fromEntries(types.map((type) => [
    type,
    { schema: type.endsWith("json") ? schema : { type: "string" } },
  ]));
}

function fault(status: number, inline: (schema: v.GenericSchema) => Json): Json {
  return {
    description: FAULTS[status] ?? "Refused",
    content: { "application/problem+json": { schema: inline(schemas.problem) } },
  };
}

const FAULTS: Readonly<Record<number, string>> = {
  400: "A name, parameter, cursor or body that cannot be read",
  401: "No valid token",
  403: "The token may not do that",
  404: "There is no such thing",
  408: "The body does not come in time",
  410: "It is over: expired, or done before",
  412: "If-Match or If-None-Match does not hold",
  413: "The body is too large",
  415: "The body's media type is not accepted",
  422: "The document is not accepted; `errors` names each fault by JSON Pointer",
  429: "Too many requests; Retry-After says when to try again",
  500: "The proxy failed",
  503: "The store does not answer",
};

/** What has a default is filled in on the way in, so it need not be given. */
function optionalWhereDefault<T>(schema: T): T {
  return walk(schema) as T;
}

function walk(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(walk);
  if (typeof node !== "object" || node === null) return node;
  const copy = new Map(Object.entries(node).map(([key, value]) => [key, walk(value)]));
  const properties = copy.get("properties");
  const required = copy.get("required");
  if (Array.isArray(required) && typeof properties === "object" && properties !== null) {
    const members = new Map<string, unknown>(Object.entries(properties));
    const kept = required.filter((name) => !hasDefault(members.get(name)));
    if (kept.length > 0) copy.set("required", kept);
    else copy.delete("required");
  }
  return Object.fromEntries(copy);
}

function hasDefault(schema: unknown): boolean {
  return typeof schema === "object" && schema !== null && "default" in schema;
}
