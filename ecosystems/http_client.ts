/**
 * Whole answers over HTTP/1.1, inflated here. `fetch` hands an inflated body out
 * in pieces of 4 KB, which takes several times as long as inflating it at once,
 * and has no bound on what it inflates to.
 */
import type { Agent, IncomingMessage, request as requestOf } from "node:http";
import type { LookupFunction } from "node:net";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import type { Packed } from "./ecosystem.ts";
import { InvalidMetadata, UpstreamError } from "./errors.ts";
import type { Pieces } from "./file_body.ts";
import { Packer } from "./packed_bytes.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Inflated. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As they came: fewer to hash. */
  readonly wire: Uint8Array<ArrayBuffer>;
  readonly packed?: Packed;
}

/** An answer whose body has yet to be read. */
export interface HttpOpened {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Pieces;
  /** The same body as the runtime can send it on by itself; absent: it cannot. */
  readonly stream?: ReadableStream<Uint8Array<ArrayBuffer>>;
}

type HttpRequest = Omit<HttpAsk, "limit">;

export interface HttpAsk {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
  /** A byte came. */
  readonly alive: () => void;
  /** Bound on the body, before and after inflating. */
  readonly limit: number;
  /** Resolves the host's name; the machine's own way by default. */
  readonly lookup?: LookupFunction;
}

const OPTIONS = { keepAlive: true, maxSockets: 256, maxFreeSockets: 64 } as const;

/** What sends requests of a scheme, and keeps connections between them. */
interface Sender {
  readonly request: typeof requestOf;
  readonly agent: Agent;
}

/** Loaded at the first request, to keep cold starts short. */
async function openSender(secure: boolean): Promise<Sender> {
  const { request, Agent } = await (secure ? import("node:https") : import("node:http"));
  return { request, agent: new Agent(OPTIONS) };
}

/** Keeps connections between requests. */
export class HttpClient {
  readonly #senders = new Map<string, Promise<Sender>>();
  readonly #packer = new Packer();

  /** Throws UpstreamError (oversized), InvalidMetadata (a body that cannot be inflated), and what the socket throws. */
  async ask(url: URL, ask: HttpAsk): Promise<HttpAnswer> {
    const answer = await collect(await this.#send(url, ask), ask);
    const coding = answer.headers.get("content-encoding");
    const { limit } = ask; // the rest of it need not be kept with the document
    const packed = this.#packer.pack(answer, (wire) => inflate(wire, coding, limit));
    return packed === undefined ? answer : { ...answer, packed };
  }

  /** An answer whose body comes later, as it is. Throws what the socket throws. */
  async open(url: URL, ask: Omit<HttpAsk, "limit">): Promise<HttpOpened> {
    const response = await this.#send(url, ask);
    return {
      status: response.statusCode ?? 0,
      headers: headersOf(response),
      body: piecesOf(response),
    };
  }

  async #send(url: URL, ask: HttpRequest): Promise<IncomingMessage> {
    const sender = await this.#sender(url);
    try {
      return await once(sender, url, { ask, fresh: false });
    } catch (error) {
      // The server may have closed a kept connection just when it was used again.
      if (!(error instanceof StaleConnection)) throw error;
      return await once(sender, url, { ask, fresh: true });
    }
  }

  #sender({ protocol }: URL): Promise<Sender> {
    let sender = this.#senders.get(protocol);
    if (sender === undefined) {
      sender = openSender(protocol === "https:");
      this.#senders.set(protocol, sender);
    }
    return sender;
  }
}

