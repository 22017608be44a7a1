/** Requests for exceptions in Deno KV: asked by developers, decided on once. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { oneLine } from "../rules/rule.ts";
import { committed } from "./committed.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { StoreUnavailable } from "./errors.ts";
import { idMaker } from "./id_maker.ts";
import type { Journal } from "./journal.ts";
import { keys } from "./keys.ts";
import { type Links, openLinks } from "./links.ts";
import {
  type Asker,
  type ExceptionRequest,
  readRequest,
  type RequestInput,
  type Requests,
  type RequestStatus,
  TooManyRequests,
} from "./request.ts";
import { decideRequest } from "./request_decisions.ts";
import { guarded, guardedList, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock, Page, Policies } from "./types.ts";

export type { ExceptionRequest, Requests } from "./request.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;
/** How long a request waits for a decision. */
export const OPEN_MS = 14 * DAY;
/** How long it can be looked up. */
const KEPT_MS = 400 * DAY;
/** Bounds on what strangers can make a database keep and approvers read. */
export const MAX_OPEN = 1_000;
export const MAX_PER_USER = 20;
/** Many users may share one address; where a token says who it is, the address does not count. */
export const MAX_PER_ADDRESS = 100;
const ATTEMPTS = 5;
const WHAT = "keep requests for exceptions";
/** Name of the list in its cursors. */
const LIST = "requests";
/** How many requests one page looks at. */
const MAX_SCANNED = 5_000;

export interface RequestsOptions {
  readonly now: Clock;
  readonly journal: Journal;
  readonly policies: Policies;
  readonly timeoutMs?: number;
}

export function openRequests(kv: Deno.Kv, options: RequestsOptions): Requests {
  return new KvRequests(kv, options);
}

const timesSchema = v.array(v.number());

class KvRequests implements Requests {
  readonly #ulid = idMaker();
  readonly #links: Links;
  readonly #timeoutMs: number;

  constructor(readonly kv: Deno.Kv, readonly options: RequestsOptions) {
    this.#timeoutMs = options.timeoutMs ?? STORE_TIMEOUT_MS;
    this.#links = openLinks(kv, { now: options.now, timeoutMs: this.#timeoutMs });
  }

  async ask(input: RequestInput): Promise<{ request: ExceptionRequest; created: boolean }> {
    for (let i = 0; i < ATTEMPTS; i++) {
      const last = await this.#guard(() => this.kv.get<unknown>(lastKey(input, input.purl)));
      const known = typeof last.value === "string" ? await this.get(input.org, last.value) : null;
      if (known?.status === "open") return { request: known, created: false };
      const request = await this.#store(input, last);
      if (request !== null) return { request, created: true };
    }
    throw new StoreUnavailable(`Cannot store a request of ${input.org}: others were always faster`);
  }

