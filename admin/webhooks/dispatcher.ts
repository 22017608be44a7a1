/** Tells webhooks what waits for them, until nothing is due. */
import type { Resolve } from "../../ecosystems/guarded_lookup.ts";
import { WEBHOOK_FORMATS } from "../../policy/schema.ts";
import { type Addressee, formerWebhooks } from "../../policy/store/former_webhooks.ts";
import { withLease } from "../../policy/store/leases.ts";
import type { Batch, Outbox, Place } from "../../policy/store/outbox.ts";
import type { Policies } from "../../policy/store/types.ts";
import type { Policy, Webhook } from "../../policy/types.ts";
import { webhookId } from "../../policy/webhooks.ts";
import { post, type Receipt } from "./client.ts";
import { bodyOf } from "./formats.ts";
import { GIVE_UP_MS, isHopeless, isPutOff, retryDelay } from "./retry.ts";
import { signedHeaders } from "./signature.ts";

/** So that a burst is one message. */
const BURST_MS = 1_000;
const TIMEOUT_MS = 10_000;
/** How long a webhook waits for an instance that vanished; renewed while a message is under way. */
const LEASE_MS = 10_000;
/** Webhooks that are told at the same time. */
const AT_ONCE = 16;
/** When somebody else is at it. */
const LOOK_AGAIN_MS = 5_000;
/** When the database fails, or a policy cannot be read. */
const AFTER_FAILURE_MS = 60_000;
/** What setTimeout takes, and as long as anybody waits without looking. */
const MAX_SLEEP_MS = 3600_000;

export interface DispatcherOptions {
  readonly kv: Deno.Kv;
  readonly outbox: Outbox;
  readonly policies: Pick<Policies, "get">;
  /** Hosts that may be private, and http: see `isAllowedHost`. */
  readonly allow: readonly string[];
  /** Unix ms. */
  readonly now: () => number;
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Names this instance in the database. */
  readonly holder: string;
  /** Whether to wake up for what has to be tried again; otherwise somebody calls `run` now and then. */
  readonly wakes: boolean;
  readonly resolve?: Resolve;
  readonly timeoutMs?: number;
  readonly burstMs?: number;
}

export class Dispatcher {
  readonly #closing = new AbortController();
  /** Places being told, by name. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #queue = new Map<string, Place>();
  #timer: { readonly at: number; readonly id: ReturnType<typeof setTimeout> } | null = null;
  #looking: Promise<void> | null = null;

  constructor(readonly options: DispatcherOptions) {}

  /** News may have been stored; returns at once. */
  kick(): void {
    this.#wake(this.options.burstMs ?? BURST_MS);
  }

  /** Tells what is due; resolves when all of it was tried. Throws nothing. */
  async run(): Promise<void> {
    await this.#look();
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }

  /** Stops at once. What is under way is told again by the next process, under the same id. */
  close(): void {
    this.#closing.abort();
    this.#queue.clear();
    if (this.#timer !== null) clearTimeout(this.#timer.id);
  }

  async #look(): Promise<void> {
    // Whoever looks already may have passed by what is meant now.
    await this.#looking;
    if (this.#closing.signal.aborted) return;
    this.#looking ??= this.#shareOut().finally(() => this.#looking = null);
    await this.#looking;
  }

  async #shareOut(): Promise<void> {
    const { outbox } = this.options;
    try {
      await outbox.shareOut((org) => this.#addressees(org));
      for (const place of await outbox.waiting()) this.#queue.set(nameOf(place), place);
    } catch (error) {
      this.#failed(error);
    }
    this.#pump();
  }

  #pump(): void {
    for (const [name, place] of this.#queue) {
      if (this.#busy.size >= AT_ONCE || this.#closing.signal.aborted) return;
      // It has its turn afterwards: whoever tells it may have looked for the last time.
      if (this.#busy.has(name)) continue;
      this.#queue.delete(name);
      const telling = this.#tell(place)
        .then((at) => this.#wake(at - this.options.now()), (error) => this.#failed(error))
        .finally(() => {
          this.#busy.delete(name);
          this.#pump();
        });
      this.#busy.set(name, telling);
    }
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.options.log({ event: "failure", path: "webhooks", error: String(error) });
    if (this.options.wakes) this.#wake(AFTER_FAILURE_MS);
  }

  /** Looks again after a while, unless that is planned for earlier. */
  #wake(ms: number): void {
    if (ms === Infinity || this.#closing.signal.aborted) return;
    const delay = Math.max(0, Math.min(ms, MAX_SLEEP_MS));
    const at = performance.now() + delay;
    if (this.#timer !== null) {
      if (this.#timer.at <= at) return;
      clearTimeout(this.#timer.id);
    }
    const id = setTimeout(() => {
      this.#timer = null;
      this.#look();
    }, delay);
    // Nobody stays up for this.
    id.unref();
    this.#timer = { at, id };
  }

  /** @returns when to look again (Unix ms); Infinity: nothing waits any more, or somebody looks anyway */
  async #tell(place: Place): Promise<number> {
    const { kv, now, holder, wakes } = this.options;
    const held = await withLease(
      kv,
      `webhook ${nameOf(place)}`,
      { now, holder, ms: LEASE_MS },
      ({ signal }) => this.#tellAll(place, AbortSignal.any([signal, this.#closing.signal])),
    );
    if (!wakes) return Infinity;
    return held === null ? now() + LOOK_AGAIN_MS : held.value;
  }

  /** Batch after batch until none is due; when the next one is (Unix ms). */
  async #tellAll(place: Place, signal: AbortSignal): Promise<number> {
    const { outbox, now } = this.options;
    while (!signal.aborted) {
      const webhook = await this.#webhookOf(place);
      if (webhook === undefined) {
        await this.#forget(place);
        return Infinity;
      }
      const batch = await outbox.next(place);
      if (batch === null) return Infinity;
      if (failedBefore(webhook, batch)) {
        await outbox.settle(batch);
        this.#removed(place, batch.news.length);
        continue;
      }
      if (isPutOff(batch.retryAt, now())) return batch.retryAt;
      await this.#send(batch, webhook, signal);
    }
    return now();
  }

  /** The webhooks of an org, and those that went lately. */
  async #addressees(org: string): Promise<readonly Addressee[]> {
    const policy = await this.options.policies.get(org);
    // Read afterwards, so that none is missed that goes in between.
    return [...policy.webhooks, ...await this.#former(org, policy)];
  }

  /** Newest first: the org's own, and those of the policy that it lives under. */
  async #former(org: string, policy: Policy): Promise<readonly Addressee[]> {
    const owners = [...new Set([org, policy.org])];
    const found = await Promise.all(
      owners.map((owner) => formerWebhooks(this.options.kv, owner)),
    );
    return found.flat();
  }

  /**
   * undefined: the org's policy has no such webhook, and had none lately. One
   * that is there in another form by now is told in that.
   */
  async #webhookOf({ org, hook }: Place): Promise<Addressee | undefined> {
    const policy = await this.options.policies.get(org);
    const isMeant = (webhook: Webhook) => webhookId(webhook) === hook;
    return policy.webhooks.find(isMeant) ??
      (await this.#former(org, policy)).find(isMeant) ??
      policy.webhooks.find((webhook) => formsOf(webhook).some(isMeant));
  }

  async #forget(place: Place): Promise<void> {
    this.#removed(place, await this.options.outbox.discard(place, Infinity));
  }

  #removed({ org }: Place, dropped: number): void {
    this.options.log({ event: "webhook_removed", org, dropped });
  }

