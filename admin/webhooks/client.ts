/** The one sender of webhooks' messages: to public addresses, or those the operator allows. */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { guardedLookup, type Resolve } from "../../ecosystems/guarded_lookup.ts";

export interface Receipt {
  readonly status: number;
  /** How long the receiver wants to be left alone; null: it does not say. */
  readonly retryAfterMs: number | null;
}

export interface PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Hosts that may be private, and http: see `isAllowedHost`. */
  readonly allow: readonly string[];
  readonly resolve?: Resolve;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /** Unix ms. */
  readonly now: number;
}

/**
 * Sends a message. What the receiver answers is not read, and redirects are not
 * followed. Rejects with AddressRefused, and with what the socket throws.
 */
export function post(url: URL, body: string, options: PostOptions): Promise<Receipt> {
  const bytes = new TextEncoder().encode(body);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const lookup = guardedLookup(url, options);
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
    // A connection of its own: a kept one would go where an earlier check said.
    const request = send(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": String(bytes.length),
        "user-agent": "package-proxy",
        ...options.headers,
      },
      agent: false,
      lookup,
    });
    const abort = () => {
      reject(signal.reason);
      request.destroy();
    };
    signal.addEventListener("abort", abort, { once: true });
    request.on("close", () => signal.removeEventListener("abort", abort));
    request.on("error", reject);
    request.on("response", (response) => {
      resolve({
        status: response.statusCode ?? 0,
        retryAfterMs: retryAfter(response.headers["retry-after"], options.now),
      });
      response.on("error", () => {}); // nobody reads it
      response.destroy();
      request.destroy();
    });
    request.end(bytes);
  });
}

/** RFC 9110: seconds, or a date. */
function retryAfter(text: string | undefined, now: number): number | null {
  if (text === undefined) return null;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return ms >= 0 ? ms : null;
}
