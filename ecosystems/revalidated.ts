/**
 * Values made from upstream documents, kept and asked for again: one request
 * for many askers, one parse per change, the last good one for a day when
 * upstream fails.
 */
import { LRUCache } from "lru-cache";
import { isWithin } from "../policy/clock.ts";
import type { DocumentAddress, Source } from "./ecosystem.ts";
import type { Document } from "./ecosystem.ts";
import { InvalidMetadata, UpstreamError } from "./errors.ts";
import type { DocumentAnswer, Upstream, Validators } from "./upstream.ts";

/** Longest time an answer is used without asking, whatever upstream allows. */
const MAX_FRESH_MS = 300_000;
/** How long the last good value is served while upstream fails. */
const STALE_MS = 24 * 3600_000;
/** How long a failing upstream is left alone while there is a stale value. */
const RETRY_MS = 5_000;
/** How long a provisional value will do. */
const PROVISIONAL_MS = 60_000;

export interface Kept<T> {
  readonly value: T;
  /** Equal for equal upstream content: its strong ETag, else a SHA-256 of its bytes as they came. */
  readonly id: string;
  /** Upstream fails; milliseconds since it last confirmed the value. null: fresh. */
  readonly staleMs: number | null;
}

/** What was made of a value, or the value itself where nothing was made of it yet. */
export type Made<T, M> =
  | Omit<Kept<T>, "value"> & { readonly made: M }
  | Kept<T> & { readonly made?: undefined };

export interface Wanted<T> {
  /** Unique to the value: source, partition and name included. */
  readonly key: string;
  readonly source: Source;
  /** Where it is; asked for only when upstream is. */
  address(): DocumentAddress;
  /** Further origins the document may come from. */
  readonly origins?: readonly string[];
  /** Milliseconds it may be used for where upstream states no max-age. */
  readonly graceMs: number;
  /** Milliseconds it may be used for in place of all that; what upstream fails to confirm is used as ever. */
  readonly withinMs?: number;
  /**
   * What else the value is made of, in words that change with it: then it is made anew, even if
   * upstream's document is the same. Asked for only when upstream is; absent: nothing. Throws what
   * `load` throws.
   */
  basis?(): Promise<string>;
  /** Throws InvalidMetadata. */
  make(document: Document): T | Promise<T>;
  /** Bytes it holds. */
  weigh(value: T): number;
  /** Whether it lacks something that may be had soon: then it is made anew after a minute. */
  isProvisional?(value: T): boolean;
}

/** In place of a value that is too large to be held: what is needed to ask whether it changed. */
const FORGOTTEN = Symbol("forgotten");
/** Memory of one that is forgotten, roughly. */
const FORGOTTEN_WEIGHT = 500;

interface Entry {
  value: unknown;
  id: string;
  validators: Validators;
  maxAge: number | null;
  /** Unix ms when upstream last confirmed it. */
  confirmedAt: number;
  /** Unix ms of the last failure since then; 0: none. */
  failedAt: number;
  /** Unix ms when it must be made anew even if upstream did not change. */
  readonly remakeAt: number;
  /** Of `Wanted`, when it was made. */
  readonly basis: string | undefined;
}

export class RevalidatedCache {
  readonly #upstream: Upstream;
  readonly #now: () => number;
  readonly #entries: LRUCache<string, Entry>;
  readonly #inFlight = new Map<string, Promise<Entry | null>>();

  /** @param bytes bound on what is held */
  constructor(upstream: Upstream, { now, bytes }: { now: () => number; bytes: number }) {
    this.#upstream = upstream;
    this.#now = now;
    this.#entries = new LRUCache({ maxSize: Math.max(bytes, 1) });
  }

