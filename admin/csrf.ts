/** That a request of a session was meant by its person, and not made up by a page of somebody else's. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Session } from "../policy/store/sessions.ts";
import { Problem } from "./problem.ts";

/** Where scripts put the session's `csrf`; forms have a field of that name. */
export const CSRF_HEADER = "x-csrf-token";

/**
 * Checks a request that a browser's cookie vouches for. Reading changes
 * nothing, so it takes no proof. Throws Problem.
 * @param origin of our own pages
 */
export function checkCsrf(
  { method, headers }: Request,
  { session, origin }: { session: Session; origin: string },
): void {
  if (method === "GET" || method === "HEAD") return;
  checkOrigin(headers, origin);
  const token = headers.get(CSRF_HEADER);
  if (token === null || !equal(token, session.csrf)) {
    throw refused(`it lacks the session's csrf, as the header ${CSRF_HEADER} or a form's field`);
  }
}

/** Checks that one of our own pages sent a request. Throws Problem. */
export function checkOrigin(headers: Headers, origin: string): void {
  const site = headers.get("sec-fetch-site");
  const from = headers.get("origin");
  if (site === null && from === null) {
    throw refused("it says neither by Sec-Fetch-Site nor by Origin where it comes from");
  }
  if ((site ?? "same-origin") !== "same-origin" || (from ?? origin) !== origin) {
    throw refused("it comes from another site");
  }
}

function refused(why: string): Problem {
  return new Problem("forbidden", `A request of a session that changes something: ${why}.`);
}

/** In constant time: digests are of one length. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
