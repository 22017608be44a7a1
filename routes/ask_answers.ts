/** What whoever asks for an exception is told: at a browser, at a terminal, in a program. */
import { html } from "@hono/hono/html";
import type { ExceptionRequest } from "../policy/store/request.ts";
import { type Problem, respond } from "./errors.ts";
import { EXPLANATION_TYPES, requestLine, requestState } from "./explanation.ts";
import { page } from "./page.ts";
import { preferredType } from "./prefers.ts";

/** @param look where the request's state can be seen */
export async function answerAsked(
  request: Request,
  made: ExceptionRequest,
  { status, look }: { status: 200 | 201; look: string },
): Promise<Response> {
  const headers = {
    "cache-control": "no-store",
    "vary": "Accept, Authorization",
    "x-content-type-options": "nosniff",
  };
  const { purl, org, rules } = made;
  const type = typeOf(request);
  if (type === "application/json") {
    return Response.json({ ...requestState(made), purl, org, rules, look }, { status, headers });
  }
  if (type === "text/html") {
    return await page({
      title: `Asked: ${purl}`,
      body: html`
        <h1>${purl}</h1>
        <p class="notice">${requestLine(made)}</p>
        <p>Its number is <code>${made.id}</code>. <a href="${look}">See what becomes of it</a>.</p>
      `,
    }, { status, headers });
  }
  const text = `${requestLine(made)}\n${purl} for the org "${org}" (${rules.join(", ")}), ` +
    `request ${made.id}. See ${look}\n`;
  return new Response(text, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
}

export async function answerFailed(request: Request, problem: Problem): Promise<Response> {
  const type = typeOf(request);
  if (type !== "text/html") return respond(problem, { json: type === "application/json" });
  return await page({
    title: "Not asked",
    body: html`
      <h1>Not asked</h1>
      <p class="notice">${problem.message}</p>
    `,
  }, { status: problem.status, headers: { ...problem.headers } });
}

function typeOf(request: Request) {
  return preferredType(request.headers.get("accept"), EXPLANATION_TYPES, "text/plain");
}