  /** null: somebody was faster. */
  async #store(
    input: RequestInput,
    last: Deno.KvEntryMaybe<unknown>,
  ): Promise<ExceptionRequest | null> {
    const { org, purl } = input;
    const now = this.options.now();
    await this.#checkRoom(org, now);
    const times = await this.#times(input, now);
    const request = this.#made(input, now);
    const link = input.origin === null
      ? null
      : await this.#links.address(input.origin, org, request.id, now + OPEN_MS);
    const atomic = this.kv.atomic().check(last)
      .set(last.key, request.id, { expireIn: KEPT_MS })
      .set(keys.request(org, request.id), request, { expireIn: KEPT_MS })
      .set(keys.openRequest(org, request.id), now + OPEN_MS, { expireIn: OPEN_MS });
    for (const { entry, recent } of times) {
      atomic.check(entry).set(entry.key, [...recent, now], { expireIn: HOUR });
    }
    const { journal } = this.options;
    journal.audit(atomic, {
      org,
      by: nameOf(request),
      action: "exception.asked",
      target: request.id,
      reason: request.reason,
      after: {
        purl,
        rules: request.rules,
        ticket: request.ticket,
        authenticated: request.authenticated,
      },
    });
    journal.news(atomic, {
      org,
      kind: "exception",
      event: "exception.asked",
      text: `${nameOf(request)} asks for ${purl}, withheld by ${request.rules.join(", ")}: ` +
        request.reason,
      link,
      details: detailsOf(request),
    });
    const { ok } = await committed(WHAT, this.#timeoutMs, () => atomic.commit());
    if (ok) journal.committed();
    return ok ? request : null;
  }

  #made({ origin: _origin, ...input }: RequestInput, now: number): ExceptionRequest {
    return {
      ...input,
      id: this.#ulid(now),
      at: new Date(now).toISOString(),
      message: oneLine(input.message),
      expires: new Date(now + OPEN_MS).toISOString(),
      status: "open",
      decided: null,
    };
  }

  async #checkRoom(org: string, now: number): Promise<void> {
    let open = 0;
    let first = Infinity;
    const selector = { prefix: keys.openRequests(org) };
    for await (const { value } of guardedList(this.kv, selector, BATCHES, this.#timeoutMs)) {
      if (typeof value !== "number" || value <= now) continue;
      open++;
      first = Math.min(first, value);
    }
    if (open < MAX_OPEN) return;
    throw new TooManyRequests(`There are ${open} requests without a decision`, first - now);
  }

  /** Of the user and, unless a token said who that is, of the address. */
  async #times({ org, user, ip, authenticated }: RequestInput, now: number) {
    const bounds = authenticated
      ? [{ key: keys.requestTimes(org, user, ""), most: MAX_PER_USER }]
      : [
        { key: keys.requestTimes(org, user, ip), most: MAX_PER_USER },
        ...(user === "" ? [] : [{ key: keys.requestTimes(org, "", ip), most: MAX_PER_ADDRESS }]),
      ];
    const entries = await this.#guard(() =>
      this.kv.getMany<unknown[]>(bounds.map(({ key }) => key))
    );
    return entries.map((entry, i) => {
      const parsed = v.safeParse(timesSchema, entry.value ?? []);
      // What lies ahead is a clock that was set back; a little may be another machine's.
      const isRecent = (time: number) => Math.abs(now - time) < HOUR;
      const recent = (parsed.success ? parsed.output : []).filter(isRecent);
      if (recent.length < bounds[i].most) return { entry, recent };
      throw new TooManyRequests(
        `${recent.length} requests within an hour are enough`,
        recent[0] + HOUR - now,
      );
    });
  }

  async get(org: string, id: string): Promise<ExceptionRequest | null> {
    return (await this.#read(org, id))?.request ?? null;
  }

  async #read(org: string, id: string) {
    const entry = await this.#guard(() => this.kv.get<unknown>(keys.request(org, id)));
    if (entry.versionstamp === null) return null;
    return { entry, request: readRequest(entry.value, this.options.now()) };
  }

  async last(asker: Asker, purl: string): Promise<ExceptionRequest | null> {
    const { value } = await this.#guard(() => this.kv.get<unknown>(lastKey(asker, purl)));
    return typeof value === "string" ? await this.get(asker.org, value) : null;
  }

  async list(
    org: string,
    { limit, cursor, status }: { limit: number; cursor?: string; status?: RequestStatus },
  ): Promise<Page<ExceptionRequest>> {
    const before = cursor === undefined ? undefined : decodeCursor(LIST, cursor, 1)[0];
    const prefix = keys.requests(org);
    const selector = before === undefined ? { prefix } : { prefix, end: keys.request(org, before) };
    const now = this.options.now();
    const items: ExceptionRequest[] = [];
    let scanned = 0;
    let last: string | null = null;
    const newest = { ...BATCHES, reverse: true };
    for await (const { value } of guardedList(this.kv, selector, newest, this.#timeoutMs)) {
      if (items.length === limit || scanned === MAX_SCANNED) {
        return { items, cursor: last === null ? null : encodeCursor(LIST, [last]) };
      }
      const request = readRequest(value, now);
      if (status === undefined || request.status === status) items.push(request);
      last = request.id;
      scanned++;
    }
    return { items, cursor: null };
  }

  async decide(
    org: string,
    id: string,
    decision: Parameters<Requests["decide"]>[2],
  ): Promise<ExceptionRequest | null> {
    const found = await this.#read(org, id);
    if (found === null) return null;
    return await decideRequest(this.kv, found, {
      ...this.options,
      decision,
      timeoutMs: this.#timeoutMs,
      keptMs: KEPT_MS,
      reread: async () => (await this.#read(org, id))?.request ?? found.request,
    });
  }

  checkLink(org: string, id: string, link: { expires: string; signature: string }) {
    return this.#links.check(org, id, link);
  }

  #guard<T>(call: () => Promise<T>): Promise<T> {
    return guarded(WHAT, this.#timeoutMs, call);
  }
}

const BATCHES = { batchSize: 500 };

/** What somebody asks who only claims a name is never taken for what its owner has asked. */
function lastKey({ org, user, ip, authenticated }: Asker, purl: string) {
  const release = createHash("sha256").update(purl).digest("hex");
  return keys.requestOf(org, user, authenticated ? "token" : user === "" ? ip : "", release);
}

/** Who asked, for people. */
export function nameOf({ user, authenticated }: ExceptionRequest): string {
  if (user === "") return "somebody without a name";
  return authenticated ? user : `${user} (by name only)`;
}

/** What webhooks are told: no address of a client. */
export function detailsOf(request: ExceptionRequest): Record<string, unknown> {
  const { ip: _ip, decided: _decided, ...rest } = request;
  return rest;
}
