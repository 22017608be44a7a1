/**
 * The only fetch of registries: allowed origins, deadlines, size caps,
 * redirects followed by hand, credentials to their own origin alone.
 */
import type { Document, DocumentAddress, Source } from "./ecosystem.ts";
import { UpstreamError } from "./errors.ts";

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
    const opened = await this.#open(source, address.url, { headers, origins });
    const { response, url, end } = opened;
    try {
      if (response.status === 304 && validators) {
        return { kind: "unchanged", maxAge: maxAge(response.headers) };
      }
      if (response.status === 404 || response.status === 410) return { kind: "missing" };
      if (response.status !== 200) throw statusError(url, response);
      return {
        kind: "document",
        document: {
          bytes: await readAll(opened, this.#limits.documentBytes),
          type: mediaType(response.headers),
          url,
        },
        validators: {
          etag: response.headers.get("etag"),
          lastModified: response.headers.get("last-modified"),
        },
        maxAge: maxAge(response.headers),
      };
    } finally {
      end();
    }
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
      body: guard(response.body, opened),
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
    const opened = await this.#open(source, address.url, { headers, origins, method, body });
    const { response, end } = opened;
    try {
      const bytes = await readAll(opened, this.#limits.documentBytes);
      return { status: response.status, bytes, type: mediaType(response.headers) };
    } finally {
      end();
    }
  }

  async #open(
    source: Source,
    address: string,
    { headers, origins = [], method = "GET", body }: {
      headers: Headers;
      origins?: readonly string[];
      method?: string;
      body?: Uint8Array<ArrayBuffer>;
    },
  ): Promise<Opened> {
    const home = new URL(source.url).origin;
    const allowed = new Set([home, ...source.fileOrigins, ...origins]);
    headers.set("user-agent", this.#agent);
    let url = new URL(address, source.url);
    const watch = new Watch(this.#limits);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      if (!allowed.has(url.origin) || url.username !== "" || url.password !== "") {
        watch.end();
        const what = hop === 0 ? "asked for an address" : "redirects to an address";
        throw new UpstreamError("redirect", `Upstream ${what} that is not allowed: ${url.origin}`);
      }
      if (source.authorization !== null && url.origin === home) {
        headers.set("authorization", source.authorization);
      } else headers.delete("authorization");
      const response = await this.#fetch(url, { headers, method, body, watch });
      const location = response.headers.get("location");
      if (!REDIRECTS.has(response.status) || location === null) {
        watch.alive();
        return { response, url: url.href, watch, end: () => watch.end() };
      }
      await response.body?.cancel();
      if (!URL.canParse(location, url)) break;
      url = new URL(location, url);
    }
    watch.end();
    throw new UpstreamError("redirect", `Upstream redirects more than ${MAX_REDIRECTS} times`);
  }

  async #fetch(
    url: URL,
    { headers, method, body, watch }: {
      headers: Headers;
      method: string;
      body?: Uint8Array<ArrayBuffer>;
      watch: Watch;
    },
  ): Promise<Response> {
    try {
      return await fetch(url, {
        method,
        headers,
        body: body ?? null,
        redirect: "manual",
        signal: watch.signal,
      });
    } catch (cause) {
      watch.end();
      throw fetchError(url.host, cause, watch.timedOut);
    }
  }
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

/** The body, with silence and failures turned into UpstreamErrors. */
function guard(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { url, watch }: Opened,
): Pieces {
  const reader = body.getReader();
  return {
    async read() {
      try {
        const result = await reader.read();
        if (result.done) watch.end();
        else watch.alive();
        return result;
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

async function readAll(
  { response, url, watch }: Opened,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return new Uint8Array();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      watch.alive();
      size += chunk.length;
      if (size > limit) {
        throw new UpstreamError("oversized", `Upstream's answer is larger than ${limit} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof UpstreamError) throw cause;
    throw fetchError(new URL(url).host, cause, watch.timedOut);
  }
  if (chunks.length === 1) return chunks[0];
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function fetchError(host: string, cause: unknown, timedOut: boolean): UpstreamError {
  if (timedOut || (cause instanceof DOMException && cause.name === "TimeoutError")) {
    return new UpstreamError("timeout", `Upstream ${host} does not answer in time`, { cause });
  }
  return new UpstreamError("unreachable", `Cannot reach upstream ${host}`, { cause });
}

function statusError(url: string, response: Response): UpstreamError {
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
