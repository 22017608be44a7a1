/** Prepared index answers: rendered once per set of releases let through, compressed once, revalidated by ETag. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { LRUCache } from "lru-cache";
import type { Rendered } from "../ecosystems/ecosystem.ts";

/** Below this a compressed answer saves nothing. */
const MIN_GZIP = 860;
/** Above this, level 1: twice as fast for a few per cent of size. */
const FAST_GZIP = 1024 * 1024;

export interface Prepared {
  readonly type: string;
  readonly identity: Uint8Array<ArrayBuffer>;
  gzip: Uint8Array<ArrayBuffer> | null;
  readonly etags: Map<string, string>;
}

export class Answers {
  readonly #prepared: LRUCache<string, Prepared>;

  /** @param bytes bound on what is held */
  constructor(bytes: number) {
    this.#prepared = new LRUCache({ maxSize: Math.max(bytes, 1) });
  }

  get(key: string): Prepared | undefined {
    return this.#prepared.get(key);
  }

  /** @param key unique to content, form, address and set of releases */
  put(key: string, rendered: Rendered): Prepared {
    const { body, type } = rendered;
    const identity = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const gzip = identity.length < MIN_GZIP
      ? null
      : new Uint8Array(gzipSync(identity, { level: identity.length > FAST_GZIP ? 1 : 6 }));
    const prepared: Prepared = { type, identity, gzip, etags: new Map() };
    const size = identity.length + (gzip?.length ?? 0) + key.length * 2 + 500;
    this.#prepared.set(key, prepared, { size });
    return prepared;
  }
}

/** The answer to one request: 200 or 304. */
export function answer(
  prepared: Prepared,
  { key, revision, request, extra }: {
    key: string;
    /** Of the policy: a changed policy is a changed answer. */
    revision: string;
    request: { readonly method: string; readonly headers: Headers };
    extra?: Readonly<Record<string, string>>;
  },
): Response {
  const zipped = prepared.gzip !== null && acceptsGzip(request.headers.get("accept-encoding"));
  const body = zipped ? prepared.gzip! : prepared.identity;
  const etag = etagOf(prepared, { key, revision, zipped });
  const headers: Record<string, string> = {
    "content-type": prepared.type,
    "etag": etag,
    "cache-control": "private, no-cache",
    "vary": "Accept, Accept-Encoding, Authorization",
    ...extra,
  };
  if (matches(request.headers.get("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers });
  }
  if (zipped) headers["content-encoding"] = "gzip";
  headers["content-length"] = String(body.length);
  return new Response(request.method === "HEAD" ? null : body, { headers });
}

function etagOf(
  prepared: Prepared,
  { key, revision, zipped }: { key: string; revision: string; zipped: boolean },
): string {
  const variant = `${revision}\n${zipped ? "gzip" : "identity"}`;
  let etag = prepared.etags.get(variant);
  if (etag === undefined) {
    if (prepared.etags.size > 1000) prepared.etags.clear();
    const hash = createHash("sha256").update(`${variant}\n${key}`).digest("base64url");
    etag = `"${hash.slice(0, 27)}"`;
    prepared.etags.set(variant, etag);
  }
  return etag;
}

/** If-None-Match, compared weakly (RFC 9110, 13.1.2). */
function matches(header: string | null, etag: string): boolean {
  if (header === null) return false;
  if (header === etag || header.trim() === "*") return true;
  return header.split(",").some((part) => part.trim().replace(/^W\//, "") === etag);
}

/** Whether gzip is acceptable and not refused by `q=0`. */
export function acceptsGzip(header: string | null): boolean {
  if (header === null) return false;
  if (!/\bgzip\b|\*/i.test(header)) return false;
  let star = false;
  for (const part of header.split(",")) {
    const [coding, ...parameters] = part.split(";");
    const refused = parameters.some((text) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/i.test(text));
    const name = coding.trim().toLowerCase();
    if (name === "gzip" || name === "x-gzip") return !refused;
    if (name === "*") star = !refused;
  }
  return star;
}
