/** `/policy`: one document per org, and its revisions. */
import * as v from "valibot";
import { parsePolicy } from "../policy/schema.ts";
import { PolicyUnreadable, PreconditionFailed } from "../policy/store/errors.ts";
import type { Change, PolicyRevision } from "../policy/store/types.ts";
import {
  concealedWebhook,
  hasInherited,
  inheritedWebhook,
  mapWebhooks,
  withInherited,
} from "../policy/webhooks.ts";
import { JSON_TYPES, PATCH_TYPES, readJson } from "./body.ts";
import { type AdminDeps, type Context, type Endpoint, json, noContent } from "./endpoint.ts";
import { withQuery } from "./endpoint.ts";
import { readTags } from "./etags.ts";
import { mergePatch } from "./merge_patch.ts";
import { cursorParameter, limitParameter } from "./parameters.ts";
import { Problem } from "./problem.ts";
import { listOf, type PolicySchemas } from "./schemas.ts";

const PATH = "/admin/v1/orgs/{org}/policy";
/** Documents are up to 5 MB each. */
const HISTORY_LIMIT = 20;
const HISTORY_MOST = 100;

const CONDITIONS = {
  "If-Match": "The revision (ETag) that must be current, or `*`; 412 otherwise",
  "If-None-Match": "`*`: only if the org has no policy of its own yet; 412 otherwise",
};
const HEADERS = {
  "ETag": "The revision, for If-Match",
  "Policy-Source": "`own`, `default` (the org `default`'s) or `builtin`",
};

export function policyEndpoints(schemas: PolicySchemas): Endpoint[] {
  const policy = { schema: schemas.document, headers: HEADERS };
  return [
    {
      method: "GET",
      path: PATH,
      id: "readPolicy",
      summary: "The policy an org lives under",
      access: "viewer",
      headers: { "If-None-Match": "304 where the revision is still this one" },
      answers: {
        200: { description: "The complete document", ...policy },
        304: { description: "Unchanged" },
      },
      handle: read,
    },
    {
      method: "PUT",
      path: PATH,
      id: "replacePolicy",
      summary: "Replace an org's policy as a whole, or not at all",
      access: "editor",
      headers: CONDITIONS,
      body: {
        description: "A policy document, or thinkst/package-proxy's configuration document",
        schema: schemas.document,
        types: JSON_TYPES,
      },
      answers: {
        200: { description: "Replaced; the complete document", ...policy },
        201: { description: "The org's first own policy", ...policy },
      },
      faults: [412, 413, 415, 422],
      handle: replace,
    },
    {
      method: "PATCH",
      path: PATH,
      id: "changePolicy",
      summary: "Change members of an org's policy (JSON Merge Patch, RFC 7396)",
      access: "editor",
      headers: CONDITIONS,
      body: {
        description: "Members to set; null takes one back to its default",
        schema: v.looseObject({}),
        types: PATCH_TYPES,
      },
      answers: { 200: { description: "Changed; the complete document", ...policy } },
      faults: [412, 413, 415, 422],
      handle: patch,
    },
    {
      method: "DELETE",
      path: PATH,
      id: "removePolicy",
      summary: "Back to the policy of the org `default`",
      access: "editor",
      headers: { "If-Match": CONDITIONS["If-Match"] },
      answers: { 204: { description: "Removed" } },
      faults: [404, 412],
      handle: remove,
    },
    {
      method: "GET",
      path: `${PATH}/history`,
      id: "listPolicyRevisions",
      summary: "Every revision, newest first: when, by whom, the document",
      access: "viewer",
      answers: { 200: { description: "A page", schema: listOf(schemas.revision) } },
      ...withQuery(
        v.object({ limit: limitParameter(HISTORY_LIMIT, HISTORY_MOST), cursor: cursorParameter }),
        async (context, { limit = HISTORY_LIMIT, cursor }) => {
          const page = await context.deps.policies.history(context.org, { limit, cursor });
          const items = page.items.map(({ revision, at, by, bytes, document }) => ({
            revision,
            at,
            by,
            bytes,
            document: visible(document, context),
          }));
          return json({ items, cursor: page.cursor });
        },
      ),
    },
  ];
}

