/** What a request passes before it is routed: bounds on its address, its tokens and its number. */
import { readAuthorization } from "./authorization.ts";
import type { Ecosystem } from "../ecosystems/ecosystem.ts";
import { BodyRefused, readBounded } from "../policy/bounded_body.ts";
import type { Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";
import { type Problem, RequestError, respond, respondProblem } from "./errors.ts";
import { type Forwarded, readForwarded } from "./forwarded.ts";
import { isHost } from "./host.ts";
import {
  DEFAULT_ORG,
  type Identified,
  IdentityError,
  type IdentitySettings,
  readAddress,
} from "./identity.ts";
import type { Exceeded } from "./throttle.ts";

/** Of an address with its host: the longest that clients send are npm's, of a few hundred. */
const MAX_URL = 8_192;
/** A token, or the identity token of a CI job, which has a few kilobytes. */
const MAX_AUTHORIZATION = 16_384;
/** Of the admin API's forms, which hold a token, a reason and a comment. */
const MAX_FORM = 64 * 1024;

/** What requests cost besides the usual 1: records are searched, versions listed, lockfiles judged. */
const COSTS: Readonly<Record<string, number>> = { why: 5, admin: 10, check: 200 };
const SIMULATE_COST = 200;

export interface Connection {
  readonly remoteAddr: Deno.Addr;
  /** Settles when nothing more of the answer will be sent. */
  readonly completed?: Promise<void>;
}

/** A request, and where it comes from. */
export interface Arrival {
  readonly request: Request;
  /** `""` where the transport has none; asked of the runtime only when it is wanted. */
  readonly ip: string;
  /** Resolves when nothing more of its answer will be sent: Deno 2.9 does not say whether all was. */
  sent(): Promise<void>;
}

type DoorDeps = Pick<Deps, "settings" | "throttle" | "policies" | "tokens">;

/** With TRUST_PROXY, the request as it was before the reverse proxy. Throws RequestError (400). */
export function arrivalOf(
  request: Request,
  connection: Connection | undefined,
  { trustProxy }: DoorDeps["settings"],
): Arrival {
  if (!trustProxy) return new Direct(request, connection);
  const said = readForwarded(request.headers, remoteOf(connection), trustProxy);
  return { request: asSent(request, said), ip: said.ip, sent: () => sentOver(connection) };
}

/**
 * A class, since V8 makes a hidden class for each object literal with a getter,
 * and that keeps the request alive until all garbage is collected.
 */
class Direct implements Arrival {
  readonly #connection: Connection | undefined;

  constructor(readonly request: Request, connection: Connection | undefined) {
    this.#connection = connection;
  }

  get ip(): string {
    return remoteOf(this.#connection);
  }

  sent(): Promise<void> {
    return sentOver(this.#connection);
  }
}

/** Where nobody says when, at once. */
function sentOver(connection: Connection | undefined): Promise<void> {
  return connection?.completed?.catch(() => {}) ?? Promise.resolve();
}

function remoteOf(connection: Connection | undefined): string {
  const address = connection?.remoteAddr;
  return address !== undefined && "hostname" in address ? address.hostname : "";
}

function asSent(request: Request, { host, proto }: Forwarded): Request {
  if (host === null && proto === null) return request;
  if (host !== null && !isHost(host)) {
    const message = "The proxy before this one names no host.";
    throw new RequestError({ status: 400, code: "host_invalid", message });
  }
  const { url } = request;
  const hostAt = url.indexOf("://") + 3;
  const pathAt = url.indexOf("/", hostAt);
  const before = host ?? url.slice(hostAt, pathAt);
  const scheme = proto === null ? url.slice(0, hostAt) : `${proto}://`;
  return new Request(`${scheme}${before}${url.slice(pathAt)}`, request);
}

/**
 * Throws RequestError: 400, 414, 431, and 429 for addresses that guess tokens, before a token is looked up.
 * @returns the Authorization header; null: there is none
 */
export function enter(deps: DoorDeps, arrival: Arrival): string | null {
  const { url, headers } = arrival.request;
  if (url.length > MAX_URL) {
    const message = `The address is longer than ${MAX_URL} characters.`;
    throw new RequestError({ status: 414, code: "address_too_long", message });
  }
  const host = headers.get("host");
  // The runtime makes the address of it as it is: a path in it would go before the request's own.
  if (host !== null && !isHost(host)) {
    const message = "The Host header names no host.";
    throw new RequestError({ status: 400, code: "host_invalid", message });
  }
  const header = headers.get("authorization");
  if (header === null) return null;
  if (header.length > MAX_AUTHORIZATION) {
    const message = "The Authorization header is longer than any token.";
    throw new RequestError({ status: 431, code: "header_too_long", message });
  }
  const waitMs = deps.throttle.tokensWait(arrival);
  if (waitMs > 0 && !isKnown(deps, header)) throw new RequestError(guessing(waitMs));
  return header;
}

/** A token that was good just now is no guess, whoever else is behind the same address. */
function isKnown({ tokens }: DoorDeps, header: string): boolean {
  const secret = readAuthorization(header)?.token ?? null;
  // Nothing else is looked up here.
  return secret === null || tokens.recall(secret) !== null;
}

/**
 * Counts a request that let nobody in: its token is a guess, and to look at it was work.
 * @returns what to answer with: the error, or that there were too many of them
 */
export function turnedAway(
  deps: DoorDeps,
  { arrival, settings, error }: {
    arrival: Arrival;
    settings: IdentitySettings;
    error: IdentityError;
  },
): Error {
  if (error.code === "token_unknown") deps.throttle.wrongToken(arrival.ip);
  const org = orgOf(arrival.request.url, settings);
  const nobody = { org, user: "", role: null, tokenId: null };
  const policy = deps.policies.peek(org);
  const exceeded = deps.throttle.take(nobody, { policy, client: arrival, cost: 1 });
  return exceeded === null ? error : new RequestError(limited(exceeded));
}

function orgOf(url: string, settings: IdentitySettings): string {
  try {
    return readAddress(url, settings).org ?? DEFAULT_ORG;
  } catch (error) {
    if (error instanceof IdentityError) return DEFAULT_ORG;
    throw error;
  }
}

/** Where people come back from signing in; a failure there costs the provider a request, too. */
const CALLBACK = /^[^?#]*\/admin\/callback(?:[?#]|$)/;

/**
 * The admin API takes tokens of any form, forms that hold one, and sign-ins.
 * Throws RequestError (429).
 */
export async function guardAdmin(
  deps: DoorDeps,
  arrival: Arrival,
  answer: () => Response | Promise<Response>,
): Promise<Response> {
  const { headers, method, url } = arrival.request;
  const signsIn = CALLBACK.test(decoded(url));
  if (!headers.has("authorization") && method === "GET" && !signsIn) return await answer();
  const waitMs = deps.throttle.tokensWait(arrival);
  if (waitMs > 0) {
    const secret = signsIn ? "" : await secretOf(arrival.request);
    // Whoever gives none guesses none: a session's cookie is nothing to be guessed.
    if (secret !== null && deps.tokens.recall(secret) === null) {
      throw new RequestError(guessing(waitMs));
    }
  }
  const response = await answer();
  if (response.status === 401 || (signsIn && response.status === 403)) {
    deps.throttle.wrongToken(arrival.ip);
  }
  return response;
}

/** The token that the admin API would look up; `""`: what can be none, null: it is given none. */
async function secretOf(request: Request): Promise<string | null> {
  const header = request.headers.get("authorization");
  if (header !== null) return /^bearer +(.+)$/i.exec(header)?.[1].trim() ?? "";
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0].trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") return null;
  try {
    // As it came, as it will be read.
    const bytes = await readBounded(request.clone().body, { maxBytes: MAX_FORM });
    const token = new URLSearchParams(new TextDecoder().decode(bytes)).get("token")?.trim() ?? "";
    return token === "" ? null : token;
  } catch (cause) {
    if (!(cause instanceof BodyRefused)) throw cause;
    return "";
  }
}

/**
 * Counts a request; null: it may go on, else 429 in the words of its kind of client.
 * @param policy undefined: not known yet
 */
export function tooMany(
  { throttle }: DoorDeps,
  { identity, arrival, policy, mounts }: {
    identity: Identified;
    arrival: Arrival;
    policy: Policy | undefined;
    mounts: ReadonlyMap<string, Pick<Ecosystem, "errorsAsJson">>;
  },
): Response | null {
  const { rest } = identity;
  const slash = rest.indexOf("/", 1);
  const first = rest.slice(1, slash < 0 ? undefined : slash);
  const cost = costOf(first, rest);
  const exceeded = throttle.take(identity, { policy, client: arrival, cost });
  if (exceeded === null) return null;
  const problem = limited(exceeded);
  if (first === "admin" || first === "check") return respondProblem(problem);
  if (Object.hasOwn(COSTS, first)) return respond(problem, { json: false });
  const ecosystem = mounts.get(identity.ecosystem ?? first) ?? mounts.get("npm");
  return respond(problem, { json: ecosystem?.errorsAsJson === true });
}

function costOf(first: string, rest: string): number {
  if (first === "admin" && decoded(rest).endsWith("/simulate")) return SIMULATE_COST;
  return Object.hasOwn(COSTS, first) ? COSTS[first] : 1;
}

/** As the admin API reads a path. */
function decoded(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURI(path);
  } catch {
    return path; // it has no such route either
  }
}

function guessing(waitMs: number): Problem {
  return busy("Too many unknown tokens or failed sign-ins came from this address", waitMs);
}

function limited({ what, waitMs }: Exceeded): Problem {
  return busy(`Too many requests for this ${what}`, waitMs);
}

function busy(what: string, waitMs: number): Problem {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return {
    status: 429,
    code: "too_many_requests",
    message: `${what}: try again in ${seconds} s.`,
    headers: { "retry-after": String(seconds) },
  };
}
