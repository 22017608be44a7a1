/** `/break-glass`: one release for one hour, at once, and everybody hears of it. */
import * as v from "valibot";
import { entryId } from "../policy/entry.ts";
import { strict } from "../policy/shape.ts";
import { JSON_TYPES, readJson } from "./body.ts";
import { type Context, type Endpoint, json } from "./endpoint.ts";
import { parseBody } from "./forms.ts";
import { storedException } from "./schemas.ts";

const glass = strict({
  purl: v.pipe(
    v.string("expected a package URL with a version"),
    v.maxLength(1_000, "longer than 1000 characters"),
    v.description("Of exactly one release: `pkg:npm/axios@1.14.0`"),
  ),
  reason: v.pipe(
    v.string("expected a text"),
    v.check((text) => text.trim() !== "", "is empty"),
    v.maxLength(500, "longer than 500 characters"),
    v.description("For the audit log, and for those who are told"),
  ),
});

export const BREAK_GLASS_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/admin/v1/orgs/{org}/break-glass",
    id: "breakGlass",
    summary: "Let one release through for exactly one hour, whatever waivable rules say but " +
      "`namespace`; the webhooks are told",
    access: "editor",
    body: { description: "Which release, and why", schema: glass, types: JSON_TYPES },
    answers: {
      201: {
        description: "The exception that was added to the policy",
        schema: storedException,
        headers: { "Location": "Its address" },
      },
    },
    faults: [413, 415, 422],
    handle,
  },
];

async function handle({ deps, org, caller, request }: Context): Promise<Response> {
  const { purl, reason } = parseBody(glass, await readJson(request, JSON_TYPES));
  const exception = await deps.exceptions.breakGlass(org, { purl, reason, by: caller.user });
  const id = entryId(exception);
  return json({ id, ...exception }, {
    status: 201,
    headers: { "Location": `/admin/v1/orgs/${org}/exceptions/${id}` },
  });
}
