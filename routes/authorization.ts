/** The forms in which clients send a token, a user name, or a private registry's credential. */
import { isIdentityToken } from "../ecosystems/issuers/token_text.ts";
import { SECRET_PREFIX } from "../policy/store/secrets.ts";
import { IdentityError } from "./identity_error.ts";

export interface Credentials {
  /** A token of this proxy (`pp_...`, or what `IsToken` knows), or null. */
  readonly token: string | null;
  /** A private registry's token as it was given, from `<proxy token>:<registry token>`. */
  readonly registry: string | null;
  /** Basic's user name where no token was given; `""`: none. */
  readonly user: string;
  /** The Basic value itself, where it holds a password and no token. */
  readonly basic: string | null;
  /** What may be the identity token (a JWT) of an issuer that the org knows; else it is somebody else's. */
  readonly identity: string | null;
}

/** Whether a text that does not look like a token of ours is one: ADMIN_TOKEN may be any. */
type IsToken = (text: string) => boolean;

/** Reads an Authorization header; null: it says nothing to us. Throws IdentityError (400). */
export function readAuthorization(
  header: string,
  isToken: IsToken = () => false,
): Credentials | null {
  // cargo sends the token bare.
  const space = header.indexOf(" ");
  if (space < 0 || header.startsWith(SECRET_PREFIX)) return fromSecret(header, isToken);
  const value = header.slice(space + 1).trim();
  const scheme = header.slice(0, space).toLowerCase();
  if (scheme === "bearer") return fromSecret(value, isToken);
  return scheme === "basic" ? fromBasic(value, isToken) : null;
}

function fromSecret(secret: string, isToken: IsToken): Credentials | null {
  if (secret.startsWith(SECRET_PREFIX)) return fromPair(secret);
  if (isToken(secret)) return withToken(secret, "");
  // Any other is somebody else's token: npm sends what its configuration holds.
  return isIdentityToken(secret) ? withIdentity(secret) : null;
}

function fromBasic(value: string, isToken: IsToken): Credentials {
  const decoded = decodeBasic(value);
  const colon = decoded.indexOf(":");
  const user = colon < 0 ? decoded : decoded.slice(0, colon);
  const password = colon < 0 ? "" : decoded.slice(colon + 1);
  if (password.startsWith(SECRET_PREFIX)) return fromPair(password);
  if (user.startsWith(SECRET_PREFIX)) return withToken(user, password);
  // Else it would go to a private registry, or stand as a name in the records.
  if (isToken(password)) return withToken(password, "");
  if (isToken(user)) return withToken(user, password);
  return {
    token: null,
    registry: null,
    user,
    basic: password === "" ? null : `Basic ${value}`,
    identity: isIdentityToken(password) ? password : null,
  };
}

/** `pp_...` or `pp_...:<registry token>`. */
function fromPair(text: string): Credentials {
  const colon = text.indexOf(":");
  if (colon < 0) return withToken(text, "");
  return withToken(text.slice(0, colon), text.slice(colon + 1));
}

function withToken(token: string, registryToken: string): Credentials {
  return { token, registry: forRegistry(registryToken), user: "", basic: null, identity: null };
}

function withIdentity(identity: string): Credentials {
  return { token: null, registry: null, user: "", basic: null, identity };
}

/** Its scheme may stand before it. */
function forRegistry(registryToken: string): string | null {
  const [, value] = /^(?:[\w-]+ )?(.*)$/s.exec(registryToken) ?? [];
  // A token of this proxy goes to nobody else.
  if (value === undefined || value === "" || value.startsWith(SECRET_PREFIX)) return null;
  // Out of Basic's base64 may come what a header cannot carry, line ends for instance.
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new IdentityError(
      "authorization_invalid",
      "The registry's token holds characters that no header can carry.",
    );
  }
  return registryToken;
}

function decodeBasic(value: string): string {
  try {
    const bytes = Uint8Array.fromBase64(value);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new IdentityError(
      "authorization_invalid",
      "The Authorization header's Basic value is not base64 of UTF-8 text.",
    );
  }
}
