/** The whole proxy as a function of its dependencies: tested without a port. */
import type { Ecosystem, RegistryRequest } from "../ecosystems/ecosystem.ts";
import { answer } from "./answers.ts";
import { readBody } from "./body.ts";
import type { Check } from "./check.ts";
import type { Deps } from "./deps.ts";
import {
  type Arrival,
  arrivalOf,
  type Connection,
  enter,
  guardAdmin,
  tooMany,
  turnedAway,
} from "./door.ts";
import type { Client, Exchange } from "./exchange.ts";
import {
  detailOf,
  NOT_FOUND,
  type Problem,
  problemOf,
  READ_ONLY,
  respond,
  respondProblem,
} from "./errors.ts";
import { serveHealth } from "./health.ts";
import { type Identified, identify, IdentityError, type Shown, shownBy } from "./identity.ts";
import { isUnknownOrg } from "./orgs.ts";
import { preferredType } from "./prefers.ts";
import { serveRegistry } from "./registry.ts";
import { recall, type Repeat, Repeats } from "./repeats.ts";
import { tolerantTokens } from "./store_failure.ts";

export type App = (request: Request, connection?: Connection) => Response | Promise<Response>;

/** Names below the base that are the proxy's own. */
const OWN = new Set(["admin", "why", "health", "setup", "check", ""]);
/** Clients that mean an npm package by a bare name; yarn 4 lets `got` name itself. */
const NPM_FAMILY = /^(?:npm|pnpm|yarn|got|bun)\b/i;
/** Deno's installer; a script's `fetch` in Deno has the same name, and an Accept-Language. */
const DENO = /^deno\b/i;
/** The file of an npm package whose name the proxy uses itself, as in `/npm/-/npm-11.0.0.tgz`. */
const OWN_NAMED_FILE = /^\/([^/]+)\/-\/\1-[^/]+\.tgz$/;
/** Addresses of the admin API, those included that name nobody's org. */
const ADMIN =
  /^[^:]+:\/\/[^/?#]+(?:\/o-[^/?#]*(?:\/u-[^/?#]*)?)?(?:\/before\/[^/?#]*)?\/admin\/(?!-\/)/;
const POST_ONLY: Problem = {
  status: 405,
  code: "method_not_allowed",
  message: "Send a lockfile or an SBOM by POST to have it checked.",
  headers: { allow: "POST" },
};
const CORGI = "application/vnd.npm.install-v1+json";
/** Largest request body of a registry client (npm's audit of a large tree). */
const MAX_BODY = 8 * 1024 * 1024;

export function createApp(deps: Deps): App {
  const mounts = new Map<string, Ecosystem>();
  for (const ecosystem of deps.ecosystems) {
    for (const mount of ecosystem.mounts) mounts.set(mount, ecosystem);
  }
  const settings = { ...deps.settings, ecosystems: new Set(mounts.keys()) };
  const check = checker(deps);
  const tokens = tolerantTokens(deps.tokens, deps.policies);
  const repeats = new Repeats();
  const first = (arrival: Arrival, shown: Shown, key: string | null) => {
    const proceed = (identity: Identified) =>
      tooMany(deps, { identity, arrival, mounts, policy: deps.policies.peek(identity.org) }) ??
        route(deps, {
          mounts,
          identity,
          arrival,
          request: arrival.request,
          client: new ArrivedClient(identity, arrival),
          check,
          remember: key === null ? undefined : (repeat) => repeats.note(key, repeat),
        });
    const { url, headers } = arrival.request;
    const identity = identify({ url, headers, shown }, tokens, settings, deps.workloads);
    return identity instanceof Promise ? identity.then(proceed) : proceed(identity);
  };
  const failed = (request: Request, arrival: Arrival | undefined, error: unknown) => {
    const turned = arrival !== undefined && error instanceof IdentityError
      ? turnedAway(deps, { arrival, settings, error })
      : error;
    return failure(deps, request, turned);
  };
  return (request, connection) => {
    let arrival: Arrival | undefined;
    try {
      arrival = arrivalOf(request, connection, deps.settings);
      const shown = shownBy(enter(deps, arrival), tokens);
      const caller = callerOf(shown);
      const key = caller === null ? null : repeats.keyOf(arrival.request, caller);
      const repeat = key === null ? undefined : repeats.find(key);
      const known = repeat === undefined ? null : again(deps, { arrival, mounts, repeat });
      const response = known ?? first(arrival, shown, key);
      if (response instanceof Response) return response;
      return response.catch((error: unknown) => failed(request, arrival, error));
    } catch (error) {
      return failed(request, arrival, error);
    }
  };
}

/** Whose token a request comes with; `""`: nobody's; null: that is not known yet, or not all that it shows. */
function callerOf({ credentials, token }: Shown): string | null {
  if (credentials === null) return "";
  return token === undefined || credentials.registry !== null ? null : token.id;
}

/** null: something has changed since. */
function again(
  deps: Deps,
  { arrival, mounts, repeat }: {
    arrival: Arrival;
    mounts: ReadonlyMap<string, Ecosystem>;
    repeat: Repeat;
  },
): Response | null {
  const { identity } = repeat;
  const policy = deps.policies.peek(identity.org);
  const client = new ArrivedClient(identity, arrival);
  const template = recall(deps, repeat, { policy, client });
  if (template === null) return null;
  return tooMany(deps, { identity, arrival, mounts, policy }) ??
    answer(template, arrival.request);
}

function failure(deps: Deps, request: Request, error: unknown): Response {
  const problem = problemOf(error);
  if (problem.status >= 500) {
    deps.log({ event: "failure", code: problem.code, error: detailOf(error) });
  }
  if (ADMIN.test(request.url)) return respondProblem(problem);
  const json = request.headers.get("accept")?.includes("json") ?? false;
  return respond(problem, { json });
}

/** The address is asked of the runtime only when it is wanted. */
class ArrivedClient implements Client {
  readonly org: string;
  readonly user: string;
  readonly #arrival: Arrival;

  constructor({ org, user }: Identified, arrival: Arrival) {
    this.org = org;
    this.user = user;
    this.#arrival = arrival;
  }

  get ip(): string {
    return this.#arrival.ip;
  }
}

interface Asked {
  readonly mounts: ReadonlyMap<string, Ecosystem>;
  readonly identity: Identified;
  readonly arrival: Arrival;
  readonly request: Request;
  readonly client: Client;
  readonly check: Check;
  readonly remember: Exchange["remember"];
}

/** Loaded at the first request for it, to keep cold starts short. */
function checker(deps: Deps): Check {
  let loaded: Promise<Check> | undefined;
  const load = async () => (await import("./check.ts")).createCheck(deps);
  return async (asked) => await (await (loaded ??= load()))(asked);
}

function route(deps: Deps, asked: Asked): Response | Promise<Response> {
  const { mounts, identity, request } = asked;
  const { rest } = identity;
  if (identity.ecosystem !== null) {
    const ecosystem = mounts.get(identity.ecosystem);
    if (ecosystem !== undefined) return routeSubdomain(deps, asked, ecosystem);
  }
  // Nobody posts to a package, so whoever does means this.
  if (rest === "/check" && request.method === "POST") return asked.check(asked);
  const slash = rest.indexOf("/", 1);
  const first = slash < 0 ? rest.slice(1) : rest.slice(1, slash);
  const isPackage = slash < 0
    ? first !== "" && isNpmClient(request.headers)
    : OWN_NAMED_FILE.test(rest);
  if (OWN.has(first) && !isPackage) {
    if (first === "admin") {
      return guardAdmin(deps, asked.arrival, () => deps.admin(withoutPrefix(request, identity)));
    }
    if (first === "check" && slash < 0) return respond(POST_ONLY, { json: false });
    if (first === "why" && slash > 0 && request.method === "POST") {
      return ask(deps, asked, rest.slice(slash + 1));
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return respond(READ_ONLY, { json: false });
    }
    if (first === "health" && slash < 0) return serveHealth(deps);
    if (first === "why" && slash > 0) {
      return why(deps, asked, rest.slice(slash + 1));
    }
    if (first === "setup" && slash < 0) return setup(deps, identity);
    if (first === "" && wantsPage(request.headers)) return setup(deps, identity);
    if (first !== "") return respond(NOT_FOUND, { json: false });
  }
  const ecosystem = mounts.get(first);
  if (ecosystem !== undefined && !isPackage) {
    return registry(deps, asked, { ecosystem, mount: first, path: rest.slice(first.length + 2) });
  }
  // What a browser gets at the same address is another page.
  const isBoth = OWN.has(first) || ecosystem !== undefined;
  return registry(deps, isBoth ? { ...asked, remember: undefined } : asked, {
    ecosystem: rootEcosystem(mounts),
    mount: "",
    path: rest.slice(1),
  });
}

// Pages are loaded at the first request for them, too.

async function setup(deps: Deps, identity: Identified, only?: Ecosystem): Promise<Response> {
  if (await isUnknownOrg(deps, identity)) return respond(NOT_FOUND, { json: false });
  const { serveSetup } = await import("./setup.ts");
  return await serveSetup(identity, only?.id);
}

async function why(deps: Deps, asked: Asked, path: string): Promise<Response> {
  const { serveWhy } = await import("./why.ts");
  return await serveWhy(deps, { ...asked, path, search: asked.identity.search });
}

async function ask(deps: Deps, asked: Asked, path: string): Promise<Response> {
  const { serveAsk } = await import("./ask.ts");
  return await serveAsk(deps, { ...asked, path });
}

/** `<ecosystem>.<org>.<BASE_DOMAIN>`: the mount is the host's root, or its usual name. */
function routeSubdomain(
  deps: Deps,
  asked: Asked,
  ecosystem: Ecosystem,
): Response | Promise<Response> {
  const { identity, request } = asked;
  const { rest } = identity;
  if (rest === "/health") return serveHealth(deps);
  if (rest === "/check" && request.method === "POST") return asked.check(asked);
  if (rest.startsWith("/why/")) {
    if (request.method === "POST") {
      return ask(deps, asked, rest.slice(5));
    }
    return why(deps, asked, rest.slice(5));
  }
  if (rest === "/" && wantsPage(request.headers)) return setup(deps, identity, ecosystem);
  const slash = rest.indexOf("/", 1);
  const first = slash < 0 ? "" : rest.slice(1, slash);
  if (ecosystem.mounts.includes(first)) {
    return registry(deps, asked, { ecosystem, mount: first, path: rest.slice(first.length + 2) });
  }
  return registry(deps, asked, {
    ecosystem,
    mount: ecosystem.mounts[0],
    path: rest.slice(1),
    bare: true,
  });
}

function registry(
  deps: Deps,
  { identity, arrival, request, client, remember }: Asked,
  { ecosystem, mount, path, bare = mount === "" }: {
    ecosystem: Ecosystem;
    mount: string;
    path: string;
    /** The mount is not part of the address. */
    bare?: boolean;
  },
): Response | Promise<Response> {
  const { origin, prefix } = identity.base;
  const asked: RegistryRequest = {
    method: request.method === "HEAD" ? "GET" : request.method,
    mount,
    path,
    search: identity.search,
    headers: request.headers,
  };
  return serveRegistry(deps, {
    ecosystem,
    request: asked,
    method: request.method,
    identity,
    client,
    mount: bare ? `${origin}${prefix}/` : `${origin}${prefix}/${mount}/`,
    body: (share) => readBody(request, { maxBytes: MAX_BODY, share }),
    sent: () => arrival.sent(),
    remember,
  });
}

/** npm's paths work at the root too, as they did for earlier set-ups. */
function rootEcosystem(mounts: ReadonlyMap<string, Ecosystem>): Ecosystem {
  const npm = mounts.get("npm");
  if (npm === undefined) throw new TypeError("Cannot serve the root: there is no npm ecosystem");
  return npm;
}

function isNpmClient(headers: Headers): boolean {
  const agent = headers.get("user-agent") ?? "";
  return NPM_FAMILY.test(agent) || (headers.get("accept")?.includes(CORGI) ?? false) ||
    (DENO.test(agent) && !headers.has("accept-language"));
}

function wantsPage(headers: Headers): boolean {
  const accept = headers.get("accept");
  return preferredType(accept, ["text/html", "application/json"], "application/json") ===
    "text/html";
}

/** The admin API knows no prefix. */
function withoutPrefix(request: Request, { base, rest, search }: Identified): Request {
  if (base.prefix === "") return request;
  return new Request(new URL(`${rest}${search}`, request.url), request);
}