  /** What `load` would give without asking upstream; undefined: it would ask. */
  peek<T>(key: string, graceMs: number): Kept<T> | undefined {
    const held = this.#entries.get(key);
    if (held === undefined || !isHeld(held) || !this.#isUsable(held, graceMs)) return undefined;
    return this.#keep<T>(held);
  }

  /** null: upstream has no such document. Throws UpstreamError, InvalidMetadata. */
  async load<T>(wanted: Wanted<T>): Promise<Kept<T> | null> {
    const entry = await this.#find(wanted, isHeld);
    return entry === null ? null : this.#keep(entry);
  }

  /**
   * The same for what is held in another form, be the value itself held or not: it is asked for
   * whole only where it changed or nothing was made of it.
   * @param find what was made of the value with this id
   */
  async loadUnlessMade<T, M>(
    wanted: Wanted<T>,
    find: (id: string) => M | undefined,
  ): Promise<Made<T, M> | null> {
    const found: { made?: M } = {};
    const entry = await this.#find(wanted, (entry) => {
      found.made = find(entry.id);
      return found.made !== undefined || isHeld(entry);
    });
    if (entry === null) return null;
    const { value, id, staleMs } = this.#keep<T>(entry);
    return found.made === undefined ? { value, id, staleMs } : { made: found.made, id, staleMs };
  }

  /** @param serves whether an entry is any use to the asker */
  async #find<T>(wanted: Wanted<T>, serves: (entry: Entry) => boolean): Promise<Entry | null> {
    const { key, graceMs, withinMs } = wanted;
    for (;;) {
      const known = this.#entries.get(key);
      const held = known !== undefined && serves(known) ? known : undefined;
      if (held !== undefined && this.#isUsable(held, graceMs, withinMs)) return held;
      let flight = this.#inFlight.get(key);
      if (flight === undefined) {
        flight = this.#refresh(wanted, held).finally(() => this.#inFlight.delete(key));
        this.#inFlight.set(key, flight);
      }
      const entry = await flight;
      // Somebody else's flight may have found that what we need whole did not change.
      if (entry === null || serves(entry)) return entry;
    }
  }

  /** Only `make` of the same key put it there, so it is a T. */
  #keep<T>(entry: Entry): Kept<T> {
    const staleMs = entry.failedAt === 0 ? null : this.#now() - entry.confirmedAt;
    return { value: entry.value as T, id: entry.id, staleMs };
  }

  #isUsable(entry: Entry, graceMs: number, withinMs?: number): boolean {
    const now = this.#now();
    if (now >= entry.remakeAt) return false;
    if (entry.failedAt !== 0) return isWithin(entry.failedAt, now, RETRY_MS) && this.#isGood(entry);
    const stated = entry.maxAge === null ? graceMs : Math.min(entry.maxAge * 1000, MAX_FRESH_MS);
    return isWithin(entry.confirmedAt, now, withinMs ?? stated);
  }

  #isGood(entry: Entry): boolean {
    return isWithin(entry.confirmedAt, this.#now(), STALE_MS);
  }

  async #refresh<T>(wanted: Wanted<T>, held: Entry | undefined): Promise<Entry | null> {
    try {
      return await this.#ask(wanted, held);
    } catch (error) {
      const expected = error instanceof UpstreamError || error instanceof InvalidMetadata;
      if (isDenied(error)) this.#entries.delete(wanted.key);
      if (!expected || held === undefined || !this.#isGood(held) || isDenied(error)) throw error;
      held.failedAt = this.#now();
      return held;
    }
  }

  async #ask<T>(wanted: Wanted<T>, held: Entry | undefined): Promise<Entry | null> {
    const { source, origins } = wanted;
    const isCurrent = held !== undefined && this.#now() < held.remakeAt &&
      held.basis === await wanted.basis?.();
    const current = isCurrent ? held : undefined;
    const answer = await this.#upstream.document(source, wanted.address(), {
      validators: current?.validators,
      origins,
    });
    if (answer.kind === "missing") {
      this.#entries.delete(wanted.key);
      return null;
    }
    if (answer.kind === "unchanged") {
      if (held === undefined) {
        throw new UpstreamError("unreachable", "Upstream answers 304 unasked");
      }
      return this.#confirm(held, answer.maxAge);
    }
    // Hashed beside the reading, unless that may save the reading.
    const id = contentId(answer);
    if (current !== undefined && current.id === await id) {
      // Upstream may have sent what it has under a new validator, and know no other from now on.
      current.validators = answer.validators;
      return this.#confirm(current, answer.maxAge);
    }
    const basis = await wanted.basis?.();
    const value = await wanted.make(answer.document);
    const entry: Entry = {
      value,
      id: await id,
      validators: answer.validators,
      maxAge: answer.maxAge,
      confirmedAt: this.#now(),
      failedAt: 0,
      remakeAt: wanted.isProvisional?.(value) ? this.#now() + PROVISIONAL_MS : Infinity,
      basis,
    };
    const size = Math.max(1, Math.ceil(wanted.weigh(value)));
    if (size <= this.#entries.maxSize) this.#entries.set(wanted.key, entry, { size });
    else this.#entries.set(wanted.key, { ...entry, value: FORGOTTEN }, { size: FORGOTTEN_WEIGHT });
    return entry;
  }

  #confirm(entry: Entry, maxAge: number | null): Entry {
    entry.confirmedAt = this.#now();
    entry.failedAt = 0;
    entry.maxAge = maxAge ?? entry.maxAge;
    return entry;
  }
}

function isHeld({ value }: Entry): boolean {
  return value !== FORGOTTEN;
}

const DENIALS = new Set([401, 403, 451]);

/** An upstream that says no to us is not down: what it gave before is no longer ours to give. */
function isDenied(error: unknown): boolean {
  return error instanceof UpstreamError &&
    DENIALS.has(error.options.status ?? 0);
}

/** A strong entity tag (RFC 9110, 8.8.3) that says something: some servers send an empty one with everything. */
const STRONG_TAG = /^"[^"]+"$/;

async function contentId(answer: DocumentAnswer & { kind: "document" }): Promise<string> {
  const { etag } = answer.validators;
  // A weak validator may stand for documents that differ in what we read of them.
  if (etag !== null && STRONG_TAG.test(etag)) return etag;
  const digest = await crypto.subtle.digest("SHA-256", contentOf(answer.wire));
  return new Uint8Array(digest).toHex();
}

/** Length of a gzip's header (RFC 1952, 2.3), and what may follow it. */
const GZIP_HEADER = 10;
const GZIP_NAME = 8;

/**
 * Of a gzip what comes behind its header: that has the time at which it was packed, and with some
 * frameworks a random name, so that no two answers are alike.
 */
function contentOf(wire: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const [first, second, method, flags] = wire;
  if (first !== 0x1f || second !== 0x8b || method !== 8) return wire;
  if (flags === 0) return wire.subarray(GZIP_HEADER);
  return flags === GZIP_NAME ? wire.subarray(wire.indexOf(0, GZIP_HEADER) + 1) : wire;
}
