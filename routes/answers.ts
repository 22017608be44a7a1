/** Prepared index answers: rendered once per set of releases let through, compressed once, revalidated by ETag. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { LRUCache } from "lru-cache";
import type { Rendered } from "../ecosystems/ecosystem.ts";
import type { SharedBodies, SharedBody } from "../ecosystems/shared_body.ts";
import { FOREIGN_HEADERS } from "./foreign_headers.ts";

/** Below this a compressed answer saves nothing. */
const MIN_GZIP = 860;
/** Above these sizes speed counts for more than the last tenth of the size. */
const LEVELS = [[1024 * 1024, 1], [128 * 1024, 2], [0, 6]] as const;

/** What an entry holds besides its bytes, its key and its templates, roughly. */
const OVERHEAD = 1_500;
/** What a template holds besides the body, roughly. */
const TEMPLATE = 2_500;
/**
 * Of one answer: orgs whose policies differ and still let the same through have each their own.
 * They take their room from other answers, and are made faster than those.
 */
const MAX_TEMPLATES = 32;

/** One answer, in the codings it has been asked for in. */
export interface Prepared {
  readonly type: string;
  /** null: nobody has asked for it. */
  readonly identity: SharedBody | null;
  /** null: nobody has asked for it, or it is too small. */
  readonly gzip: SharedBody | null;
  /** By `variant`. */
  readonly templates: Map<string, Template>;
}

type Headings = Readonly<Record<string, string>>;

/** Which answer is asked for. */
interface Asked {
  readonly key: string;
  /** Of the policy. */
  readonly revision: string;
  /** Whether the client takes gzip. */
  readonly zipped: boolean;
}

/** What everybody gets who asks for the same. */
export interface Template {
  readonly headers: Headings;
  readonly etag: string;
  /** The whole answer. */
  readonly make: () => Response;
}

export class Answers {
  readonly #prepared: LRUCache<string, Prepared>;
  readonly #bodies: SharedBodies;

  /** @param bytes bound on what is held */
  constructor(bytes: number, bodies: SharedBodies) {
    this.#prepared = new LRUCache({ maxSize: Math.max(bytes, 1) });
    this.#bodies = bodies;
  }

  /**
   * The answer, if it is at hand for such a client; undefined: to be rendered.
   * @param zipped whether the client takes gzip
   */
  get(key: string, zipped: boolean): Prepared | undefined {
    const known = this.#prepared.get(key);
    return known !== undefined && bodyFor(known, zipped) !== null ? known : undefined;
  }

  /**
   * @param key unique to content, form, address and set of releases
   * @param zipped whether the client takes gzip
   */
  put(key: string, rendered: Rendered, zipped: boolean): Prepared {
    const { body, type } = rendered;
    const identity = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const known = this.#prepared.peek(key);
    const zips = zipped && identity.length >= MIN_GZIP;
    const made = this.#bodies.of(zips ? compress(identity) : identity);
    // One coding is held unless the other is wanted too: nearly every client takes gzip.
    const prepared: Prepared = {
      type,
      identity: zips ? known?.identity ?? null : made,
      gzip: zips ? made : known?.gzip ?? null,
      templates: known?.templates ?? new Map(),
    };
    this.#hold(key, prepared);
    return prepared;
  }

  /**
   * What is sent. Throws TypeError where the answer is not prepared in this coding.
   * @param extra headers of this moment
   */
  templateOf(prepared: Prepared, asked: Asked & { readonly extra?: Headings }): Template {
    const { key, revision, zipped, extra } = asked;
    if (extra !== undefined) return makeTemplate(prepared, asked);
    const { templates } = prepared;
    const variant = variantOf(revision, zipped);
    const known = templates.get(variant);
    if (known !== undefined) return known;
    const template = makeTemplate(prepared, asked);
    if (templates.size >= MAX_TEMPLATES) templates.clear();
    templates.set(variant, template);
    if (this.#prepared.peek(key) === prepared) this.#hold(key, prepared);
    return template;
  }

  /** Taken out first, since what is there already keeps the size that it had. */
  #hold(key: string, prepared: Prepared): void {
    const { identity, gzip, templates } = prepared;
    const bodies = (identity?.length ?? 0) + (gzip?.length ?? 0);
    const size = bodies + key.length * 2 + OVERHEAD + templates.size * TEMPLATE;
    this.#prepared.delete(key);
    this.#prepared.set(key, prepared, { size });
  }
}

function compress(identity: Uint8Array): Uint8Array<ArrayBuffer> {
  const [, level] = LEVELS.find(([above]) => identity.length > above) ?? LEVELS[2];
  const { buffer, byteOffset, byteLength } = gzipSync(identity, { level });
  // Never shared: the compressor made it.
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** What is sent to a client that takes gzip, or does not; null: it has not been prepared in this coding. */
function bodyFor({ identity, gzip }: Prepared, zipped: boolean): SharedBody | null {
  if (!zipped) return identity;
  return gzip ?? (identity !== null && identity.length < MIN_GZIP ? identity : null);
}

/** Names a template of a prepared answer: a changed policy is a changed answer. */
function variantOf(revision: string, zipped: boolean): string {
  return `${revision}\n${zipped ? "gzip" : "identity"}`;
}

/** @param extra headers of this moment */
function makeTemplate(
  prepared: Prepared,
  { key, revision, zipped, extra }: Asked & { readonly extra?: Headings },
): Template {
  const body = bodyFor(prepared, zipped);
  if (body === null) throw new TypeError("Cannot answer in a coding that is not prepared");
  const isGzip = body === prepared.gzip;
  const etag = etagOf(key, { revision, zipped: isGzip });
  const headers = {
    "content-type": prepared.type,
    "etag": etag,
    "cache-control": "private, no-cache",
    "vary": "Accept, Accept-Encoding, Authorization",
    // Browsers open nothing else of these as a page.
    ...(prepared.type.includes("json") ? undefined : FOREIGN_HEADERS),
    ...extra,
    ...(isGzip ? { "content-encoding": "gzip" } : undefined),
    "content-length": String(body.length),
  };
  return { headers, etag, make: body.template(headers) };
}

/** The answer to one request: 200 or 304. */
export function answer(
  { headers, etag, make }: Template,
  request: { readonly method: string; readonly headers: Headers },
): Response {
  if (matches(request.headers.get("if-none-match"), etag)) {
    const { "content-encoding": _coding, "content-length": _length, ...rest } = headers;
    return new Response(null, { status: 304, headers: rest });
  }
  return request.method === "HEAD" ? new Response(null, { headers }) : make();
}

function etagOf(key: string, { revision, zipped }: { revision: string; zipped: boolean }): string {
  const variant = variantOf(revision, zipped);
  const hash = createHash("sha256").update(`${variant}\n${key}`).digest("base64url");
  return `"${hash.slice(0, 27)}"`;
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
