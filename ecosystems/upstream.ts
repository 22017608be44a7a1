/** The only fetch of registries: documents, files and small exchanges, each within bounds. */
import type { Document, DocumentAddress, Source } from "./ecosystem.ts";
import { UpstreamError } from "./errors.ts";
import { guardedPieces, type Pieces, streamOf, streamPieces } from "./file_body.ts";
import { HostSlots } from "./host_slots.ts";
import { type HttpAnswer, HttpClient, type HttpOpened } from "./http_client.ts";
import {
  type Answered,
  type Asked,
  type Followed,
  Outgoing,
  type OutgoingOptions,
} from "./outgoing.ts";
import { LIMITS, type UpstreamLimits } from "./upstream_limits.ts";

export type { UpstreamLimits } from "./upstream_limits.ts";
export type { Pieces } from "./file_body.ts";

/** What a conditional request carries. */
export interface Validators {
  readonly etag: string | null;
  /** null: not stated, or of the very second in which it was sent. */
  readonly lastModified: string | null;
}

export type DocumentAnswer =
  | {
    readonly kind: "document";
    readonly document: Document;
    /** Its bytes as they came. */
    readonly wire: Uint8Array<ArrayBuffer>;
    readonly validators: Validators;
    /** Seconds it may be used without asking again; null: upstream does not say. */
    readonly maxAge: number | null;
  }
  | { readonly kind: "unchanged"; readonly maxAge: number | null }
  | { readonly kind: "missing" };

export interface FileAnswer {
  /** Its bytes, to be looked at: bounded, and with a deadline for silence. */
  readonly body: Pieces;
  /**
   * Its bytes in place of `body`, for the runtime to send without a look at
   * them; how long that takes is between upstream and the client.
   * @param sent settles when nothing more of them will be sent
   */
  untouched(sent: Promise<void>): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** null: not stated, or the body comes inflated. */
  readonly length: number | null;
  readonly type: string | null;
  /** Milliseconds that a client may take nothing of what has come. */
  readonly clientMs: number;
}

export interface PassAnswer {
  readonly status: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** Its Retry-After, as sent. */
  readonly retryAfter: string | undefined;
}

export type UpstreamOptions = Omit<OutgoingOptions, "limits"> & {
  readonly limits?: Partial<UpstreamLimits>;
};

/** One upstream client for all ecosystems. */
export class Upstream {
  readonly #limits: UpstreamLimits;
  readonly #outgoing: Outgoing;
  readonly #trusted = new HttpClient();
  /** Apart, so that no connection is used again that was made without a look at its address. */
  readonly #guarded = new HttpClient();
  readonly #documents: HostSlots;
  readonly #files: HostSlots;

  constructor(options: UpstreamOptions = {}) {
    const limits = { ...LIMITS, ...options.limits };
    const waitMs = limits.queueMs;
    this.#limits = limits;
    this.#outgoing = new Outgoing({ ...options, limits });
    this.#documents = new HostSlots({ atOnce: limits.documentsAtOnce, waitMs });
    this.#files = new HostSlots({ atOnce: limits.filesAtOnce, waitMs });
  }

  /** A whole document. Throws UpstreamError. */
  async document(
    source: Source,
    address: DocumentAddress,
    { validators, origins }: { validators?: Validators; origins?: readonly string[] } = {},
  ): Promise<DocumentAnswer> {
    const headers = new Headers({ accept: address.accept });
    if (validators?.etag) headers.set("if-none-match", validators.etag);
    else if (validators?.lastModified) headers.set("if-modified-since", validators.lastModified);
    const followed = await this.#whole(source, address.url, { headers, origins });
    const { answer, url } = followed;
    if (answer.status === 304 && validators) {
      return { kind: "unchanged", maxAge: maxAge(answer.headers) };
    }
    if (answer.status === 404 || answer.status === 410) return { kind: "missing" };
    if (answer.status !== 200) throw statusError(source, followed);
    return {
      kind: "document",
      document: {
        bytes: answer.bytes,
        type: mediaType(answer.headers),
        url,
        packed: answer.packed,
      },
      wire: answer.wire,
      validators: {
        etag: answer.headers.get("etag"),
        lastModified: lastModified(answer.headers),
      },
      maxAge: maxAge(answer.headers),
    };
  }

  /** A file's body, as it comes; null: upstream has none. Throws UpstreamError; so does the body. */
  async file(
    source: Source,
    url: string,
    { origins }: { origins?: readonly string[] } = {},
  ): Promise<FileAnswer | null> {
    // What is hashed is the file itself, so it is asked for as it is.
    const headers = new Headers({ accept: "*/*", "accept-encoding": "identity" });
    const followed = await this.#open(source, url, { headers, origins });
    const { answer, host, watch, end } = followed;
    const leave = async () => {
      end();
      await answer.body.cancel().catch(() => {});
    };
    if (answer.status !== 200) {
      await leave();
      if (answer.status === 404 || answer.status === 410) return null;
      throw statusError(source, followed);
    }
    const encoded = answer.headers.get("content-encoding") !== null;
    const stated = Number(answer.headers.get("content-length") ?? NaN);
    const length = encoded || !Number.isSafeInteger(stated) ? null : stated;
    const { fileBytes: maxBytes, handOverMs, clientMs } = this.#limits;
    if (length !== null && length > maxBytes) {
      await leave();
      throw new UpstreamError("oversized", `Upstream's file is of ${length} bytes`);
    }
    const body = guardedPieces(answer.body, { host, watch, maxBytes, end });
    return {
      body,
      untouched(sent) {
        const { stream } = answer;
        // A length that is not stated has to be looked after.
        if (stream === undefined || length === null) return streamOf(body);
        watch.end();
        // Nobody says how it goes: who takes so long presses upstream no more.
        const timer = setTimeout(end, handOverMs);
        const over = () => {
          clearTimeout(timer);
          end();
        };
        sent.then(over, over);
        return stream;
      },
      length,
      type: answer.headers.get("content-type"),
      clientMs,
    };
  }

