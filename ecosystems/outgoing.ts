/**
 * The way of a request to another machine: allowed origins, redirects followed
 * by hand, credentials to their own origin alone, addresses looked at, a turn
 * for each host, one deadline, and a second attempt where that is safe.
 */
import type { LookupFunction } from "node:net";
import { outgoingFault } from "../policy/addresses.ts";
import type { Source } from "./ecosystem.ts";
import { InvalidMetadata, UpstreamError } from "./errors.ts";
import { AddressRefused, guardedLookup, type Resolve } from "./guarded_lookup.ts";
import type { HostSlots } from "./host_slots.ts";
import { secondAttemptIn } from "./second_attempt.ts";
import type { UpstreamLimits } from "./upstream_limits.ts";
import { fetchError, Watch } from "./watch.ts";

export interface OutgoingOptions {
  readonly limits: UpstreamLimits;
  readonly userAgent?: string;
  /** Hosts that may be private, and http, where somebody else than the operator names them. */
  readonly allow?: readonly string[];
  /** The machine's own resolver by default. */
  readonly resolve?: Resolve;
  /** 0 to 1; for pauses between attempts. */
  readonly random?: () => number;
}

/** What is asked for; `headers` are completed on the way. */
export interface Asked {
  readonly headers: Headers;
  readonly origins?: readonly string[];
  readonly method?: string;
  readonly body?: Uint8Array<ArrayBuffer>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
}

/** How one kind of answer is had. */
export interface Exchange<T> {
  readonly slots: HostSlots;
  readonly send: (url: URL, watch: Watch, lookup: LookupFunction | undefined) => Promise<T>;
  readonly discard: (answer: T) => Promise<void>;
}

export interface Followed<T> {
  readonly answer: T;
  readonly url: string;
  readonly host: string;
  readonly watch: Watch;
  /** Stops the deadlines and gives the slot back; may be called twice. */
  end(): void;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class Outgoing {
  constructor(readonly options: OutgoingOptions) {}

  /** Asks allowed origins only, redirects included, and gives the credential to its own origin only. */
  async follow<T extends Answered>(
    source: Source,
    address: string,
    asked: Asked,
    exchange: Exchange<T>,
  ): Promise<Followed<T>> {
    const { headers, origins = [] } = asked;
    const budget = { ms: this.options.limits.firstByteMs };
    const home = new URL(source.url).origin;
    const allowed = new Set([home, ...source.fileOrigins, ...origins]);
    headers.set("user-agent", this.options.userAgent ?? "package-proxy");
    let url = new URL(address, source.url);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      if (!allowed.has(url.origin) || url.username !== "" || url.password !== "") {
        const what = hop === 0 ? "asked for an address" : "redirects to an address";
        throw new UpstreamError("redirect", `Upstream ${what} that is not allowed: ${url.origin}`);
      }
      if (source.authorization !== null && url.origin === home) {
        headers.set("authorization", source.authorization);
      } else headers.delete("authorization");
      const followed = await this.#inTurn(url, {
        ...asked,
        budget,
        lookup: this.#lookup(source, url),
      }, exchange);
      const location = followed.answer.headers.get("location");
      if (!REDIRECTS.has(followed.answer.status) || location === null) return followed;
      followed.end();
      await exchange.discard(followed.answer);
      if (!URL.canParse(location, url)) break;
      url = new URL(location, url);
    }
    throw new UpstreamError("redirect", `Upstream redirects more than ${MAX_REDIRECTS} times`);
  }

  /**
   * How the host is resolved; undefined: as usual, since the operator named it.
   * Whatever a policy or upstream itself names is looked at. Throws UpstreamError.
   */
  #lookup(source: Source, url: URL): LookupFunction | undefined {
    const { allow = [], resolve } = this.options;
    const home = new URL(source.url);
    if (!source.namedByPolicy) {
      if (url.origin === home.origin || source.fileOrigins.includes(url.origin)) return undefined;
      // An operator's own registry may well name its neighbours.
      home.protocol = "https:";
      if (outgoingFault(home.href, []) !== null) return undefined;
    }
    try {
      return guardedLookup(url, { allow, resolve });
    } catch (cause) {
      if (!(cause instanceof AddressRefused)) throw cause;
      throw new UpstreamError("redirect", cause.message, { cause });
    }
  }

  /** One hop, when it is its turn. */
  async #inTurn<T extends Answered>(
    url: URL,
    asked: Asked & {
      readonly lookup: LookupFunction | undefined;
      /** To the first byte, over all hops. */
      readonly budget: { ms: number };
    },
    { slots, send, discard }: Exchange<T>,
  ): Promise<Followed<T>> {
    const release = once(await slots.take(url.host));
    const firstByteMs = Math.max(asked.budget.ms, 1);
    // Whoever does not read on keeps nobody else waiting.
    const watch = new Watch({ ...this.options.limits, firstByteMs, onSilence: release });
    const end = () => {
      watch.end();
      release();
    };
    const begin = performance.now();
    try {
      for (let attempt = 0;; attempt++) {
        const { answer, cause } = await send(url, watch, asked.lookup)
          .then((answer) => ({ answer, cause: null }), (cause: unknown) => {
            if (isFinal(cause)) throw cause;
            return { answer: null, cause };
          });
        const pause = attempt > 0 ? null : this.#pause(asked, watch, answer);
        if (pause !== null) {
          if (answer !== null) await discard(answer);
          watch.again();
          await new Promise((resolve) => setTimeout(resolve, pause));
        } else if (answer === null) throw cause;
        else return { answer, url: url.href, host: url.host, watch, end };
      }
    } catch (cause) {
      end();
      throw upstreamErrorOf(url.host, cause, watch);
    } finally {
      asked.budget.ms -= performance.now() - begin;
    }
  }

  /** Milliseconds until the second attempt; null: there is none. */
  #pause(
    { method = "GET" }: Asked,
    { began, leftMs, late }: Watch,
    answer: Answered | null,
  ): number | null {
    if (late !== null) return null;
    const { retryMs } = this.options.limits;
    const jitter = (this.options.random ?? Math.random)();
    return secondAttemptIn({ method, began, answer, leftMs }, { retryMs, jitter });
  }
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}

/** Whether it would end in the same way again. */
function isFinal(cause: unknown): boolean {
  return cause instanceof UpstreamError || cause instanceof InvalidMetadata ||
    cause instanceof AddressRefused;
}

function upstreamErrorOf(host: string, cause: unknown, { late }: Watch): Error {
  if (cause instanceof UpstreamError || cause instanceof InvalidMetadata) return cause;
  if (cause instanceof AddressRefused) {
    return new UpstreamError("redirect", cause.message, { cause });
  }
  return fetchError(host, cause, late);
}
