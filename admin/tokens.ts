/** `/tokens`: who may use an org's registry and policy. */
import * as v from "valibot";
import { parseDuration, parseInstant } from "../policy/duration.ts";
import { PolicyInvalid } from "../policy/store/errors.ts";
import { JSON_TYPES, readJson } from "./body.ts";
import { type Context, type Endpoint, json, noContent, withQuery } from "./endpoint.ts";
import { parseBody } from "./forms.ts";
import { cursorParameter, limitParameter } from "./parameters.ts";
import { Problem } from "./problem.ts";
import { createdToken, listedToken, listOf, newToken } from "./schemas.ts";

const PATH = "/admin/v1/orgs/{org}/tokens";
/** Beyond what Date.toISOString writes with four digits, nothing sorts or reads as expected. */
const LATEST = Date.UTC(9999, 11, 31);

export const TOKEN_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: PATH,
    id: "listTokens",
    summary: "An org's tokens without their secrets, newest first",
    access: "viewer",
    answers: { 200: { description: "A page", schema: listOf(listedToken) } },
    ...withQuery(
      v.object({ limit: limitParameter(100), cursor: cursorParameter }),
      async ({ deps, org }, { limit = 100, cursor }) =>
        json(await deps.tokens.list(org, { limit, cursor })),
    ),
  },
  {
    method: "POST",
    path: PATH,
    id: "createToken",
    summary: "Make a token; the secret is in this answer and nowhere else",
    access: "editor",
    body: { description: "Whose it is and what it may do", schema: newToken, types: JSON_TYPES },
    answers: {
      201: {
        description: "The token with its secret",
        schema: createdToken,
        headers: { "Location": "Its address" },
      },
    },
    faults: [413, 415, 422],
    handle: create,
  },
  {
    method: "DELETE",
    path: `${PATH}/{id}`,
    id: "removeToken",
    summary: "Revoke a token: at once in this process, within 5 s elsewhere",
    access: "editor",
    answers: { 204: { description: "Revoked" } },
    faults: [404],
    handle: remove,
  },
];

async function create({ deps, org, caller, request }: Context): Promise<Response> {
  const { user, role, expires } = parseBody(newToken, await readJson(request, JSON_TYPES));
  if (role === "admin" && caller.role !== "admin") {
    throw new Problem("forbidden", "Only an admin makes tokens of the role admin.");
  }
  const made = await deps.tokens.create({
    org,
    user,
    role,
    expires: expires == null ? null : readExpiry(expires, deps.now()),
    by: caller.user,
  });
  return json({ ...made.token, secret: made.secret }, {
    status: 201,
    headers: { "Location": `/admin/v1/orgs/${org}/tokens/${made.token.id}` },
  });
}

function readExpiry(text: string, now: number): string {
  const fault = (detail: string) => new PolicyInvalid([{ pointer: "/expires", detail }]);
  for (const read of [() => now + parseDuration(text), () => parseInstant(text)]) {
    let instant: number;
    try {
      instant = read();
    } catch {
      continue; // the other form may fit
    }
    if (instant <= now) throw fault("is not in the future");
    if (instant > LATEST) throw fault("is too far in the future");
    return new Date(instant).toISOString();
  }
  throw fault('expected a date, a date-time with offset, or an age such as "90d"');
}

async function remove({ deps, org, id, caller }: Context): Promise<Response> {
  const token = await deps.tokens.get(org, id);
  if (token?.role === "admin" && caller.role !== "admin") {
    throw new Problem("forbidden", "Only an admin revokes tokens of the role admin.");
  }
  if (await deps.tokens.remove(org, id, { by: caller.user })) return noContent();
  throw new Problem("not_found", "The org has no such token.");
}
