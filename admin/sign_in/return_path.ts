/** Where somebody goes after signing in: a page of the admin API, and never another site. */

export const HOME = "/admin/";
const MAX_LENGTH = 2_000;
/** What browsers or servers on the way may read as a slash, a backslash, a dot or a line end. */
const TRICKS = /\/\/|\\|%(?:2f|5c|2e|0[0-9a-f]|1[0-9a-f]|25|7f)/i;
/** They would lead in a circle. */
const CIRCLES = /^\/admin\/(?:sign-in|sign-out|callback)(?:[/?]|$)/;

/** A path that may follow our own origin; null: it may lead elsewhere. */
export function readReturn(text: string): string | null {
  if (text.length > MAX_LENGTH || !/^\/admin\/[\x21-\x7e]*$/.test(text)) return null;
  const [path] = text.split(/[?#]/, 1);
  if (TRICKS.test(path) || CIRCLES.test(path)) return null;
  const url = URL.parse(text, "https://proxy.invalid");
  // A URL that reads it another way than it is written would go another way.
  return url?.origin === "https://proxy.invalid" && `${url.pathname}${url.search}` === text
    ? text
    : null;
}
