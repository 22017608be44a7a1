/**
 * Who asks, and for which address: token, path prefix, subdomain, Basic user
 * name, in this order. Runs on every request, so without an Authorization
 * header, or with a token seen just now, it waits for nothing; it makes no URL object.
 */
import type { Identity, Policy } from "../policy/types.ts";
import { parseInstant } from "../policy/duration.ts";
import { isOrgName, isUserName } from "../policy/names.ts";
import { ANY_ORG } from "../policy/store/tokens.ts";
import type { StoredToken, Tokens } from "../policy/store/types.ts";
import { type Credentials, readAuthorization } from "./authorization.ts";
import { isHost } from "./host.ts";
import { IdentityError } from "./identity_error.ts";
import type { Workloads } from "./workloads.ts";

export { IdentityError } from "./identity_error.ts";

export interface IdentitySettings {
  /** `PUBLIC_URL`, without trailing slash. */
  readonly publicUrl?: string;
  /** `BASE_DOMAIN` in lower case. */
  readonly baseDomain?: string;
  /** First labels of a host that name an ecosystem (its id and mounts); absent: any first of several. */
  readonly ecosystems?: ReadonlySet<string>;
}

/** A request's address without who asks. */
export interface Address {
  /** null: the address names none. */
  readonly org: string | null;
  readonly user: string | null;
  /**
   * `origin` has no trailing slash; `prefix` is `""` or, as the client wrote it,
   * `/o-acme/u-alice`, `/before/2026-01-01` or both.
   */
  readonly base: { readonly origin: string; readonly prefix: string };
  /** From `/before/<instant>` (Unix ms): nothing published later is wanted; null: no such wish. */
  readonly before: number | null;
  /** Path behind the prefix, still percent-encoded, with its leading slash. */
  readonly rest: string;
  /** With its `?`, or `""`. */
  readonly search: string;
  /** From `<ecosystem>.<org>.<BASE_DOMAIN>`. */
  readonly ecosystem: string | null;
}

export interface Identified extends Identity {
  /** null: no token of the proxy was given. */
  readonly tokenId: string | null;
  /** The org, where a token says it and the address means another; null: both mean the same. */
  readonly unnamedOrg: string | null;
  readonly base: Address["base"];
  readonly before: number | null;
  readonly rest: string;
  readonly search: string;
  readonly ecosystem: string | null;
  /** A private registry's token, given as `<proxy token>:<registry token>`. */
  readonly registryCredential: string | null;
  /** Authorization for one, of Basic's user name and password: not to be used where the org's auth is `token`. */
  readonly basicCredential: string | null;
}

export const DEFAULT_ORG = "default";

/**
 * Works out who asks. Throws (or rejects with) IdentityError, and with
 * StoreUnavailable where a token cannot be looked up; nothing else, unless
 * `workloads` are given, which have errors of their own.
 */
export function identify(
  request: { readonly url: string; readonly headers: Headers; readonly shown?: Shown },
  tokens: Pick<Tokens, "find" | "peek">,
  settings: IdentitySettings = {},
  workloads?: Workloads,
): Identified | Promise<Identified> {
  const address = readAddress(request.url, settings);
  const { credentials, token } = request.shown ??
    shownBy(request.headers.get("authorization"), tokens);
  if (credentials === null) return anonymous(address, null);
  if (token !== undefined) return authorized(address, credentials, token);
  if (credentials.token !== null) {
    return withToken(address, credentials, tokens.find(credentials.token));
  }
  if (credentials.identity === null || workloads === undefined) {
    return anonymous(address, credentials);
  }
  return withIdentity(address, credentials, workloads.find(credentials.identity, orgOf(address)));
}

/** What an Authorization header shows. */
export interface Shown {
  /** null: nothing to us. */
  readonly credentials: Credentials | null;
  /** The token in it, where KV need not be asked for it. */
  readonly token: StoredToken | undefined;
}

const NOTHING_SHOWN: Shown = { credentials: null, token: undefined };

/** Reads the header, once for each request. Throws IdentityError (400). */
export function shownBy(header: string | null, tokens: Pick<Tokens, "peek">): Shown {
  if (header === null) return NOTHING_SHOWN;
  const credentials = readAuthorization(header, (text) => tokens.peek(text) !== undefined);
  if (credentials === null) return NOTHING_SHOWN;
  const { token } = credentials;
  return { credentials, token: token === null ? undefined : tokens.peek(token) };
}

