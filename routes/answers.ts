/** Prepared index answers: rendered once per set of releases let through, compressed once, revalidated by ETag. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { LRUCache } from "lru-cache";
import type { Rendered } from "../ecosystems/ecosystem.ts";
import { FOREIGN_HEADERS } from "./foreign_headers.ts";

/** Below this a compressed answer saves nothing. */
const MIN_GZIP = 860;
/** Above these sizes speed counts for more than the last tenth of the size. */
const LEVELS = [[1024 * 1024, 1], [128 * 1024, 2], [0, 6]] as const;

/** One answer, in the codings it has been asked for in. */
export interface Prepared {
  readonly type: string;
  /** null: nobody has asked for it. */
  readonly identity: Uint8Array<ArrayBuffer> | null;
  /** null: nobody has asked for it, or it is too small. */
  readonly gzip: Uint8Array<ArrayBuffer> | null;
  readonly etags: Map<string, string>;
}

export class Answers {
  readonly #prepared: LRUCache<string, Prepared>;

  /** @param bytes bound on what is held */
  constructor(bytes: number) {
    this.#prepared = new LRUCache({ maxSize: Math.max(bytes, 1) });
  }

  /** The answer in the coding that a request with these headers gets; undefined: to be rendered. */
  get(key: string, headers: Headers): Prepared | undefined {
    const known = this.#prepared.get(key);
    return known !== undefined && bodyFor(known, headers) !== null ? known : undefined;
  }

  /** @param key unique to content, form, address and set of releases */
  put(key: string, rendered: Rendered, headers: Headers): Prepared {
    const { body, type } = rendered;
    const identity = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const known = this.#prepared.peek(key);
    const zipped = identity.length >= MIN_GZIP && isZipped(headers);
    // One coding is held unless the other is wanted too: nearly every client takes gzip.
    const prepared: Prepared = {
      type,
      identity: zipped ? known?.identity ?? null : identity,
      gzip: zipped ? compress(identity) : known?.gzip ?? null,
      etags: known?.etags ?? new Map(),
    };
    const held = (prepared.identity?.length ?? 0) + (prepared.gzip?.length ?? 0);
    this.#prepared.set(key, prepared, { size: held + key.length * 2 + 500 });
    return prepared;
  }
}

function compress(identity: Uint8Array): Uint8Array<ArrayBuffer> {
  const [, level] = LEVELS.find(([above]) => identity.length > above) ?? LEVELS[2];
  return new Uint8Array(gzipSync(identity, { level }));
}

function isZipped(headers: Headers): boolean {
  return acceptsGzip(headers.get("accept-encoding"));
}

/** What is sent; null: it has not been prepared in this coding. */
function bodyFor(
  { identity, gzip }: Prepared,
  headers: Headers,
): Uint8Array<ArrayBuffer> | null {
  if (!isZipped(headers)) return identity;
  return gzip ?? (identity !== null && identity.length < MIN_GZIP ? identity : null);
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
  const body = bodyFor(prepared, request.headers);
  if (body === null) throw new TypeError("Cannot answer in a coding that is not prepared");
  const zipped = body === prepared.gzip;
  const etag = etagOf(prepared, { key, revision, zipped });
  const headers: Record<string, string> = {
    "content-type": prepared.type,
    "etag": etag,
    "cache-control": "private, no-cache",
    "vary": "Accept, Accept-Encoding, Authorization",
    // Browsers open nothing else of these as a page.
    ...(prepared.type.includes("json") ? undefined : FOREIGN_HEADERS),
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
