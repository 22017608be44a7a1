/** The one pipeline of registry traffic: match, load, judge, then an index, a file or a refusal. */
import type {
  Document,
  Ecosystem,
  Index,
  IndexTarget,
  PageTarget,
  Rendered,
  Source,
} from "../ecosystems/ecosystem.ts";
import type { Kept } from "../ecosystems/revalidated.ts";
import { answer } from "./answers.ts";
import type { Deps } from "./deps.ts";
import { NOT_FOUND, problemOf, READ_ONLY, respond } from "./errors.ts";
import { type Exchange, missing, refusalOf, staleHeaders, whyAddress } from "./exchange.ts";
import { serveFile } from "./files.ts";
import { demand } from "./identity.ts";
import { judgeIndex } from "./judgements.ts";
import { isUnknownOrg } from "./orgs.ts";
import { servePass } from "./passes.ts";
import { sourceFor } from "./sources.ts";

/** Answers a request below a mount; failures become answers here. */
export async function serveRegistry(
  deps: Deps,
  asked: Omit<Exchange, "policy">,
): Promise<Response> {
  const { ecosystem, identity } = asked;
  const json = ecosystem.errorsAsJson === true;
  try {
    if (await isUnknownOrg(deps, identity)) {
      return respond({ ...NOT_FOUND, message: `There is no org "${identity.org}".` }, { json });
    }
    const policy = await deps.policies.get(identity.org);
    const missing = demand(policy.auth, identity);
    if (missing !== null) return respond(problemOf(missing), { json });
    return await dispatch(deps, { ...asked, policy });
  } catch (error) {
    const problem = problemOf(error);
    deps.log({
      event: "failure",
      code: problem.code,
      status: problem.status,
      org: identity.org,
      ecosystem: ecosystem.id,
      path: asked.request.path,
      error: describe(error),
    });
    return respond(problem, { json });
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  const stack = error.constructor === Error || error instanceof TypeError ? ` ${error.stack}` : "";
  return `${error.name}: ${error.message}${cause}${stack}`;
}

async function dispatch(deps: Deps, exchange: Exchange): Promise<Response> {
  const { ecosystem, request, mount, policy } = exchange;
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
      return serveRendered(deps, exchange, {
        key: `${ecosystem.id} ${request.mount}/${request.path}\n${mount}`,
        render: () => target.render({ mount, policy }),
      });
    case "redirect":
      return new Response(null, {
        status: 301,
        headers: { location: `${mount}${target.path}`, "cache-control": "private, no-cache" },
      });
  }
}

async function serveIndex(deps: Deps, exchange: Exchange, target: IndexTarget): Promise<Response> {
  const { ecosystem, policy, identity, mount, ip } = exchange;
  const { name, form } = target;
  const source = sourceFor(deps, { ecosystem, name, policy, identity });
  const kept = await deps.indexes.load(ecosystem, name, { source, purpose: "answer" });
  if (kept === null) return missing(exchange, name);
  const client = { org: identity.org, user: identity.user, ip };
  const judgement = await judgeIndex(deps, { kept, policy, client });
  const document = await secondDocument(deps, { ecosystem, target, index: kept.value, source });
  if (document === null) return missing(exchange, name);
  const direct = policy.downloads === "direct" && source.partition === "";
  const key = `${ecosystem.id}\n${source.partition}\n${name}\n${kept.id}\n${document?.id ?? ""}\n` +
    `${form}\n${mount}\n${direct ? "direct" : ""}\n${judgement.signature}`;
  let prepared = deps.answers.get(key);
  if (prepared === undefined) {
    const view = {
      mount,
      policy,
      judgement,
      direct,
      why: (purl: string) => whyAddress(exchange, purl),
    };
    const rendered = kept.value.render(form, view, document?.value);
    if (rendered === null) return missing(exchange, name);
    if ("withheld" in rendered) {
      return ecosystem.refuse(
        refusalOf(exchange, { index: kept.value, position: rendered.withheld, judgement }),
        exchange.request,
      );
    }
    prepared = deps.answers.put(key, rendered);
  }
  return answer(prepared, {
    key,
    revision: policy.revision,
    request: { method: exchange.method, headers: exchange.request.headers },
    extra: staleHeaders(kept.staleMs),
  });
}

/** undefined: the form needs none; null: upstream has none. */
async function secondDocument(
  deps: Deps,
  { ecosystem, target, index, source }: {
    ecosystem: Ecosystem;
    target: IndexTarget;
    index: Index;
    source: Source;
  },
): Promise<Kept<Document> | null | undefined> {
  const address = target.document ?? index.documentFor?.(target.form) ?? null;
  return address === null ? undefined : await deps.indexes.document(ecosystem, source, address);
}

async function servePage(deps: Deps, exchange: Exchange, target: PageTarget): Promise<Response> {
  const { ecosystem, policy, identity, mount } = exchange;
  const source = sourceFor(deps, { ecosystem, name: null, policy, identity });
  const kept = await deps.indexes.document(ecosystem, source, target.document);
  if (kept === null) return missing(exchange, null);
  return serveRendered(deps, exchange, {
    key: `${ecosystem.id} page ${kept.id}\n${target.document.accept}\n${exchange.request.path}\n` +
      `${exchange.request.headers.get("accept")}\n${mount}`,
    render: () => target.render(kept.value, { mount, policy }),
    extra: staleHeaders(kept.staleMs),
  });
}

function serveRendered(
  deps: Deps,
  exchange: Exchange,
  { key, render, extra }: {
    key: string;
    render: () => Rendered;
    extra?: Readonly<Record<string, string>>;
  },
): Response {
  const { policy, method, request } = exchange;
  const full = `${key}\n${policy.revision}`;
  const prepared = deps.answers.get(full) ?? deps.answers.put(full, render());
  return answer(prepared, {
    key: full,
    revision: policy.revision,
    request: { method, headers: request.headers },
    extra,
  });
}