function orgOf(address: Address): string {
  return address.org ?? DEFAULT_ORG;
}

/** Splits an absolute request URL. Throws IdentityError (400). */
export function readAddress(url: string, settings: IdentitySettings = {}): Address {
  const hostAt = url.indexOf("://") + 3;
  const queryAt = url.indexOf("?", hostAt);
  const end = queryAt < 0 ? url.length : queryAt;
  const slash = url.indexOf("/", hostAt);
  const pathAt = slash < 0 || slash > end ? end : slash;
  const host = url.slice(hostAt, pathAt);
  if (!isHost(host)) throw new IdentityError("host_invalid", "The Host header names no host.");

  const domain = readHost(host, settings);
  const prefix = readPrefix(url, pathAt, end);
  if (prefix.org !== null && domain.org !== null && prefix.org !== domain.org) {
    throw new IdentityError("org_conflict", "The host and the path name different orgs.");
  }
  return {
    org: prefix.org ?? domain.org,
    user: prefix.user,
    base: {
      origin: originOf(url.slice(0, pathAt), hostAt, domain.under, settings),
      prefix: url.slice(pathAt, prefix.end),
    },
    before: prefix.before,
    rest: prefix.end === end ? "/" : url.slice(prefix.end, end),
    search: url.slice(end),
    ecosystem: domain.ecosystem,
  };
}

/**
 * What an org's policy still asks of a client before it gets anything: an error
 * to answer with (401 and a Basic challenge), or null.
 */
export function demand(auth: Policy["auth"], identity: Identity): IdentityError | null {
  if (auth === "open" || identity.role !== null) return null;
  if (auth === "token") {
    return new IdentityError(
      "token_required",
      "This registry asks for a token: give it as the password, or as Authorization: Bearer.",
    );
  }
  if (identity.user !== "") return null;
  return new IdentityError(
    "user_required",
    "This registry asks who you are: give a user name, or a token as the password.",
  );
}

function anonymous(address: Address, credentials: Credentials | null): Identified {
  let user = address.user;
  if (user === null && credentials !== null && credentials.user !== "") {
    user = credentials.user;
    if (!isUserName(user)) throw new IdentityError("user_invalid", invalid("user", user));
  }
  return identified(address, {
    org: orgOf(address),
    user: user ?? "",
    role: null,
    tokenId: null,
    registryCredential: null,
    basicCredential: credentials?.basic ?? null,
  });
}

async function withToken(
  address: Address,
  credentials: Credentials,
  search: Promise<StoredToken | null>,
): Promise<Identified> {
  const token = await search;
  if (token === null) {
    throw new IdentityError("token_unknown", "This token is not known here, or it has expired.");
  }
  return authorized(address, credentials, token);
}

function authorized(address: Address, credentials: Credentials, token: StoredToken): Identified {
  if (token.org !== ANY_ORG && address.org !== null && address.org !== token.org) {
    throw new IdentityError("token_org", `This token is not for the org "${address.org}".`);
  }
  return identified(address, {
    org: token.org === ANY_ORG ? orgOf(address) : token.org,
    user: token.user,
    role: token.role,
    tokenId: token.id,
    registryCredential: credentials.registry,
    basicCredential: null,
  });
}

async function withIdentity(
  address: Address,
  credentials: Credentials,
  search: Promise<string | null>,
): Promise<Identified> {
  const user = await search;
  if (user === null) return anonymous(address, credentials);
  // The identity token is for the proxy: it goes to no private registry.
  const [registryCredential, basicCredential] = [null, null];
  const given = { tokenId: null, registryCredential, basicCredential };
  return identified(address, { org: orgOf(address), user, role: "client", ...given });
}

function identified(
  address: Address,
  { org, user, role, tokenId, registryCredential, basicCredential }:
    & Identity
    & Pick<Identified, "tokenId" | "registryCredential" | "basicCredential">,
): Identified {
  const { base, before, rest, search, ecosystem } = address;
  return {
    org,
    user,
    role,
    tokenId,
    unnamedOrg: org === orgOf(address) ? null : org,
    base,
    before,
    rest,
    search,
    ecosystem,
    registryCredential,
    basicCredential,
  };
}

