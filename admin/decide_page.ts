/** What an approver sees of a request for an exception. */
import { html } from "@hono/hono/html";
import type { ExceptionRequest } from "../policy/store/request.ts";
import type { Session } from "../policy/store/sessions.ts";
import type { FormUse } from "./endpoint.ts";
import { withFormToken } from "./forms.ts";
import { page } from "./page.ts";
import { problemResponse } from "./problem.ts";

export interface Approver {
  /** null: they give a token. */
  readonly session: Session | null;
  /** Where they can sign in instead; null: nowhere. */
  readonly signIn: string | null;
}

/** The facts, and a form that posts to the very address of the page. */
export function requestPage(request: ExceptionRequest, approver: Approver): Promise<Response> {
  return page({
    title: `Exception for ${request.purl}`,
    body: html`
      <h1>Let ${request.purl} through?</h1>
      ${facts(request)}
      <form method="post">
        ${credentials(approver)}
        <label for="days">Days it lasts <small>the policy's usual time if left empty</small></label>
        <input id="days" name="days" type="number" min="1" step="1">
        <label for="comment">Comment <small>for whoever asked</small></label>
        <textarea id="comment" name="comment" rows="2" maxlength="500"></textarea>
        <button name="decision" value="approve">Approve</button>
        <button name="decision" value="deny">Deny</button>
      </form>
    `,
  });
}

function credentials({ session, signIn }: Approver) {
  if (session !== null) {
    return html`
      <p>You are signed in as ${session.user}.</p>
      <input type="hidden" name="csrf" value="${session.csrf}">
    `;
  }
  const instead = signIn === null ? "" : html`, or <a href="${signIn}">sign in</a>`;
  return html`
    <label for="token">Your token <small>of the role editor${instead}</small></label>
    <input id="token" name="token" type="password" autocomplete="off">
  `;
}

export function decidedPage(request: ExceptionRequest): Promise<Response> {
  const until = request.decided?.until ?? null;
  return page({
    title: `${request.purl}: ${request.status}`,
    body: html`
      <h1>${request.purl}: ${request.status}</h1>
      ${until === null ? "" : html`<p>It is let through until ${until}.</p>`}
      ${facts(request)}
    `,
  });
}

function facts(request: ExceptionRequest) {
  const { user, authenticated, rules, message, reason, ticket, at, expires, org } = request;
  const name = user === "" ? "somebody without a name" : user;
  const rows: [string, string][] = [
    ["Asked by", authenticated ? name : `${name}, not proven by a token`],
    ["Org", org],
    ["Withheld by", `${rules.join(", ")}: ${message}`],
    ["Reason", reason],
    ["Ticket", ticket ?? "none"],
    ["Asked at", at],
    ["Open until", expires],
  ];
  return html`
    <table>
      ${rows.map(([name, value]) =>
        html`
          <tr>
            <th>${name}</th>
            <td>${value}</td>
          </tr>
        `
      )}
    </table>
  `;
}

export const decisionForm: FormUse = {
  read: withFormToken,
  async failed(problem) {
    // The status and the headers of the API's answer, in words for people.
    const { status, headers } = problemResponse(problem);
    const challenge = headers.get("www-authenticate");
    const faults = (problem.extra.errors ?? []).map(({ pointer, detail }) =>
      html`<li>${
        pointer === "" ? "" : html`
          <code>${pointer.slice(1)}</code>:
        `
      }${detail}</li>`
    );
    return await page({
      title: problem.title,
      body: html`
        <h1>${problem.title}</h1>
        <p class="notice">${problem.message}</p>
        ${faults.length === 0 ? "" : html`<ul>${faults}</ul>`}
      `,
    }, { status, headers: challenge === null ? {} : { "WWW-Authenticate": challenge } });
  },
};
