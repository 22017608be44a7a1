/**
 * The only fetch of registries: allowed origins, deadlines, size caps,
 * redirects followed by hand, credentials to their own origin alone.
 */
import type { Document, DocumentAddress, Source } from "./ecosystem.ts";
import { InvalidMetadata, UpstreamError } from "./errors.ts";
import { type HttpAnswer, HttpClient } from "./http_client.ts";

export interface UpstreamLimits {
  /** Milliseconds to the first byte of an answer. */
  readonly firstByteMs: number;
  /** Milliseconds without a byte of the body. */
  readonly stallMs: number;
  /** Bytes of a document, inflated. */
  readonly documentBytes: number;
  /** Bytes of a file. */
  readonly fileBytes: number;
}

export const LIMITS: UpstreamLimits = {
  firstByteMs: 10_000,
  stallMs: 20_000,
  documentBytes: 120 * 1024 * 1024,
  fileBytes: 4 * 1024 * 1024 * 1024,
};

/** What a conditional request carries. */
export interface Validators {
  readonly etag: string | null;
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

/** A body, read piece by piece; a stream's reader is one. */
export interface Pieces {
  read(): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>;
  cancel(reason?: unknown): Promise<void>;
}

export interface FileAnswer {
  readonly body: Pieces;
  /** null: not stated, or the body comes inflated. */
  readonly length: number | null;
  readonly type: string | null;
}

export interface PassAnswer {
  readonly status: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
}

const MAX_REDIRECTS = 5;

/** One upstream client for all ecosystems. */
export class Upstream {
  readonly #limits: UpstreamLimits;
  readonly #agent: string;
  readonly #client = new HttpClient();

  constructor(options: { limits?: Partial<UpstreamLimits>; userAgent?: string } = {}) {
    this.#limits = { ...LIMITS, ...options.limits };
    this.#agent = options.userAgent ?? "package-proxy";
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
    const { answer, url } = await this.#whole(source, address.url, { headers, origins });
    if (answer.status === 304 && validators) {
      return { kind: "unchanged", maxAge: maxAge(answer.headers) };
    }
    if (answer.status === 404 || answer.status === 410) return { kind: "missing" };
    if (answer.status !== 200) throw statusError(url, answer);
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
        lastModified: answer.headers.get("last-modified"),
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
    const opened = await this.#open(source, url, { headers, origins });
    const { response } = opened;
    if (response.status === 404 || response.status === 410) {
      opened.end();
      return null;
    }
    if (response.status !== 200 || response.body === null) {
      opened.end();
      throw statusError(opened.url, response);
    }
    const encoded = response.headers.get("content-encoding") !== null;
    const stated = Number(response.headers.get("content-length") ?? NaN);
    const length = encoded || !Number.isSafeInteger(stated) ? null : stated;
    if (length !== null && length > this.#limits.fileBytes) {
      opened.end();
      throw new UpstreamError("oversized", `Upstream's file is of ${length} bytes`);
    }
    return {
      body: guard(response.body, opened, length ?? PIECE),
      length,
      type: response.headers.get("content-type"),
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
    return { status: answer.status, bytes: answer.bytes, type: mediaType(answer.headers) };
  }

  /** An answer whose body comes later. */
  async #open(source: Source, address: string, asked: Asked): Promise<Opened> {
    const { answer, url, watch } = await this.#follow(source, address, asked, {
      send: (url, watch) =>
        fetch(url, {
          method: "GET",
          headers: asked.headers,
          redirect: "manual",
          signal: watch.signal,
        }),
      discard: async (response) => await response.body?.cancel(),
    });
    watch.alive();
    return { response: answer, url, watch, end: () => watch.end() };
  }

  /** An answer with its body. */
  async #whole(
    source: Source,
    address: string,
    asked: Asked,
  ): Promise<{ answer: HttpAnswer; url: string }> {
    const { headers, method = "GET", body } = asked;
    const { answer, url, watch } = await this.#follow(source, address, asked, {
      send: (url, watch) =>
        this.#client.ask(url, {
          method,
          headers,
          body,
          signal: watch.signal,
          alive: () => watch.alive(),
          limit: this.#limits.documentBytes,
        }),
      discard: () => Promise.resolve(),
    });
    watch.end();
    return { answer, url };
  }

  /** Asks allowed origins only, redirects included, and gives the credential to its own origin only. */
  async #follow<T extends { status: number; headers: Headers }>(
    source: Source,
    address: string,
    { headers, origins = [] }: Asked,
    { send, discard }: {
      send: (url: URL, watch: Watch) => Promise<T>;
      discard: (answer: T) => Promise<void>;
    },
  ): Promise<{ answer: T; url: string; watch: Watch }> {
    const home = new URL(source.url).origin;
    const allowed = new Set([home, ...source.fileOrigins, ...origins]);
    headers.set("user-agent", this.#agent);
    let url = new URL(address, source.url);
    const watch = new Watch(this.#limits);
    try {
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        if (!allowed.has(url.origin) || url.username !== "" || url.password !== "") {
          const what = hop === 0 ? "asked for an address" : "redirects to an address";
          throw new UpstreamError(
            "redirect",
            `Upstream ${what} that is not allowed: ${url.origin}`,
          );
        }
        if (source.authorization !== null && url.origin === home) {
          headers.set("authorization", source.authorization);
        } else headers.delete("authorization");
        const answer = await send(url, watch);
        const location = answer.headers.get("location");
        if (!REDIRECTS.has(answer.status) || location === null) {
          return { answer, url: url.href, watch };
        }
        await discard(answer);
        if (!URL.canParse(location, url)) break;
        url = new URL(location, url);
      }
      throw new UpstreamError("redirect", `Upstream redirects more than ${MAX_REDIRECTS} times`);
    } catch (cause) {
      watch.end();
      if (cause instanceof UpstreamError || cause instanceof InvalidMetadata) throw cause;
      throw fetchError(url.host, cause, watch.timedOut);
    }
  }
}

