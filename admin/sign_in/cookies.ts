/** The two cookies there are. Browsers take `__Host-` ones over TLS alone, for one host and no other. */

export const SESSION_COOKIE = "__Host-session";
export const ATTEMPT_COOKIE = "__Host-sign-in";

type CookieName = typeof SESSION_COOKIE | typeof ATTEMPT_COOKIE;

/** A cookie's value; null where there is none, or more than one. */
export function readCookie(headers: Headers, name: CookieName): string | null {
  const values = (headers.get("cookie") ?? "").split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 && values[0] !== "" ? values[0] : null;
}

/** @param value base64url */
export function setCookie(name: CookieName, value: string, maxAgeMs: number): string {
  return `${name}=${value}; Path=/; Max-Age=${Math.floor(maxAgeMs / 1_000)}; ${ATTRIBUTES}`;
}

export function dropCookie(name: CookieName): string {
  return `${name}=; Path=/; Max-Age=0; ${ATTRIBUTES}`;
}

/** Lax, not Strict: the way back from the provider begins at another site. */
const ATTRIBUTES = "Secure; HttpOnly; SameSite=Lax";
