/** One package's index under one policy: rendered once, then answered from memory. */
import type { Document, Index, IndexTarget, Source } from "../ecosystems/ecosystem.ts";
import { indexName } from "../ecosystems/indexes.ts";
import { checked } from "../ecosystems/readings.ts";
import type { Kept } from "../ecosystems/revalidated.ts";
import type { Judgement } from "../policy/types.ts";
import { acceptsGzip, answer, type Prepared } from "./answers.ts";
import type { Deps } from "./deps.ts";
import { type Exchange, missing, refusalOf, staleHeaders, whyAddress } from "./exchange.ts";
import { judgeIndex, peekJudgement } from "./judgements.ts";
import { sourceFor } from "./sources.ts";

/** All that an answer is made of. */
interface Material {
  readonly source: Source;
  readonly kept: Kept<Index>;
  readonly judgement: Judgement;
  /** Of the second document; null: the form needs none. */
  readonly document: Kept<Document> | null;
}

/** Loads, judges and renders. Throws UpstreamError, InvalidMetadata, StoreUnavailable. */
export async function serveIndex(
  deps: Deps,
  exchange: Exchange,
  target: IndexTarget,
): Promise<Response> {
  const { ecosystem, policy, identity } = exchange;
  const { name } = target;
  const source = sourceFor(deps, { ecosystem, name, policy, identity });
  deps.facts.expect(ecosystem, name, { policy, source });
  const kept = await deps.indexes.load(ecosystem, name, { source, purpose: "answer" });
  if (kept === null) return missing(exchange, name);
  const served = await serveFrom(deps, exchange, target, { source, kept });
  if (served !== null) return served;
  const newer = await deps.indexes.load(ecosystem, name, { source, purpose: "missed" });
  if (newer === null || newer.value === kept.value) return missing(exchange, name);
  return await serveFrom(deps, exchange, target, { source, kept: newer }) ??
    missing(exchange, name);
}

/** null: this index has no such form. */
async function serveFrom(
  deps: Deps,
  exchange: Exchange,
  target: IndexTarget,
  { source, kept }: Pick<Material, "source" | "kept">,
): Promise<Response | null> {
  const { ecosystem, policy, client } = exchange;
  const judgement = await judgeIndex(deps, { kept, policy, client });
  deps.facts.lookAhead(kept.value, judgement, policy);
  const address = secondAddress(target, kept.value);
  const document = address === null ? null : await deps.indexes.document(ecosystem, source, {
    address,
    reading: checked((second) => kept.value.checkDocument?.(target.form, second)),
  });
  if (address !== null && document === null) return missing(exchange, target.name);
  return render(deps, exchange, { target, material: { source, kept, judgement, document } });
}

/** The same without waiting; null: something has to be waited for, or rendered first. */
export function servePrepared(
  deps: Deps,
  exchange: Exchange,
  target: IndexTarget,
): Response | null {
  const { ecosystem, policy, identity, client } = exchange;
  // A private registry's credential may be missing, or the name refused, which is for `serveIndex` to say.
  if (policy.registries.length > 0 || policy.judgeName !== null) return null;
  const source = sourceFor(deps, { ecosystem, name: target.name, policy, identity });
  const kept = deps.indexes.peek(ecosystem, target.name, { source, purpose: "answer" });
  if (kept === undefined || secondAddress(target, kept.value) !== null) return null;
  const judgement = peekJudgement(deps, { kept, policy, client });
  if (judgement === undefined) return null;
  const key = keyOf(exchange, target, { source, kept, judgement, document: null });
  const zipped = isZipped(exchange);
  const prepared = deps.answers.get(key, zipped);
  if (prepared === undefined) return null;
  if (kept.staleMs === null && policy.before === null) {
    const [{ name }, { id }, { revision }, { signature }] = [target, kept, policy, judgement];
    exchange.remember?.({
      identity,
      ecosystem,
      name,
      source,
      id,
      revision,
      signature,
      key,
      zipped,
    });
  }
  return respondPrepared(deps, exchange, prepared, { key, staleMs: kept.staleMs, zipped });
}

/** Where the second document is that a form is made from; null: it needs none. */
function secondAddress(target: IndexTarget, index: Index) {
  return target.document ?? index.documentFor?.(target.form) ?? null;
}

function render(
  deps: Deps,
  exchange: Exchange,
  { target, material }: { target: IndexTarget; material: Material },
): Response | null {
  const { ecosystem, policy, mount } = exchange;
  const { kept, judgement, document } = material;
  const key = keyOf(exchange, target, material);
  const coded = { key, staleMs: kept.staleMs, zipped: isZipped(exchange) };
  const known = deps.answers.get(key, coded.zipped);
  if (known !== undefined) return respondPrepared(deps, exchange, known, coded);
  const view = {
    mount,
    policy,
    judgement,
    direct: isDirect(exchange, material),
    why: (purl: string) => whyAddress(exchange, purl),
  };
  const rendered = kept.value.render(target.form, view, document?.value);
  if (rendered === null) return null;
  if ("withheld" in rendered) {
    const position = rendered.withheld;
    const refusal = refusalOf(exchange, { index: kept.value, position, judgement });
    return ecosystem.refuse(refusal, exchange.request);
  }
  return respondPrepared(deps, exchange, deps.answers.put(key, rendered, coded.zipped), coded);
}

/** Private addresses are no use to a client without the credential. */
function isDirect({ policy }: Exchange, { source }: Material): boolean {
  return policy.downloads === "direct" && source.partition === "";
}

/** Orgs whose policies let the same through share an answer; the address is in it. */
function keyOf(exchange: Exchange, { name, form }: IndexTarget, material: Material): string {
  const { source, kept, judgement, document } = material;
  const { ecosystem, mount, identity } = exchange;
  const common = indexName(ecosystem, name);
  // Where something is withheld, the answer may lead to the org's page.
  const org = judgement.denied === 0 ? "" : identity.unnamedOrg ?? "";
  return `${ecosystem.id}\n${source.partition}\n${common}\n${kept.id}\n${document?.id ?? ""}\n` +
    `${form}\n${mount}\n${org}\n${isDirect(exchange, material) ? "direct" : ""}\n` +
    judgement.signature;
}

/** Whether the client takes gzip. */
export function isZipped({ request }: Exchange): boolean {
  return acceptsGzip(request.headers.get("accept-encoding"));
}

/** Throws TypeError where the answer is not prepared in this coding. */
export function respondPrepared(
  deps: Pick<Deps, "answers">,
  { policy, method, request }: Exchange,
  prepared: Prepared,
  { key, staleMs, zipped }: { key: string; staleMs: number | null; zipped: boolean },
): Response {
  const extra = staleHeaders(staleMs);
  const template = deps.answers.templateOf(prepared, {
    key,
    revision: policy.revision,
    zipped,
    extra,
  });
  return answer(template, { method, headers: request.headers });
}