  async #send(batch: Batch, webhook: Webhook, signal: AbortSignal): Promise<void> {
    const { outbox, now, log } = this.options;
    const result = await this.#post(batch, webhook, signal);
    // Neither told nor failed: the next one tells it again.
    if (signal.aborted && result instanceof Error) return;
    const line = {
      org: batch.org,
      // Alone: the path of a chat's address is its password.
      host: new URL(webhook.url).host,
      delivery: batch.deliveryId,
      events: batch.news.length,
      attempt: batch.attempts + 1,
    };
    if (!(result instanceof Error) && result.status >= 200 && result.status < 300) {
      log({ event: "webhook_told", ...line });
      await outbox.settle(batch);
      return;
    }
    const reason = result instanceof Error ? describe(result) : `status ${result.status}`;
    if (!(result instanceof Error) && result.status === 410) {
      log({ event: "webhook_gone", ...line, reason });
      await outbox.settle(batch);
      return;
    }
    await this.#failedOnce(batch, {
      line: { ...line, reason },
      retryAfterMs: result instanceof Error ? null : result.retryAfterMs,
      at: now(),
    });
  }

  async #failedOnce(
    batch: Batch,
    { line, retryAfterMs, at }: {
      line: Readonly<Record<string, unknown>>;
      retryAfterMs: number | null;
      at: number;
    },
  ): Promise<void> {
    const { outbox, random, log } = this.options;
    const failures = batch.attempts + 1;
    const newest = Math.max(...batch.news.map((news) => Date.parse(news.at)));
    if (isHopeless(failures, newest, at)) {
      await outbox.settle(batch);
      const older = await outbox.discard(batch, at - GIVE_UP_MS);
      log({ event: "webhook_dropped", ...line, dropped: batch.news.length + older });
      return;
    }
    const delay = retryDelay(failures, { random: random(), retryAfterMs });
    log({ event: "webhook_failed", ...line, retry_ms: delay });
    await outbox.postpone(batch, at + delay);
  }

  /** What the receiver answered, or why it could not. */
  async #post(batch: Batch, webhook: Webhook, signal: AbortSignal): Promise<Receipt | Error> {
    const { allow, resolve, now, timeoutMs = TIMEOUT_MS } = this.options;
    const body = bodyOf(batch, webhook.format);
    const at = now();
    const headers = signedHeaders(body, { id: batch.deliveryId, at, secret: webhook.secret });
    try {
      const url = new URL(webhook.url);
      return await post(url, body, { headers, allow, resolve, timeoutMs, signal, now: at });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** Whether a webhook that went could not be told: whoever takes away what is out of order wants no more of it. */
function failedBefore({ until }: Addressee, { attempts, state }: Batch): boolean {
  return until !== undefined && attempts > 0 && (state.versionstamp ?? "") < until;
}

/** A webhook's address in every form that its messages may have, signed or not. */
function formsOf({ url }: Webhook): Webhook[] {
  return WEBHOOK_FORMATS.flatMap((format) => [{ url, format }, { url, format, secret: "any" }]);
}

function nameOf({ org, hook }: Place): string {
  return `${org} ${hook}`;
}

/** For the log; of an address no more than its host. */
function describe(error: Error): string {
  return `${error.name}: ${error.message}`.slice(0, 200);
}
