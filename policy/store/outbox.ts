/** What waits to be told to webhooks, in Deno KV: nothing is lost when a process ends, whenever it does. */
import * as v from "valibot";
import { WEBHOOK_EVENTS } from "../schema.ts";
import { MAX_WEBHOOKS, wants, webhookId } from "../webhooks.ts";
import { committed } from "./committed.ts";
import type { Addressee } from "./former_webhooks.ts";
import { idMaker } from "./id_maker.ts";
import { keys } from "./keys.ts";
import { guarded, guardedList, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock, News } from "./types.ts";

/** A webhook that has been out of reach for longer than this has missed something. */
const KEPT_MS = 7 * 24 * 3600_000;
const MAX_BATCH = 50;
/** Of JSON; a single one is told however long it is. */
const MAX_BATCH_UNITS = 400_000;
/** KV's limit for one `getMany`; also how many news are shared out at a time. */
const AT_ONCE = 10;
/** Deliveries removed in one commit; KV takes a thousand. */
const REMOVED_AT_ONCE = 200;

const newsSchema = v.object({
  id: v.string(),
  at: v.pipe(v.string(), v.isoTimestamp()),
  org: v.string(),
  kind: v.picklist(WEBHOOK_EVENTS),
  event: v.string(),
  text: v.string(),
  link: v.nullable(v.string()),
  details: v.record(v.string(), v.unknown()),
});

const stateSchema = v.object({
  deliveryId: v.string(),
  ids: v.array(v.string()),
  attempts: v.number(),
  /** Unix ms. */
  retryAt: v.number(),
});

type State = v.InferOutput<typeof stateSchema>;

/** Where news waits: for one webhook of one org. */
export interface Place {
  readonly org: string;
  /** `webhookId` of it. */
  readonly hook: string;
}

/** What one message tells, under one id however often it is tried. */
export interface Batch extends Place {
  readonly deliveryId: string;
  /** Oldest first; at least one. */
  readonly news: readonly News[];
  /** How often it has failed. */
  readonly attempts: number;
  /** Not to be tried before (Unix ms). */
  readonly retryAt: number;
  /** State of the database that it was read from. */
  readonly state: Deno.KvEntryMaybe<unknown>;
}

export interface OutboxOptions {
  readonly now: Clock;
  /** Told of what cannot be read, or shared out: one structured line. */
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
  /** How long KV is waited for; 5 s by default. */
  readonly timeoutMs?: number;
}

/**
 * From `news` (what happened, committed with it) to `delivery` (the same, once
 * for each webhook that wants it) to a batch (what one message tells). Each step
 * is one commit that checks that nobody else has taken it. All methods throw
 * StoreUnavailable.
 */
export class Outbox {
  readonly #ulid = idMaker();

  constructor(readonly kv: Deno.Kv, readonly options: OutboxOptions) {}

  /**
   * Shares out all news there is. An org whose webhooks cannot be had keeps its
   * news for the next time.
   * @param webhooksOf those that are there, and those that went and may have missed something
   */
  async shareOut(webhooksOf: (org: string) => Promise<readonly Addressee[]>): Promise<void> {
    const asked = new Map<string, Promise<readonly Addressee[] | null>>();
    const ask = (org: string) => {
      const asking = asked.get(org) ?? webhooksOf(org).catch((error) => {
        this.options.log({ event: "webhook_waits", org, error: String(error) });
        return null;
      });
      asked.set(org, asking);
      return asking;
    };
    const some: Deno.KvEntry<unknown>[] = [];
    const share = () => Promise.all(some.splice(0).map((entry) => this.#share(entry, ask)));
    for await (const entry of this.#list({ prefix: keys.allNews() }, 100)) {
      if (some.push(entry) === AT_ONCE) await share();
    }
    await share();
  }

  async #share(
    entry: Deno.KvEntry<unknown>,
    ask: (org: string) => Promise<readonly Addressee[] | null>,
  ): Promise<void> {
    const parsed = v.safeParse(newsSchema, entry.value);
    const places: Deno.KvKey[] = [];
    if (!parsed.success) {
      this.options.log({ event: "webhook_unreadable", key: entry.key.join("/") });
    } else {
      const { org, kind, id } = parsed.output;
      const webhooks = await ask(org);
      if (webhooks === null) return;
      // Versionstamps order all commits; whoever went is told of the one that it went with, too.
      const isThere = ({ until }: Addressee) => until === undefined || entry.versionstamp <= until;
      const hooks = new Set(
        webhooks.filter((hook) => wants(hook, kind) && isThere(hook)).map(webhookId),
      );
      places.push(...[...hooks].map((hook) => keys.delivery(org, hook, id)));
    }
    while (true) {
      const atomic = this.kv.atomic().check(entry);
      for (const key of places.splice(0, MAX_WEBHOOKS)) {
        atomic.set(key, entry.value, { expireIn: KEPT_MS });
      }
      const isLast = places.length === 0;
      if (isLast) atomic.delete(entry.key);
      // Not ok: another instance has shared it out.
      const { ok } = await this.#commit("share out news", atomic);
      if (isLast || !ok) return;
    }
  }

  /** Every webhook for which something waits, found by leaps: the rest of each is not read. */
  async waiting(): Promise<Place[]> {
    const prefix = keys.allDeliveries();
    const places: Place[] = [];
    let selector: Deno.KvListSelector = { prefix };
    while (true) {
      const [first] = await this.#guard(
        "list deliveries",
        () => Array.fromAsync(this.kv.list(selector, { limit: 1 })),
      );
      if (first === undefined) return places;
      const [org, hook] = first.key.slice(prefix.length).map(String);
      places.push({ org, hook });
      selector = { prefix, start: keys.behindDeliveries(org, hook) };
    }
  }

