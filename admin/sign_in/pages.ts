/** `/admin/`, and the ways in and out. */
import type { Hono } from "@hono/hono";
import { html } from "@hono/hono/html";
import type { Session } from "../../policy/store/sessions.ts";
import { checkCsrf, checkOrigin } from "../csrf.ts";
import { withFormToken } from "../forms.ts";
import { page } from "../page.ts";
import { problemResponse, toProblem } from "../problem.ts";
import { ATTEMPT_COOKIE, dropCookie } from "./cookies.ts";
import { CALLBACK, SIGN_IN, SIGN_OUT, type SignIn, SignInRefused } from "./mod.ts";
import { HOME } from "./return_path.ts";

/** Adds the pages to the app. @param report told of what is answered with a 5xx */
export function addPages(
  app: Hono,
  { signIn, report }: { signIn: SignIn | null; report: (error: unknown) => void },
): void {
  if (signIn === null) {
    app.get(HOME, () => tokensAlone());
    return;
  }
  const serve =
    (work: (request: Request) => Promise<Response>) => async (c: { req: { raw: Request } }) => {
      try {
        return await work(c.req.raw);
      } catch (error) {
        return await failed(error, { base: signIn.base(c.req.raw), report });
      }
    };
  app.get(HOME, serve(async (request) => await home(signIn, request)));
  app.get(SIGN_IN, serve((request) => signIn.begin(request)));
  app.get(CALLBACK, serve((request) => signIn.finish(request)));
  app.post(
    SIGN_OUT,
    serve(async (sent) => {
      const request = await withFormToken(sent);
      const session = await signIn.sessionOf(request);
      const { origin } = new URL(signIn.base(request));
      // Without its cookie too: the answer takes it away, wherever the request came from.
      checkOrigin(request.headers, origin);
      if (session !== null) checkCsrf(request, { session, origin });
      return await signIn.end(request, session);
    }),
  );
}

async function home(signIn: SignIn, request: Request): Promise<Response> {
  const base = signIn.base(request);
  const session = await signIn.sessionOf(request);
  return session === null ? signedOut(signIn, base) : signedIn(session, base);
}

function signedOut({ provider }: SignIn, base: string): Promise<Response> {
  return page({
    title: "Package Proxy",
    body: html`
      <h1>Package Proxy</h1>
      <p>Nobody is signed in here.</p>
      <p><a href="${base}${SIGN_IN}">Sign in with ${provider}</a></p>
      <p>Programs use tokens: <a href="${base}/admin/openapi.json">the API</a>.</p>
    `,
  });
}

function tokensAlone(): Promise<Response> {
  return page({
    title: "Package Proxy",
    body: html`
      <h1>Package Proxy</h1>
      <p>This proxy is administered with tokens: <a href="openapi.json">the API</a>.</p>
    `,
  });
}

function signedIn({ user, grants, csrf, expires }: Session, base: string): Promise<Response> {
  const rows = grants.map(({ org, role }) =>
    html`
      <tr>
        <td>${org === "*" ? "every org" : org}</td>
        <td>${role}</td>
        <td>${org === "*" ? "" : links(`${base}/admin/v1/orgs/${org}`)}</td>
      </tr>
    `
  );
  return page({
    title: "Package Proxy",
    body: html`
      <h1>Package Proxy</h1>
      <p>Signed in as <strong>${user}</strong> until ${expires}.</p>
      <table>
        <tr><th>Org</th><th>Role</th><th></th></tr>
        ${rows}
      </table>
      <p>
        <a href="${base}/admin/v1/orgs">Orgs</a> ·
        <a href="${base}/admin/v1/sessions">Your sessions</a> ·
        <a href="${base}/admin/openapi.json">The API</a>
      </p>
      <form method="post" action="${base}${SIGN_OUT}">
        <input type="hidden" name="csrf" value="${csrf}">
        <button>Sign out</button>
      </form>
    `,
  });
}

const LISTS = ["policy", "installs", "refusals", "requests", "alerts", "tokens", "audit"];

function links(org: string) {
  return LISTS.map((list) =>
    html`
      <a href="${org}/${list}">${list}</a>
    `
  );
}

/** What a person sees where a page fails; an attempt that failed is over. */
async function failed(
  error: unknown,
  { base, report }: { base: string; report: (error: unknown) => void },
): Promise<Response> {
  const problem = toProblem(error);
  const status = error instanceof SignInRefused ? 403 : problemResponse(problem).status;
  if (status >= 500) report(error);
  const message = error instanceof SignInRefused ? error.message : problem.message;
  return await page({
    title: "That did not work",
    body: html`
      <h1>That did not work</h1>
      <p class="notice">${message}</p>
      <p><a href="${base}${HOME}">Begin again</a></p>
    `,
  }, { status, headers: { "Set-Cookie": dropCookie(ATTEMPT_COOKIE) } });
}