interface Domain {
  readonly org: string | null;
  readonly ecosystem: string | null;
  /** Whether the host is BASE_DOMAIN's or below it. */
  readonly under: boolean;
}

const NO_DOMAIN: Domain = { org: null, ecosystem: null, under: false };

function readHost(host: string, { baseDomain, ecosystems }: IdentitySettings): Domain {
  if (!baseDomain) return NO_DOMAIN;
  const colon = host.lastIndexOf(":");
  let name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
  if (name.endsWith(".")) name = name.slice(0, -1);
  if (name === baseDomain) return { org: null, ecosystem: null, under: true };
  if (!name.endsWith(`.${baseDomain}`)) return NO_DOMAIN;
  const labels = name.slice(0, -baseDomain.length - 1);
  const dot = labels.indexOf(".");
  const first = dot < 0 ? null : labels.slice(0, dot);
  // Org names may hold dots, so only a known ecosystem is split off.
  const ecosystem = first !== null && (ecosystems?.has(first) ?? true) ? first : null;
  const org = ecosystem === null ? labels : labels.slice(dot + 1);
  if (!isOrgName(org)) throw new IdentityError("org_invalid", invalid("org", org));
  return { org, ecosystem, under: true };
}

interface Prefix {
  readonly org: string | null;
  readonly user: string | null;
  readonly before: number | null;
  /** Where it ends in the URL. */
  readonly end: number;
}

function readPrefix(url: string, from: number, end: number): Prefix {
  const { org, user, end: behind } = readOrg(url, from, end);
  // `/before/-/before-0.0.1.tgz` is the file of an npm package of that name.
  if (!url.startsWith("/before/", behind) || url.startsWith("/before/-/", behind)) {
    return { org, user, before: null, end: behind };
  }
  const instantEnd = segmentEnd(url, behind + "/before/".length, end);
  const text = decode(url.slice(behind + "/before/".length, instantEnd));
  return { org, user, before: readInstant(text), end: instantEnd };
}

function readInstant(text: string): number {
  try {
    return parseInstant(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new IdentityError(
      "before_invalid",
      `Cannot read ${JSON.stringify(text.slice(0, 64))} as an instant: after /before/ comes ` +
        "a date such as 2026-01-01, or with its time 2026-01-01T10:00:00Z.",
    );
  }
}

function readOrg(url: string, from: number, end: number): Omit<Prefix, "before"> {
  if (!url.startsWith("/o-", from)) return { org: null, user: null, end: from };
  const orgEnd = segmentEnd(url, from + 1, end);
  const org = decode(url.slice(from + 3, orgEnd));
  if (!isOrgName(org)) throw new IdentityError("org_invalid", invalid("org", org));
  if (!url.startsWith("/u-", orgEnd)) return { org, user: null, end: orgEnd };
  const userEnd = segmentEnd(url, orgEnd + 1, end);
  const user = decode(url.slice(orgEnd + 3, userEnd));
  if (!isUserName(user)) throw new IdentityError("user_invalid", invalid("user", user));
  return { org, user, end: userEnd };
}

function segmentEnd(url: string, from: number, end: number): number {
  const slash = url.indexOf("/", from);
  return slash < 0 || slash > end ? end : slash;
}

function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new IdentityError("encoding_invalid", "The path's percent-encoding cannot be read.");
  }
}

/** @param own the request's own origin */
function originOf(
  own: string,
  hostAt: number,
  underBaseDomain: boolean,
  { publicUrl }: IdentitySettings,
): string {
  if (!publicUrl) return own;
  if (!underBaseDomain) return publicUrl.endsWith("/") ? publicUrl.slice(0, -1) : publicUrl;
  return publicUrl.slice(0, publicUrl.indexOf("://") + 3) + own.slice(hostAt);
}

function invalid(what: "org" | "user", name: string): string {
  const further = what === "user" ? " (users also @ and +)" : "";
  return `Cannot use ${JSON.stringify(name.slice(0, 64))} as the name of ${
    what === "org" ? "an org" : "a user"
  }: it is 1 to 63 of a-z, 0-9, dot, underscore and hyphen${further}, and begins with a letter or digit.`;
}
