/** A file: found through its index, judged, streamed, verified, recorded. */
import type { FileTarget, Index, Located, Source } from "../ecosystems/ecosystem.ts";
import type { Kept } from "../ecosystems/revalidated.ts";
import type { FileAnswer } from "../ecosystems/upstream.ts";
import { UpstreamError } from "../ecosystems/errors.ts";
import { type Passed, passedOf, roomFor, verified } from "../ecosystems/verified.ts";
import { purl } from "../policy/purl.ts";
import type { Judgement, RecordInput } from "../policy/types.ts";
import { approversOrigin } from "./ask_origin.ts";
import type { Deps } from "./deps.ts";
import { detailOf, problemOf } from "./errors.ts";
import { judgeIndex } from "./judgements.ts";
import { type Exchange, missing, refusalOf, staleHeaders, whyAddress } from "./exchange.ts";
import { FOREIGN_HEADERS } from "./foreign_headers.ts";
import { sourceFor } from "./sources.ts";

/** Milliseconds that a file waits for the memory it will be held back in. */
const ROOM_MS = 10_000;

interface Found {
  readonly kept: Kept<Index>;
  readonly located: Located;
  readonly source: Source;
}

export async function serveFile(
  deps: Deps,
  exchange: Exchange,
  target: FileTarget,
): Promise<Response> {
  const { policy, client, method, ecosystem } = exchange;
  const found = await find(deps, exchange, target);
  if (found === null) return missing(exchange, target.names[0]);
  const { kept, located, source } = found;
  const index = kept.value;
  const judgement = await judgeIndex(deps, { kept, policy, client });
  const record = recordOf(exchange, { index, located, judgement });
  if (record.verdict === "deny") {
    if (method === "GET") {
      await put(deps, exchange, { kind: "refusal", record });
      tell(deps, exchange, record);
    }
    log(deps, exchange, record);
    const position = located.release;
    const { filename } = located.file;
    return ecosystem.refuse(
      refusalOf(exchange, { index, position, judgement, filename }),
      exchange.request,
    );
  }
  if (policy.downloads === "redirect" && source.partition === "") {
    if (method === "GET") await store(deps, exchange, { located, record });
    return new Response(null, {
      status: 302,
      headers: { location: located.file.url, "cache-control": "private, no-store" },
    });
  }
  return await stream(deps, exchange, { found, record });
}

async function find(deps: Deps, exchange: Exchange, target: FileTarget): Promise<Found | null> {
  const { ecosystem, policy, identity } = exchange;
  const held: { name: string; source: Source }[] = [];
  for (const name of target.names) {
    const source = sourceFor(deps, { ecosystem, name, policy, identity });
    deps.facts.expect(ecosystem, name, { policy, source });
    const kept = await deps.indexes.load(ecosystem, name, { source, purpose: "file" });
    const located = kept?.value.locate(target.path) ?? null;
    if (kept !== null && located !== null) return { kept, located, source };
    if (kept !== null) held.push({ name, source });
  }
  // Only once no index has it: those of the other names would be asked for again and again.
  for (const { name, source } of held) {
    const kept = await deps.indexes.load(ecosystem, name, { source, purpose: "missed" });
    const located = kept?.value.locate(target.path) ?? null;
    if (kept !== null && located !== null) return { kept, located, source };
  }
  return null;
}

async function stream(
  deps: Deps,
  exchange: Exchange,
  { found, record }: { found: Found; record: RecordInput },
): Promise<Response> {
  const { kept, located, source } = found;
  const { file } = located;
  const finish = (passed: Passed) =>
    store(deps, exchange, { located, record: { ...record, ...passed } });
  const held = deps.files.find(source, file);
  if (held !== undefined) {
    const { body, type } = held;
    const headers = headersOf(found, { type, length: body.length });
    if (exchange.method === "HEAD") return new Response(null, { headers });
    await finish(passedOf(file.digest, body.length));
    return body.respond(headers);
  }
  if (isLeftToClient(exchange, located)) return await handOver(deps, exchange, { found, record });
  const upstream = await ask(deps, exchange, found);
  if (upstream === null) return missing(exchange, kept.value.name);
  const headers = headersOf(found, upstream);
  if (exchange.method === "HEAD") {
    await upstream.body.cancel();
    return new Response(null, { headers });
  }
  const { digest, size } = file;
  const holdBack = located.companion || comparesItself(exchange)
    ? null
    : exchange.ecosystem.holdBack?.(file.filename) ?? null;
  const share = deps.heldFiles.open();
  const room = roomFor({ size, holdBack }, upstream.length);
  if (room > 0 && !await share.reserve(room, ROOM_MS)) {
    await upstream.body.cancel();
    throw new UpstreamError("busy", "Too many files are being held back", { retryAfter: "5" });
  }
  const body = verified(upstream.body, {
    digest,
    size,
    gathering: deps.files.gather(source, file, upstream),
    holdBack,
    share,
    clientMs: upstream.clientMs,
    finish,
    broken: (error) =>
      deps.log({
        event: "broken",
        code: problemOf(error).code,
        org: record.org,
        purl: record.purl,
        filename: record.filename,
        error: detailOf(error),
      }),
  });
  return new Response(body, { headers });
}