  /** A small exchange that is handed on as it is. Throws UpstreamError. */
  async pass(
    source: Source,
    address: DocumentAddress,
    { method, body, type, origins }: {
      method: "GET" | "POST";
      body?: Uint8Array<ArrayBuffer>;
      type?: string;
      origins?: readonly string[];
    },
  ): Promise<PassAnswer> {
    const headers = new Headers({ accept: address.accept });
    if (type) headers.set("content-type", type);
    const { answer } = await this.#whole(source, address.url, { headers, origins, method, body });
    return {
      status: answer.status,
      bytes: answer.bytes,
      type: mediaType(answer.headers),
      retryAfter: retryAfterOf(answer),
    };
  }

  /** An answer whose body comes later; `end` stops the deadlines and gives the slot back. */
  async #open(source: Source, address: string, asked: Asked): Promise<Followed<HttpOpened>> {
    const followed = await this.#outgoing.follow<HttpOpened>(source, address, asked, {
      slots: this.#files,
      send: (url, watch, lookup) => {
        const ask = { method: "GET", headers: asked.headers, signal: watch.signal };
        return lookup === undefined
          ? fetchFile(url, ask)
          : this.#guarded.open(url, { ...ask, lookup, alive: () => watch.alive() });
      },
      discard: ({ body }) => body.cancel(),
    });
    followed.watch.alive();
    return followed;
  }

  /** An answer with its body. */
  async #whole(source: Source, address: string, asked: Asked): Promise<Followed<HttpAnswer>> {
    const { headers, method = "GET", body } = asked;
    const followed = await this.#outgoing.follow<HttpAnswer>(source, address, asked, {
      slots: this.#documents,
      send: (url, watch, lookup) =>
        (lookup === undefined ? this.#trusted : this.#guarded).ask(url, {
          method,
          headers,
          body,
          signal: watch.signal,
          alive: () => watch.alive(),
          limit: this.#limits.documentBytes,
          lookup,
        }),
      discard: () => Promise.resolve(),
    });
    followed.end();
    return followed;
  }
}

async function fetchFile(
  url: URL,
  ask: { readonly method: string; readonly headers: Headers; readonly signal: AbortSignal },
): Promise<HttpOpened> {
  const { status, headers, body } = await fetch(url, { ...ask, redirect: "manual" });
  const stated = Number(headers.get("content-length") ?? NaN);
  const length = Number.isSafeInteger(stated) ? stated : null;
  if (body === null) return { status, headers, body: NOTHING };
  const pieces = streamPieces(body, { length, signal: ask.signal });
  return { status, headers, body: pieces, stream: body };
}

const NOTHING: Pieces = {
  read: () => Promise.resolve({ done: true, value: undefined }),
  cancel: () => Promise.resolve(),
};

function statusError(source: Source, { answer, url, host }: Followed<Answered>): UpstreamError {
  const { status } = answer;
  const home = new URL(source.url);
  const isDenied = status === 401 || status === 403;
  const bare = isDenied && source.authorization !== null && new URL(url).origin !== home.origin
    ? `: it was not sent the credential, which is for ${home.host} alone`
    : "";
  return new UpstreamError("status", `Upstream ${host} answers ${status}${bare}`, {
    status,
    retryAfter: retryAfterOf(answer),
  });
}

function retryAfterOf({ headers }: Answered): string | undefined {
  return headers.get("retry-after") ?? undefined;
}

function mediaType(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
}

/**
 * What a document may be told from its successor by: one that changes again in the
 * second it was sent in keeps its Last-Modified (RFC 9110, 8.8.2.2).
 */
function lastModified(headers: Headers): string | null {
  const stated = headers.get("last-modified");
  const passedMs = Date.parse(headers.get("date") ?? "") - Date.parse(stated ?? "");
  return passedMs >= 1000 ? stated : null;
}

/** Seconds that are left: a cache on the way may have held it for a while (RFC 9111, 4.2.3). */
function maxAge(headers: Headers): number | null {
  const control = headers.get("cache-control");
  if (control === null) return null;
  if (/\bno-(?:store|cache)\b/i.test(control)) return 0;
  const match = /\bmax-age\s*=\s*"?(\d{1,9})/i.exec(control);
  if (match === null) return null;
  const age = headers.get("age") ?? "";
  return Math.max(Number(match[1]) - (/^\d+$/.test(age) ? Number(age) : 0), 0);
}
