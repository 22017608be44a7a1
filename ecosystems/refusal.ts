/** How a refusal reads; each ecosystem chooses among these what its clients print. */
import type { Refusal } from "./ecosystem.ts";

/** Unix ms as an RFC 3339 instant without fraction, as people read it. */
export function instant(time: number): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** The same of an end, in whole seconds up, so that whoever comes back then finds that it has ended. */
export function endInstant(time: number): string {
  return instant(Math.ceil(time / 1000) * 1000);
}

/** One paragraph: package, rule, reason, date if known (in the reason), where to read more. */
function refusalText(refusal: Refusal): string {
  return `${whatOf(refusal)} is withheld by policy (${refusal.code}): ` +
    `${refusal.message}. More: ${refusal.why}`;
}

function whatOf({ name, version }: Refusal): string {
  return version === null ? name : `${name} ${version}`;
}

/** The headers that every refusal carries. */
function refusalHeaders(refusal: Refusal, type: string): Headers {
  const until = refusal.until === null ? "" : `; until="${endInstant(refusal.until)}"`;
  return new Headers({
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "policy-decision": `deny; code=${refusal.code}${until}`,
    "vary": "Accept, Accept-Encoding, Authorization, User-Agent",
  });
}

/** 403 as short plain text. */
export function refuseAsText(refusal: Refusal): Response {
  return new Response(`${refusalText(refusal)}\n`, {
    status: 403,
    headers: refusalHeaders(refusal, "text/plain; charset=utf-8"),
  });
}

/** What a refusal is to a program. */
function refusalDocument(refusal: Refusal) {
  return {
    package: refusal.name,
    version: refusal.version,
    purl: refusal.purl,
    rule: refusal.code,
    reason: refusal.message,
    until: refusal.until === null ? null : endInstant(refusal.until),
    why: refusal.why,
  };
}

/** 403 as JSON, with the text under `error`, where npm and yarn look for it. */
export function refuseAsJson(refusal: Refusal): Response {
  const body = { error: refusalText(refusal), ...refusalDocument(refusal) };
  return new Response(JSON.stringify(body), {
    status: 403,
    headers: refusalHeaders(refusal, "application/json"),
  });
}

/** 403 as a problem document (RFC 9457). */
export function refuseAsProblem(refusal: Refusal): Response {
  const body = {
    type: "about:blank",
    title: `${whatOf(refusal)} is withheld by policy (${refusal.code})`,
    status: 403,
    detail: `${refusal.message}. More: ${refusal.why}`,
    ...refusalDocument(refusal),
  };
  return new Response(JSON.stringify(body), {
    status: 403,
    headers: refusalHeaders(refusal, "application/problem+json"),
  });
}

/**
 * For clients that print nothing of an answer but its address: the page they
 * end at answers 403 and its address carries package, version and code.
 */
export function redirectToWhy(refusal: Refusal): Response {
  const address = new URL(refusal.why);
  address.searchParams.set("withheld", refusal.code);
  const headers = refusalHeaders(refusal, "text/plain; charset=utf-8");
  headers.set("location", address.href);
  return new Response(`${refusalText(refusal)}\n`, { status: 302, headers });
}