function isLeftToClient(
  exchange: Exchange,
  { file, companion }: Located,
): boolean {
  if (exchange.policy.verify !== "client" || exchange.method !== "GET") return false;
  if (companion || file.digest === null) return false;
  return comparesItself(exchange);
}

/** Whether the client says that it refuses a file which is not the one of its index. */
function comparesItself({ ecosystem, request }: Exchange): boolean {
  return ecosystem.verifyingClients.test(request.headers.get("user-agent") ?? "");
}

/**
 * What upstream sends goes to the client untouched, who compares it with the
 * index's digest. It is recorded while upstream is being asked, so that nothing
 * waits between the two.
 */
async function handOver(
  deps: Deps,
  exchange: Exchange,
  { found, record }: { found: Found; record: RecordInput },
): Promise<Response> {
  const { kept, located } = found;
  const bytes = located.file.size ?? 0;
  const stored = store(deps, exchange, { located, record: { ...record, bytes } });
  stored.catch(() => {}); // waited for below, unless upstream fails first
  const upstream = await ask(deps, exchange, found);
  if (upstream === null) return missing(exchange, kept.value.name);
  try {
    await stored;
  } catch (error) {
    await upstream.body.cancel();
    throw error;
  }
  const body = upstream.untouched(exchange.sent());
  return new Response(body, { headers: headersOf(found, upstream) });
}

async function ask(
  deps: Deps,
  { ecosystem }: Exchange,
  { source, located }: Found,
): Promise<FileAnswer | null> {
  const origins = await deps.indexes.origins(ecosystem, source);
  return await deps.upstream.file(source, located.file.url, { origins });
}

function headersOf(
  { kept, located }: Found,
  { type, length }: { type: string | null; length: number | null },
): Record<string, string> {
  const stated = length ?? located.file.size;
  return {
    "content-type": type ?? "application/octet-stream",
    "cache-control": "private, no-cache",
    ...FOREIGN_HEADERS,
    ...staleHeaders(kept.staleMs),
    ...(stated === null ? {} : { "content-length": String(stated) }),
  };
}

/** On record before the client has the last byte. Companions are no installs. */
async function store(
  deps: Deps,
  exchange: Exchange,
  { located, record }: { located: Located; record: RecordInput },
): Promise<void> {
  if (located.companion) return;
  const writes = [put(deps, exchange, { kind: "install", record })];
  if (record.verdict === "warn") writes.push(put(deps, exchange, { kind: "refusal", record }));
  await Promise.all(writes);
  if (record.verdict === "warn") tell(deps, exchange, record);
  log(deps, exchange, record);
}

/** Throws StoreUnavailable, unless the policy prefers files without a record to none. */
function put(
  { records }: Deps,
  { policy }: Exchange,
  { kind, record }: { kind: "install" | "refusal"; record: RecordInput },
) {
  return policy.onStoreFailure === "allow"
    ? records.addOrKeep(kind, record)
    : records.add(kind, record);
}

/** Webhooks hear of it later; nobody waits for that. */
function tell({ refusalNews, settings }: Deps, exchange: Exchange, record: RecordInput): void {
  // Those who are told sign in there, so it is no address that whoever asks may choose.
  const known = approversOrigin(settings, exchange.identity) !== null;
  refusalNews.tell(exchange.policy, record, known ? whyAddress(exchange, record.purl) : null);
}

function log(deps: Deps, exchange: Exchange, record: RecordInput): void {
  deps.log({
    event: record.verdict === "deny" ? "refused" : "installed",
    org: record.org,
    user: record.user,
    ip: record.ip,
    purl: record.purl,
    filename: record.filename,
    bytes: record.bytes,
    verdict: record.verdict,
    code: record.code,
    policy: exchange.policy.revision,
  });
}

function recordOf(
  exchange: Exchange,
  { index, located, judgement }: { index: Index; located: Located; judgement: Judgement },
): RecordInput {
  const { ecosystem, client, policy } = exchange;
  const { version } = index.releases[located.release];
  const verdict = judgement.verdicts[located.release];
  return {
    org: client.org,
    user: client.user,
    ip: client.ip,
    ecosystem: ecosystem.id,
    package: index.name,
    version,
    filename: located.file.filename,
    purl: purl(ecosystem.versions.purlType, index.name, version),
    bytes: 0,
    verdict: verdict.action,
    policy: policy.revision,
    ...(verdict.code === null ? {} : { code: verdict.code, reason: verdict.message }),
  };
}
