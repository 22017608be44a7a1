/** What `/why/` says of a package: to people, terminals and programs. */
import { html } from "@hono/hono/html";
import type { ExceptionRequest } from "../policy/store/request.ts";
import type { AdvisoryState, JudgedFinding, Verdict } from "../policy/types.ts";
import { visible } from "../policy/visible.ts";
import { askable } from "./askable.ts";
import { page } from "./page.ts";

/** One release and its verdict, as the JSON answer has it. */
export interface Explained {
  readonly version: string;
  /** Where files of one version are judged one by one (PyPI). */
  readonly filename?: string;
  readonly verdict: Verdict["action"];
  readonly code: string | null;
  readonly reason: string | null;
  /** RFC 3339; null: not known. */
  readonly until: string | null;
  /** RFC 3339; null: the registry does not say. */
  readonly published: string | null;
  readonly findings: readonly JudgedFinding[];
}

export interface Explanation {
  readonly purl: string;
  readonly ecosystem: string;
  readonly package: string;
  readonly org: string;
  /** Revision of the policy. */
  readonly policy: string;
  /** How good the answer of the advisory database is; null: it is being asked. */
  readonly advisories: { readonly state: AdvisoryState; readonly as_of: string | null } | null;
  /** Newest first. */
  readonly versions: readonly Explained[];
  /** Of one version alone. */
  readonly exception?: {
    /** Where to POST a reason; null: no exception can be asked for. */
    readonly ask: string | null;
    /** This client's last request; null: there was none. */
    readonly request: RequestState | null;
  };
}

/** What a developer is told of their request. */
export type RequestState = Pick<
  ExceptionRequest,
  "id" | "status" | "at" | "expires" | "reason" | "ticket" | "decided"
>;

export function requestState(request: ExceptionRequest): RequestState {
  const { id, status, at, expires, reason, ticket, decided } = request;
  return { id, status, at, expires, reason, ticket, decided };
}

export const EXPLANATION_TYPES = ["application/json", "text/html", "text/plain"] as const;

/** Where one version is explained; null: where nothing can be asked for anyway. */
type AddressOf = ((version: string) => string) | null;