function once(
  { request: send, agent }: Sender,
  url: URL,
  { ask, fresh }: { ask: HttpRequest; fresh: boolean },
): Promise<IncomingMessage> {
  const headers = Object.fromEntries(ask.headers);
  headers["accept-encoding"] ??= "gzip, br";
  if (ask.body !== undefined) headers["content-length"] = String(ask.body.length);
  return new Promise((resolve, reject) => {
    if (ask.signal.aborted) return reject(ask.signal.reason);
    const request = send(url, {
      method: ask.method,
      headers,
      agent: fresh ? false : agent,
      lookup: ask.lookup,
    });
    let began = false;
    const abort = () => {
      reject(ask.signal.reason);
      // Else Deno 2.9 sends it again, on a new connection that nobody would ever close.
      request.reusedSocket = false;
      request.destroy();
    };
    ask.signal.addEventListener("abort", abort, { once: true });
    request.on("close", () => {
      ask.signal.removeEventListener("abort", abort);
      reject(new TypeError("the connection was closed without an answer"));
    });
    // 101: it speaks something else from here on.
    request.on("upgrade", (_response, socket) => socket.destroy());
    request.on("error", (error: Error) => {
      const stale = request.reusedSocket && !fresh && !began && !ask.signal.aborted;
      reject(stale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    request.on("response", (response: IncomingMessage) => {
      began = true;
      ask.alive();
      resolve(response);
    });
    request.end(ask.body);
  });
}

function piecesOf(response: IncomingMessage): Pieces {
  const chunks: AsyncIterator<Uint8Array<ArrayBuffer>> = response[Symbol.asyncIterator]();
  return {
    async read() {
      const { done, value } = await chunks.next();
      if (done !== true) return { done: false, value };
      if (!response.complete) throw new TypeError("the connection broke off");
      return { done: true, value: undefined };
    },
    cancel() {
      response.on("error", () => {}); // nobody reads it any more
      response.destroy();
      return Promise.resolve();
    },
  };
}

class StaleConnection extends Error {
  override readonly name = "StaleConnection";
}

function collect(
  response: IncomingMessage,
  { alive, limit, method }: HttpAsk,
): Promise<HttpAnswer> {
  const headers = headersOf(response);
  const status = response.statusCode ?? 0;
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    const stated = Number(headers.get("content-length") ?? 0);
    if (stated > limit) {
      response.destroy();
      return reject(oversized(limit));
    }
    response.on("data", (chunk: Uint8Array<ArrayBuffer>) => {
      alive();
      size += chunk.length;
      if (size > limit) {
        response.destroy();
        return reject(oversized(limit));
      }
      chunks.push(chunk);
    });
    response.on("error", reject);
    response.on("aborted", () => reject(new TypeError("the connection broke off")));
    response.on("end", () => {
      if (!response.complete && method !== "HEAD") {
        return reject(new TypeError("the connection broke off"));
      }
      try {
        const wire = join(chunks, size);
        const bytes = inflate(wire, headers.get("content-encoding"), limit);
        resolve({ status, headers, bytes, wire });
      } catch (error) {
        reject(error);
      }
    });
  });
}

function headersOf(response: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(response.headers)) {
    if (Array.isArray(value)) { for (const one of value) headers.append(name, one); }
    else if (value !== undefined) headers.set(name, value);
  }
  return headers;
}

function join(chunks: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  if (chunks.length === 1) return chunks[0];
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const INFLATE = new Map([
  ["gzip", gunzipSync],
  ["x-gzip", gunzipSync],
  ["deflate", inflateSync],
  ["br", brotliDecompressSync],
]);
/** Deflate cannot do better, whatever a gzip's last bytes say. */
const MAX_RATIO = 1032;
/** What inflates to more is a bomb unless it was larger to begin with: versions repeat, but not that much. */
const ANY_RATIO = 16 * 1024 * 1024;
const USUAL_RATIO = 250;
const MIN_PIECE = 64;
const USUAL_PIECE = 16 * 1024;

function inflate(
  bytes: Uint8Array<ArrayBuffer>,
  encoding: string | null,
  limit: number,
): Uint8Array<ArrayBuffer> {
  const coding = (encoding ?? "identity").trim().toLowerCase();
  if (coding === "identity" || coding === "" || bytes.length === 0) return bytes;
  const inflater = INFLATE.get(coding);
  if (inflater === undefined) {
    throw new InvalidMetadata(
      `Cannot read upstream's answer: its encoding is ${coding.slice(0, 40)}`,
    );
  }
  const most = Math.min(limit, Math.max(ANY_RATIO, bytes.length * USUAL_RATIO));
  try {
    const { buffer, byteOffset, byteLength } = inflater(bytes, {
      maxOutputLength: most,
      chunkSize: pieceFor(bytes, { coding, limit: most }),
    });
    // Never shared: the inflater made it.
    const inflated = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    return byteLength < buffer.byteLength * 0.8 ? inflated.slice() : inflated;
  } catch (cause) {
    if (cause instanceof RangeError) throw oversized(most);
    throw new InvalidMetadata(`Cannot inflate upstream's answer (${coding})`, { cause });
  }
}

/** Inflated in one piece, an answer takes its own size in memory instead of twice that. */
function pieceFor(
  bytes: Uint8Array<ArrayBuffer>,
  { coding, limit }: { coding: string; limit: number },
): number {
  if (!coding.endsWith("gzip") || bytes.length < 18) return USUAL_PIECE;
  const stated = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
  return Math.max(MIN_PIECE, Math.min(stated + 1, limit, bytes.length * MAX_RATIO));
}

function oversized(limit: number): UpstreamError {
  return new UpstreamError("oversized", `Upstream's answer is larger than ${limit} bytes`);
}
