import type { PassTarget } from "../ecosystems/ecosystem.ts";
import { InvalidMetadata, UpstreamError } from "../ecosystems/errors.ts";
import type { BodyShare } from "../policy/bounded_body.ts";
import type { Deps } from "./deps.ts";
import { NOT_FOUND, RequestError, respond } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import { FOREIGN_HEADERS } from "./foreign_headers.ts";
import { sourceFor } from "./sources.ts";

/**
 * Hands a small exchange on to its fixed upstream address. npm's advisories
 * lift `min_age` on the way back, for this client and for a minute.
 */
export async function servePass(
  deps: Deps,
  exchange: Exchange,
  target: PassTarget,
): Promise<Response> {
  const { ecosystem, policy, identity, client, method } = exchange;
  const source = sourceFor(deps, { ecosystem, name: target.name ?? null, policy, identity });
  const context = await deps.indexes.context(ecosystem, source);
  const url = ecosystem.resolvePass === undefined
    ? target.path
    : await ecosystem.resolvePass(target, context);
  if (url === null) return respond(NOT_FOUND, { json: ecosystem.errorsAsJson === true });
  using share = deps.bodies.open();
  const passed = await deps.upstream.pass(source, { url, accept: target.accept }, {
    method: target.method,
    body: target.method === "POST"
      ? await bodyOf(deps.now(), exchange, { target, share })
      : undefined,
    type: target.method === "POST" ? "application/json" : undefined,
    origins: await deps.indexes.origins(ecosystem, source),
  });
  const { status, retryAfter } = passed;
  // Passed on as it is, it would be taken for the proxy's own, or cannot be answered with.
  if (status < 200 || (status >= 300 && status < 400) || status === 429 || status >= 500) {
    const { host } = new URL(source.url);
    throw new UpstreamError("status", `Upstream ${host} answers ${status}`, { status, retryAfter });
  }
  if (target.audit && status === 200 && policy.auditOverride && ecosystem.lifts) {
    const lifted = ecosystem.lifts(passed.bytes);
    if (lifted.length > 0) {
      await deps.lifts.add(client, lifted);
    }
  }
  const headers = new Headers({ ...FOREIGN_HEADERS, "cache-control": "private, no-store" });
  // The runtime states no length of a 205, so that clients would wait for its body.
  if (status === 204 || status === 205) return new Response(null, { status: 204, headers });
  headers.set("content-length", String(passed.bytes.length));
  if (passed.type !== "") headers.set("content-type", passed.type);
  return new Response(method === "HEAD" ? null : passed.bytes, { status, headers });
}

/** What the client sent, less what is the business of its private registries. Throws RequestError. */
async function bodyOf(
  now: number,
  { ecosystem, policy, body }: Exchange,
  { target: { audit }, share }: { target: PassTarget; share: BodyShare },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await body(share);
  const { id, versions, auditWithout } = ecosystem;
  const hidden = policy.registries.filter((registry) => registry.ecosystem === id);
  const { judgeName } = policy;
  if (!audit || auditWithout === undefined) return bytes;
  if (hidden.length === 0 && judgeName === null) return bytes;
  try {
    return auditWithout(bytes, (name) => {
      const normal = versions.normalizeName(name);
      if (normal === null) return true; // no name of a package: a folder of a workspace
      return hidden.some((registry) => registry.matches(normal)) ||
        judgeName?.(id, normal, now).action === "deny";
    });
  } catch (cause) {
    if (!(cause instanceof InvalidMetadata)) throw cause;
    const problem = { status: 400, code: "body_invalid", message: `${cause.message}.` };
    throw new RequestError(problem, { cause });
  }
}