/** What is asked for; `headers` are completed on the way. */
interface Asked {
  readonly headers: Headers;
  readonly origins?: readonly string[];
  readonly method?: string;
  readonly body?: Uint8Array<ArrayBuffer>;
}

interface Opened {
  readonly response: Response;
  readonly url: string;
  readonly watch: Watch;
  /** Stops the deadlines; the body is no longer wanted. */
  end(): void;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Two deadlines on one timer: first byte, then silence of the body. */
class Watch {
  readonly #controller = new AbortController();
  readonly #limits: UpstreamLimits;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deadline: number;
  timedOut = false;

  constructor(limits: UpstreamLimits) {
    this.#limits = limits;
    this.#deadline = performance.now() + limits.firstByteMs;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A byte came. */
  alive(): void {
    this.#deadline = performance.now() + this.#limits.stallMs;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    const left = Math.max(this.#deadline - performance.now(), 0);
    this.#timer = setTimeout(() => {
      if (performance.now() < this.#deadline) return this.#arm();
      this.timedOut = true;
      this.#controller.abort(new DOMException("deadline", "TimeoutError"));
    }, left);
  }
}

/** Large pieces cost less a byte than the runtime's own of 64 KB; larger ones gain nothing. */
const PIECE = 256 * 1024;
const MIN_PIECE = 1024;

/**
 * The body, with silence and failures turned into UpstreamErrors.
 * @param length bytes it will likely have
 */
function guard(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { url, watch }: Opened,
  length: number,
): Pieces {
  const reader = body.getReader({ mode: "byob" });
  const piece = Math.max(MIN_PIECE, Math.min(length, PIECE));
  return {
    async read() {
      try {
        const { done, value } = await reader.read(new Uint8Array(piece));
        if (done || value === undefined) {
          watch.end();
          return { done: true, value: undefined };
        }
        watch.alive();
        return { done, value };
      } catch (cause) {
        watch.end();
        throw fetchError(new URL(url).host, cause, watch.timedOut);
      }
    },
    async cancel(reason) {
      watch.end();
      await reader.cancel(reason);
    },
  };
}

function fetchError(host: string, cause: unknown, timedOut: boolean): UpstreamError {
  if (timedOut || (cause instanceof DOMException && cause.name === "TimeoutError")) {
    return new UpstreamError("timeout", `Upstream ${host} does not answer in time`, { cause });
  }
  return new UpstreamError("unreachable", `Cannot reach upstream ${host}`, { cause });
}

function statusError(url: string, response: { status: number; headers: Headers }): UpstreamError {
  const { status } = response;
  return new UpstreamError("status", `Upstream ${new URL(url).host} answers ${status}`, {
    status,
    retryAfter: response.headers.get("retry-after") ?? undefined,
  });
}

function mediaType(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
}

function maxAge(headers: Headers): number | null {
  const control = headers.get("cache-control");
  if (control === null) return null;
  if (/\bno-(?:store|cache)\b/i.test(control)) return 0;
  const match = /\bmax-age\s*=\s*"?(\d{1,9})/i.exec(control);
  return match === null ? null : Number(match[1]);
}
