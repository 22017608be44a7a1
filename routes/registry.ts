/** The one pipeline of registry traffic: match, load, judge, then an index, a file or a refusal. */
import type { FixedTarget, PageTarget } from "../ecosystems/ecosystem.ts";
import type { Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";
import { detailOf, NOT_FOUND, problemOf, READ_ONLY, respond } from "./errors.ts";
import { type Exchange, missing, nameRefusal } from "./exchange.ts";
import { serveFile } from "./files.ts";
import { demand } from "./identity.ts";
import { isZipped, respondPrepared, serveIndex, servePrepared } from "./package_indexes.ts";
import { isUnknownOrg, noSuchOrg } from "./orgs.ts";
import { servePass } from "./passes.ts";
import { NameRefused, sourceFor } from "./sources.ts";

/** A request whose policy is not known yet. */
export type Asked = Omit<Exchange, "policy">;

/**
 * Answers a request below a mount; failures become answers here. An index that
 * is prepared already is answered at once: waiting for what is at hand would
 * cost a third of the requests a second.
 */
export function serveRegistry(deps: Deps, asked: Asked): Response | Promise<Response> {
  return serveAtOnce(deps, asked) ?? serveInTurn(deps, asked);
}

/** null: something has to be waited for, or is not a plain index. */
function serveAtOnce(deps: Deps, asked: Asked): Response | null {
  const { ecosystem, identity } = asked;
  if (deps.settings.orgs === "closed") return null;
  const policy = deps.policies.peek(identity.org);
  if (policy === undefined || demand(policy.auth, identity) !== null) return null;
  const target = ecosystem.match(asked.request);
  return target?.kind === "index" ? servePrepared(deps, withPolicy(asked, policy), target) : null;
}

async function serveInTurn(deps: Deps, asked: Asked): Promise<Response> {
  const { ecosystem, identity } = asked;
  const json = ecosystem.errorsAsJson === true;
  try {
    if (await isUnknownOrg(deps, identity)) return respond(noSuchOrg(identity), { json });
    const policy = await deps.policies.get(identity.org);
    const missing = demand(policy.auth, identity);
    if (missing !== null) return respond(problemOf(missing), { json });
    return await dispatch(deps, withPolicy(asked, policy));
  } catch (error) {
    if (error instanceof NameRefused) return refuseName(deps, asked, error);
    const problem = problemOf(error);
    deps.log({
      event: "failure",
      code: problem.code,
      status: problem.status,
      org: identity.org,
      ecosystem: ecosystem.id,
      // What is not served may hold a token: npm's sign-out puts it there.
      path: ecosystem.match(asked.request) === null ? null : asked.request.path,
      error: detailOf(error),
    });
    return respond(problem, { json });
  }
}

function refuseName(deps: Deps, asked: Asked, error: NameRefused): Response {
  const refusal = nameRefusal(asked, error);
  const { org, user } = asked.identity;
  deps.log({ event: "refused", org, user, purl: refusal.purl, code: refusal.code });
  return asked.ecosystem.refuse(refusal, asked.request);
}

/** Named one by one: what is worked out when asked for stays so. */
function withPolicy(asked: Asked, policy: Policy): Exchange {
  const { ecosystem, request, method, identity, client, mount, body, sent, remember } = asked;
  const { before } = identity;
  return {
    ecosystem,
    request,
    method,
    identity,
    client,
    mount,
    body,
    sent,
    remember,
    policy: before === null ? policy : policy.asOf(before),
  };
}

async function dispatch(deps: Deps, exchange: Exchange): Promise<Response> {
  const { ecosystem, request, mount } = exchange;
  const target = ecosystem.match(request);
  const json = ecosystem.errorsAsJson === true;
  if (target === null) return respond(request.method === "GET" ? NOT_FOUND : READ_ONLY, { json });
  switch (target.kind) {
    case "index":
      return await serveIndex(deps, exchange, target);
    case "file":
      return await serveFile(deps, exchange, target);
    case "pass":
      return await servePass(deps, exchange, target);
    case "page":
      return await servePage(deps, exchange, target);
    case "fixed":
      return serveFixed(deps, exchange, target);
    case "redirect":
      return new Response(null, {
        status: 301,
        headers: { location: `${mount}${target.path}`, "cache-control": "private, no-cache" },
      });
  }
}

async function servePage(deps: Deps, exchange: Exchange, target: PageTarget): Promise<Response> {
  const { ecosystem, policy, identity, mount } = exchange;
  const source = sourceFor(deps, { ecosystem, name: null, policy, identity });
  const view = { mount, policy };
  const zipped = isZipped(exchange);
  const page = `${ecosystem.id} page ${target.document.url}\n${target.form(view)}`;
  const keyOf = (id: string) => `${page}\n${id}`;
  const kept = await deps.indexes.documentUnlessMade(ecosystem, source, {
    address: target.document,
    reading: target.reading,
    find: (id) => deps.answers.get(keyOf(id), zipped),
  });
  if (kept === null) return missing(exchange, null);
  const key = keyOf(kept.id);
  const prepared = kept.made ?? deps.answers.put(key, target.render(kept.value, view), zipped);
  return respondPrepared(deps, exchange, prepared, { key, zipped, staleMs: kept.staleMs });
}

function serveFixed(deps: Deps, exchange: Exchange, target: FixedTarget): Response {
  const { ecosystem, request, mount, policy } = exchange;
  const key = `${ecosystem.id} ${request.mount}/${request.path}\n${mount}\n${policy.revision}`;
  const zipped = isZipped(exchange);
  const prepared = deps.answers.get(key, zipped) ??
    deps.answers.put(key, target.render({ mount, policy }), zipped);
  return respondPrepared(deps, exchange, prepared, { key, zipped, staleMs: null });
}
