/** `OIDC_...`: all four or none. */
import { isLoopback } from "../policy/addresses.ts";
import { type AllowedRule, parseAllowed } from "../policy/grants.ts";
import { SettingError } from "./setting_error.ts";

export interface OidcSettings {
  /** As the provider states it; `https://github.com` is OAuth 2 without OpenID Connect. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly allowed: readonly AllowedRule[];
  /** `OIDC_ALLOWED` as given. */
  readonly allowedText: string;
}

const NAMES = ["OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_ALLOWED"] as const;

/** Throws SettingError. */
export function readOidc(env: (name: string) => string | undefined): OidcSettings | null {
  const [issuer, clientId, clientSecret, allowedText] = NAMES.map((name) => env(name) ?? "");
  const missing = NAMES.filter((name) => (env(name) ?? "") === "");
  if (missing.length === NAMES.length) return null;
  if (missing.length > 0) {
    throw new SettingError(missing[0], "", `it goes with ${NAMES.join(", ")}: all of them or none`);
  }
  return {
    issuer: readIssuer(issuer),
    clientId: printable("OIDC_CLIENT_ID", clientId, clientId),
    clientSecret: printable("OIDC_CLIENT_SECRET", clientSecret, "…"),
    allowed: readAllowed(allowedText),
    allowedText,
  };
}

function readIssuer(text: string): string {
  const url = URL.parse(text);
  const safe = url?.protocol === "https:" ||
    (url?.protocol === "http:" && isLoopback(url.hostname));
  if (url !== null && safe && url.username + url.password === "" && !/[?#\s]/.test(text)) {
    // Tokens state it exactly, so the slash at the end is left as it is, except after a bare host.
    return text === `${url.origin}/` && url.host === "github.com" ? url.origin : text;
  }
  throw new SettingError(
    "OIDC_ISSUER",
    text,
    "an https:// address without credentials, query or # is accepted (http:// on this machine alone)",
  );
}

function printable(name: string, text: string, shown: string): string {
  if (/^[\x21-\x7e]{1,1000}$/.test(text)) return text;
  throw new SettingError(name, shown, "1 to 1000 printable characters are accepted");
}

function readAllowed(text: string): readonly AllowedRule[] {
  try {
    return parseAllowed(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SettingError(
      "OIDC_ALLOWED",
      text,
      `${error.message}; rules such as alice@acme.example=acme:editor, ` +
        "@acme.example=acme:viewer and group:platform=*:admin are accepted, comma-separated",
    );
  }
}