  /** What is to be told next; null: nothing. A batch stays as it is until it is settled. */
  async next({ org, hook }: Place): Promise<Batch | null> {
    while (true) {
      const key = keys.deliveryState(org, hook);
      const stored = await this.#guard("read a delivery", () => this.kv.get<unknown>(key));
      const parsed = v.safeParse(stateSchema, stored.value);
      if (!parsed.success) {
        const batch = await this.#form({ org, hook }, stored);
        if (batch !== undefined) return batch;
        continue;
      }
      const { ids, ...state } = parsed.output;
      const news = await this.#load({ org, hook }, ids);
      if (news.length > 0) return { org, hook, ...state, news, state: stored };
      // Kept for too long, all of them.
      const atomic = this.kv.atomic().check(stored).delete(key);
      await this.#commit("settle a delivery", atomic);
    }
  }

  /** A batch of what has waited longest; null: nothing waits; undefined: somebody was faster. */
  async #form(place: Place, stored: Deno.KvEntryMaybe<unknown>): Promise<Batch | null | undefined> {
    const news: News[] = [];
    let units = 0;
    const prefix = keys.deliveries(place.org, place.hook);
    for await (const { key, value } of this.#list({ prefix }, MAX_BATCH)) {
      const parsed = v.safeParse(newsSchema, value);
      if (!parsed.success) {
        this.options.log({ event: "webhook_unreadable", key: key.join("/") });
        await this.#guard("remove a delivery", () => this.kv.delete(key));
        continue;
      }
      units += JSON.stringify(parsed.output).length;
      if (news.length > 0 && units > MAX_BATCH_UNITS) break;
      if (news.push(parsed.output) === MAX_BATCH) break;
    }
    if (news.length === 0) return null;
    const deliveryId = this.#ulid(this.options.now());
    const state = { deliveryId, ids: news.map(({ id }) => id), attempts: 0, retryAt: 0 };
    const versionstamp = await this.#setState(place, state, stored);
    if (versionstamp === null) return undefined;
    const { key } = stored;
    return { ...place, ...state, news, state: { key, value: state, versionstamp } };
  }

  async #load({ org, hook }: Place, ids: readonly string[]): Promise<News[]> {
    const news: News[] = [];
    for (let i = 0; i < ids.length; i += AT_ONCE) {
      const wanted = ids.slice(i, i + AT_ONCE).map((id) => keys.delivery(org, hook, id));
      const found = await this.#guard(
        "read deliveries",
        () => this.kv.getMany<unknown[]>(wanted),
      );
      for (const { value } of found) {
        const parsed = v.safeParse(newsSchema, value);
        if (parsed.success) news.push(parsed.output);
      }
    }
    return news;
  }

  /** A batch is done with: told, or given up. False: somebody else has settled it. */
  async settle({ org, hook, news, state }: Batch): Promise<boolean> {
    const atomic = this.kv.atomic().check(state).delete(state.key);
    for (const { id } of news) atomic.delete(keys.delivery(org, hook, id));
    return (await this.#commit("settle a delivery", atomic)).ok;
  }

  /** A batch has failed once more. False: somebody else has tried it, too. */
  async postpone(batch: Batch, retryAt: number): Promise<boolean> {
    const { deliveryId, news, attempts, state } = batch;
    const ids = news.map(({ id }) => id);
    const next = { deliveryId, ids, attempts: attempts + 1, retryAt };
    return await this.#setState(batch, next, state) !== null;
  }

  /**
   * Removes what has waited for a webhook since before `before` (Unix ms);
   * returns how many. A batch of nothing else is gone with it.
   */
  async discard({ org, hook }: Place, before: number): Promise<number> {
    const prefix = keys.deliveries(org, hook);
    let old: Deno.KvKey[] = [];
    let count = 0;
    const remove = async () => {
      const atomic = this.kv.atomic();
      for (const key of old) atomic.delete(key);
      await this.#commit("remove deliveries", atomic);
      count += old.length;
      old = [];
    };
    for await (const { key, value } of this.#list({ prefix }, 100)) {
      const parsed = v.safeParse(newsSchema, value);
      if (parsed.success && Date.parse(parsed.output.at) >= before) break;
      if (old.push(key) === REMOVED_AT_ONCE) await remove();
    }
    if (old.length > 0) await remove();
    return count;
  }

  /** null: somebody was faster. */
  async #setState(
    { org, hook }: Place,
    state: State,
    expected: Deno.KvEntryMaybe<unknown>,
  ): Promise<string | null> {
    const atomic = this.kv.atomic().check(expected)
      .set(keys.deliveryState(org, hook), state, { expireIn: KEPT_MS });
    const result = await this.#commit("store a delivery", atomic);
    return result.ok ? result.versionstamp : null;
  }

  #list(selector: Deno.KvListSelector, batchSize: number) {
    return guardedList(this.kv, selector, { batchSize }, this.#timeoutMs);
  }

  #guard<T>(what: string, call: () => Promise<T>): Promise<T> {
    return guarded(what, this.#timeoutMs, call);
  }

  #commit(what: string, atomic: Deno.AtomicOperation) {
    return committed(what, this.#timeoutMs, () => atomic.commit());
  }

  get #timeoutMs(): number {
    return this.options.timeoutMs ?? STORE_TIMEOUT_MS;
  }
}
