/** The admin API (`/admin/v1`, `/admin/openapi.json`): every route from one table. */
import { type Context as HonoContext, Hono, type MiddlewareHandler } from "@hono/hono";
import { isOrgName } from "../policy/names.ts";
import { ALERT_ENDPOINTS } from "./alerts.ts";
import { AUDIT_ENDPOINTS } from "./audit.ts";
import { admit } from "./caller.ts";
import { BREAK_GLASS_ENDPOINTS } from "./break_glass.ts";
import { type AdminDeps, type Endpoint, json } from "./endpoint.ts";
import { entryEndpoints } from "./entries.ts";
import { HISTORY_ENDPOINTS } from "./history.ts";
import { describe } from "./openapi.ts";
import { ORG_ENDPOINTS } from "./orgs.ts";
import { policyEndpoints } from "./policies.ts";
import { wantsPage } from "./page.ts";
import { Problem, problemResponse, toProblem } from "./problem.ts";
import { REQUEST_ENDPOINTS } from "./requests.ts";
import { SBOM_ENDPOINTS } from "./sbom.ts";
import { policySchemas } from "./schemas.ts";
import { SESSION_ENDPOINTS } from "./sessions.ts";
import { redirect } from "./sign_in/mod.ts";
import { addPages } from "./sign_in/pages.ts";
import { simulateEndpoints } from "./simulate.ts";
import { TOKEN_ENDPOINTS } from "./tokens.ts";

export type { AdminDeps } from "./endpoint.ts";
export { openSignIn } from "./sign_in/open.ts";

/** What every id of an org's things fits: keys of KV end somewhere. */
const ID = /^[\w-]{1,64}$/;

/**
 * The API as an app of its own. Its paths are whole (`/admin/v1/orgs`), so a
 * request is handed to `fetch` as it came; it answers every path, 404 included,
 * and throws nothing.
 */
export function createAdmin(deps: AdminDeps): Hono {
  const schemas = policySchemas(deps.schemes);
  const endpoints: readonly Endpoint[] = [
    ...ORG_ENDPOINTS,
    ...policyEndpoints(schemas),
    ...entryEndpoints(schemas),
    ...TOKEN_ENDPOINTS,
    ...HISTORY_ENDPOINTS,
    ...AUDIT_ENDPOINTS,
    ...ALERT_ENDPOINTS,
    ...simulateEndpoints(schemas),
    ...SBOM_ENDPOINTS,
    ...REQUEST_ENDPOINTS,
    ...BREAK_GLASS_ENDPOINTS,
    ...(deps.signIn ? SESSION_ENDPOINTS : []),
    {
      method: "GET",
      path: "/admin/openapi.json",
      id: "readOpenApi",
      summary: "This description",
      access: "public",
      answers: { 200: { description: "OpenAPI 3.1" } },
      handle: () => json(document ??= describe(endpoints, schemas, { signIn: !!deps.signIn })),
    },
  ];
  let document: Record<string, unknown> | undefined;

  const app = new Hono();
  app.use(sayLength);
  for (const endpoint of endpoints) {
    app.on(endpoint.method, route(endpoint.path), (c) => answer(endpoint, c, deps));
  }
  for (const [path, allow] of methods(endpoints)) {
    app.all(route(path), () => {
      throw new Problem("method_not_allowed", `Allowed here: ${allow}.`, {
        headers: { "Allow": allow },
      });
    });
  }
  addPages(app, { signIn: deps.signIn ?? null, report: (error) => deps.report?.(error) });
  app.notFound(() =>
    problemResponse(new Problem("not_found", "See /admin/openapi.json for what there is."))
  );
  app.onError((error) => problemResponse(reported(error, deps)));
  return app;
}

/** Hono answers HEAD with GET's headers and no body, whose length the runtime would say is 0. */
const sayLength: MiddlewareHandler = async (c, next) => {
  await next();
  if (c.req.raw.method !== "HEAD" || c.res.body === null) return;
  const { byteLength } = await c.res.clone().arrayBuffer();
  c.header("Content-Length", String(byteLength));
};

function reported(error: unknown, deps: AdminDeps): Problem {
  const problem = toProblem(error);
  if (problemResponse(problem).status >= 500) deps.report?.(error);
  return problem;
}

/**
 * People at browsers get a page where the route has one, also when something
 * fails; whoever has to be known first is sent to sign in.
 */
async function answer(endpoint: Endpoint, c: HonoContext, deps: AdminDeps): Promise<Response> {
  const request = c.req.raw;
  try {
    return await run(endpoint, c, deps);
  } catch (error) {
    if (!wantsPage(request)) throw error;
    const unknown = error instanceof Problem && error.code === "unauthorized";
    const bare = request.method === "GET" && !request.headers.has("authorization");
    if (deps.signIn && unknown && bare) return redirect(deps.signIn.linkTo(request));
    if (endpoint.form === undefined) throw error;
    return await endpoint.form.failed(reported(error, deps));
  }
}

async function run(endpoint: Endpoint, c: HonoContext, deps: AdminDeps): Promise<Response> {
  const org = c.req.param("org") ?? "";
  const request = await (endpoint.form?.read(c.req.raw) ?? c.req.raw);
  // Before the name is looked at, so that nobody without a token learns anything.
  const caller = await admit(request, {
    access: endpoint.access,
    org,
    tokens: deps.tokens,
    signIn: deps.signIn ?? null,
  });
  if (endpoint.path.includes("{org}") && !isOrgName(org)) {
    throw new Problem(
      "name_invalid",
      "Names are 1 to 63 of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit.",
    );
  }
  const id = c.req.param("id") ?? "";
  if (endpoint.path.includes("{id}") && !ID.test(id)) {
    throw new Problem("not_found", "There is nothing of such an id.");
  }
  return await endpoint.handle({ deps, request, url: new URL(request.url), org, id, caller });
}

function route(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

/** The Allow header of each path. */
function methods(endpoints: readonly Endpoint[]): Map<string, string> {
  const allowed = new Map<string, string[]>();
  for (const { method, path } of endpoints) {
    const list = allowed.get(path) ?? [];
    // Hono answers HEAD from GET.
    list.push(method, ...(method === "GET" ? ["HEAD"] : []));
    allowed.set(path, list);
  }
  return new Map([...allowed].map(([path, list]) => [path, list.join(", ")]));
}
