/** Asks issuers of identity tokens: small documents, no redirects, guarded addresses. */
import { IssuerUnavailable } from "../errors.ts";
import type { Resolve } from "../guarded_lookup.ts";
import { guardedLookup } from "../guarded_lookup.ts";
import { HttpClient } from "../http_client.ts";

/** Larger than any discovery document, key set or token answer has reason to be. */
const MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 10_000;

export interface IssuerClientOptions {
  /** Hosts that may be private, and http: see `isAllowedHost`. */
  readonly allow: readonly string[];
  readonly resolve?: Resolve;
  readonly timeoutMs?: number;
}

export interface IssuerAsk {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly body?: string;
}

export class IssuerClient {
  readonly #http = new HttpClient();
  readonly #options: IssuerClientOptions;

  constructor(options: IssuerClientOptions) {
    this.#options = options;
  }

  /** The answer whatever its status, read to its end. Throws IssuerUnavailable. */
  async ask(address: string, { method = "GET", headers, body }: IssuerAsk = {}): Promise<Response> {
    const { timeoutMs = TIMEOUT_MS, ...guard } = this.#options;
    try {
      const url = new URL(address);
      const sent = new Headers(headers);
      sent.set("user-agent", "package-proxy");
      if (!sent.has("accept")) sent.set("accept", "application/json");
      const answer = await this.#http.ask(url, {
        method,
        headers: sent,
        body: body === undefined ? undefined : new TextEncoder().encode(body),
        signal: AbortSignal.timeout(timeoutMs),
        alive: () => {},
        limit: MAX_BYTES,
        lookup: guardedLookup(url, guard),
      });
      const { status, bytes } = answer;
      const bare = new Headers(answer.headers);
      // The bytes are inflated, and nothing of this is for a browser.
      for (const name of ["content-encoding", "content-length", "set-cookie"]) bare.delete(name);
      const empty = status < 200 || [204, 205, 304].includes(status);
      return new Response(empty ? null : bytes, { status: Math.max(status, 200), headers: bare });
    } catch (cause) {
      throw new IssuerUnavailable(`Cannot ask ${hostOf(address)}`, { cause });
    }
  }

  /** A JSON document. Throws IssuerUnavailable. */
  async json(address: string, headers?: HeadersInit): Promise<unknown> {
    const response = await this.ask(address, { headers });
    if (response.status !== 200) {
      throw new IssuerUnavailable(`${hostOf(address)} answers ${response.status}`);
    }
    try {
      return await response.json();
    } catch (cause) {
      throw new IssuerUnavailable(`${hostOf(address)} answers something else than JSON`, { cause });
    }
  }
}

function hostOf(address: string): string {
  return URL.parse(address)?.host ?? "an address that is none";
}