/** The answer in the form asked for. */
export function present(
  explanation: Explanation,
  { type, status, curl, addressOf, extra }: {
    type: (typeof EXPLANATION_TYPES)[number];
    status: number;
    /** Flags of a `curl` that asks for an exception as the same client. */
    curl: string;
    addressOf: AddressOf;
    extra?: Readonly<Record<string, string>>;
  },
): Response | Promise<Response> {
  const headers = {
    "cache-control": "no-store",
    "vary": "Accept, Authorization",
    "x-content-type-options": "nosniff",
    ...extra,
  };
  if (type === "application/json") return Response.json(explanation, { status, headers });
  if (type === "text/html") {
    const forms = canAsk(explanation);
    const refused = status === 403;
    return page(asPage(explanation, { refused, addressOf }), { status, headers, forms });
  }
  return new Response(asText(explanation, { curl, addressOf }), {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
}

function countWithheld({ versions }: Explanation): string {
  const withheld = versions.filter((entry) => entry.verdict === "deny").length;
  return `${withheld} of ${versions.length} withheld`;
}

/** Said where advisories could not be had, so that "allowed" is not taken for "known to be good". */
function unchecked({ advisories }: Explanation): string[] {
  const { state, as_of } = advisories ?? { state: "late" as const, as_of: null };
  if (state === "current" || state === "off") return [];
  const since = as_of === null ? "it has not answered yet" : `its last answer is of ${as_of}`;
  return [`The advisory database cannot be asked (${state}): ${since}.`];
}

/** Exceptions and audits that let a release through. */
function waivers({ findings }: Explained): string[] {
  return findings.filter(({ waived }) => waived !== null)
    .map(({ code, waived }) => `${code} waived by ${waived?.replace("_", " ")}`);
}

/** Whether there is something to ask for, and nothing asked for yet. */
function canAsk({ exception }: Explanation): boolean {
  return typeof exception?.ask === "string" && exception.request?.status !== "open";
}

/** One sentence on this client's last request. */
export function requestLine({ status, at, expires, decided }: RequestState): string {
  const asked = `An exception was asked for at ${at}`;
  if (status === "open") return `${asked}: nobody has decided yet (open until ${expires}).`;
  if (decided === null) return `${asked}: nobody decided in time.`;
  const { by, until, comment } = decided;
  const end = until === null ? "" : ` until ${until}`;
  return `${asked}: ${status} by ${by}${end}${comment === null ? "." : `: ${comment}`}`;
}

/** Where to ask, said of a package as a whole: of its newest version that can be asked for. */
function whereToAsk(explanation: Explanation, addressOf: AddressOf): string[] {
  if (explanation.exception !== undefined || addressOf === null) return [];
  const first = explanation.versions.find((entry) =>
    entry.verdict === "deny" && askable({ ...explanation, versions: [entry] }).can
  );
  if (first === undefined) return [];
  return [`To ask for an exception, see one version: ${addressOf(first.version)}`];
}

function asText(
  explanation: Explanation,
  { curl, addressOf }: { curl: string; addressOf: AddressOf },
): string {
  const { exception } = explanation;
  const { purl, org, versions } = explanation;
  return [
    `${purl} for the org "${org}": ${countWithheld(explanation)}`,
    ...unchecked(explanation),
    ...versions.map((entry) => `${entry.filename ?? entry.version}  ${line(entry)}`),
    ...(exception?.request == null ? [] : [requestLine(exception.request)]),
    ...(canAsk(explanation)
      ? [`To ask for an exception: curl${curl} --data-urlencode 'reason=...' '${exception?.ask}'`]
      : whereToAsk(explanation, addressOf)),
    "",
  ].map(visible).join("\n");
}

function line(entry: Explained): string {
  const { verdict, code, reason, published } = entry;
  if (code !== null) return `${verdict === "deny" ? "withheld" : "warned of"} (${code}): ${reason}`;
  const when = published === null ? [] : [`published ${published}`];
  return ["allowed", ...when, ...waivers(entry)].join(", ");
}

function asPage(
  explanation: Explanation,
  { refused, addressOf }: { refused: boolean; addressOf: AddressOf },
) {
  const { purl, org, policy, versions, exception } = explanation;
  return {
    title: `Why: ${purl}`,
    body: html`
      <h1>${purl}</h1>
      ${refused
        ? html`<p class="notice">Your client was refused this file. The reason is below.</p>`
        : ""}
      <p>
        Every version's verdict under the policy of the org <strong>${org}</strong>
        (revision <code>${policy}</code>), newest first: ${countWithheld(explanation)}.
      </p>
      ${unchecked(explanation).map((text) => html`<p class="notice">${text}</p>`)}
      <table>
        <thead>
          <tr>
            <th>Version</th>
            <th>Verdict</th>
            <th>Reason</th>
            <th>Published</th>
          </tr>
        </thead>
        <tbody>
          ${versions.map((entry) =>
            row(entry, exception === undefined ? addressOf?.(entry.version) ?? null : null)
          )}
        </tbody>
      </table>
      ${exception?.request == null
        ? ""
        : html`<p class="notice">${requestLine(exception.request)}</p>`}
      ${canAsk(explanation) ? ASK : ""}
    `,
  };
}

/** Posts to the very path of the page. */
const ASK = html`
  <h2>Ask for an exception</h2>
  <form method="post" action="?">
    <label for="reason">Why it cannot wait</label>
    <textarea id="reason" name="reason" rows="3" maxlength="500" required></textarea>
    <label for="ticket">Ticket <small>if there is one</small></label>
    <input id="ticket" name="ticket" maxlength="100">
    <button>Ask</button>
  </form>
`;

const WORDS = { allow: "allowed", warn: "allowed, with a warning", deny: "withheld" } as const;

/** @param address of the version's own page, where an exception can be asked for; null: this is it */
function row(entry: Explained, address: string | null) {
  const { verdict, code, reason, published, filename, version } = entry;
  const name = visible(filename ?? version);
  return html`
    <tr class="${verdict}">
      <td>${address === null || verdict !== "deny"
        ? name
        : html`<a href="${address}">${name}</a>`}</td>
      <td class="verdict">${WORDS[verdict]}</td>
      <td>${code === null ? waivers(entry).join(", ") : html`<code>${code}</code>: ${reason}`}</td>
      <td title="${published ?? ""}">${published?.slice(0, 10) ?? "unknown"}</td>
    </tr>
  `;
}