export interface EffectivePolicy {
  readonly document: unknown;
  /** Entity tag without quotes. Not a revision unless the policy is the org's own. */
  readonly tag: string;
  readonly source: "own" | "default" | "builtin";
  /** That it still is this one, as a change demands it. */
  readonly unchanged: Pick<Change, "ifMatch" | "ifDefault">;
}

/** The document an org lives under: its own, else that of `default`, else the built-in one. */
export async function effectivePolicy(deps: AdminDeps, org: string): Promise<EffectivePolicy> {
  const own = await deps.policies.read(org);
  if (own) {
    const { document, revision } = own;
    return { document, tag: revision, source: "own", unchanged: { ifMatch: revision } };
  }
  const inherited = org === "default" ? null : await deps.policies.read("default");
  if (inherited) {
    const tag = `default-${inherited.revision}`;
    const document = mapWebhooks(inherited.document, inheritedWebhook);
    const unchanged = { ifMatch: null, ifDefault: inherited.revision };
    return { document, tag, source: "default", unchanged };
  }
  const unchanged = { ifMatch: null, ...(org === "default" ? {} : { ifDefault: null }) };
  return { document: parsePolicy({}, deps.schemes), tag: "builtin", source: "builtin", unchanged };
}

/** What the request's conditions ask of the change. Throws PreconditionFailed. */
export async function changeOf({ deps, org, caller, request }: Context): Promise<Change> {
  const by = caller.user;
  const wanted = readTags(request.headers.get("if-match"));
  const unwanted = readTags(request.headers.get("if-none-match"));
  if (wanted === null && unwanted === null) return { by };
  if (wanted === "*") return { by, ifMatch: "*" };
  if (wanted === null && unwanted === "*") return { by, ifMatch: null };
  const { source, tag, unchanged } = await effectivePolicy(deps, org);
  const hit = unwanted === "*" ? source === "own" : unwanted?.includes(tag) ?? false;
  if (hit || wanted?.includes(tag) === false) throw new PreconditionFailed();
  return { by, ...unchanged };
}

/**
 * Webhooks' secrets, and the paths of their addresses, are for those who may set
 * them: of another org's, for admins alone.
 */
function visible(document: unknown, { caller }: Context): unknown {
  if (caller.role === "admin") return document;
  return mapWebhooks(
    document,
    (webhook) =>
      caller.role === "viewer" || webhook.inherited ? concealedWebhook(webhook) : webhook,
  );
}

async function read(context: Context): Promise<Response> {
  const policy = await effectivePolicy(context.deps, context.org);
  const headers = { "ETag": `"${policy.tag}"`, "Policy-Source": policy.source };
  const known = readTags(context.request.headers.get("if-none-match"));
  if (known === "*" || known?.includes(policy.tag)) {
    return new Response(null, { status: 304, headers });
  }
  return json(visible(policy.document, context), { headers });
}

async function replace(context: Context): Promise<Response> {
  const { deps, org, request } = context;
  const document = await readJson(request, JSON_TYPES);
  const change = await changeOf(context);
  const first = !(await hasOwn(deps, org));
  // One that cannot be read is to be mended by this, so it is read only where it has to be.
  const whole = hasInherited(document)
    ? withInherited(document, (await effectivePolicy(deps, org)).document)
    : document;
  return changed(context, await deps.policies.replace(org, whole, change), first ? 201 : 200);
}

/** A stored policy that cannot be read is there all the same: replacing it is how it is mended. */
async function hasOwn({ policies }: AdminDeps, org: string): Promise<boolean> {
  try {
    return await policies.has(org);
  } catch (error) {
    if (error instanceof PolicyUnreadable) return true;
    throw error;
  }
}

async function patch(context: Context): Promise<Response> {
  const merge = await readJson(context.request, PATCH_TYPES);
  const change = await changeOf(context);
  const { policies } = context.deps;
  const revision = await policies.update(
    context.org,
    (document) => withInherited(mergePatch(document, merge), document),
    change,
  );
  return changed(context, revision, 200);
}

function changed(
  context: Context,
  { revision, document }: PolicyRevision,
  status: 200 | 201,
): Response {
  return json(visible(document, context), {
    status,
    headers: { "ETag": `"${revision}"`, "Policy-Source": "own" },
  });
}

async function remove(context: Context): Promise<Response> {
  const removed = await context.deps.policies.remove(context.org, await changeOf(context));
  if (removed) return noContent();
  throw new Problem("not_found", "The org has no policy of its own.");
}
