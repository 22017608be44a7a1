/** Advisories in Deno KV: what OSV answered, package by package, and what was imported in bulk. */
import * as v from "valibot";
import type { Advisory } from "../types.ts";
import { type AdvisoryAnswer, pack, type Packed, readPiece, unpack } from "./advisory_pack.ts";
import { BulkWriter } from "./bulk_writer.ts";
import { committed } from "./committed.ts";
import { PreconditionFailed, StoreUnavailable } from "./errors.ts";
import { idMaker } from "./id_maker.ts";
import { keys } from "./keys.ts";
import { guarded, guardedList } from "./timeout.ts";

/** How long an answer that nobody asks for again is kept. */
const KEEP_MS = 30 * 24 * 3600_000;
/** KV's limit for one `getMany`. */
const KEYS_AT_ONCE = 10;
/** How long one answer of KV is waited for: a client waits for 2 s in all. */
const TIMEOUT_MS = 1_000;
/** At reading what is being replaced: an import takes longer than that. */
const ATTEMPTS = 3;
/** How long it is tried to make an import the one that counts. */
const COMMIT_MS = 30_000;
const IMPORTED = "read what was imported";

const headSchema = v.object({
  generation: v.string(),
  at: v.number(),
  packages: v.number(),
  advisories: v.number(),
});

/** What was imported for an ecosystem. */
export interface BulkHead extends v.InferOutput<typeof headSchema> {
  readonly generation: string;
  /** Unix ms: when the newest of its records was last changed. */
  readonly at: number;
  readonly packages: number;
  readonly advisories: number;
}

/** A package's part of an import. */
export interface Imported {
  readonly head: BulkHead;
  /** null: it has no advisories there. */
  readonly answer: AdvisoryAnswer | null;
}

/** All methods throw StoreUnavailable where KV fails, or has what cannot be read. */
export class AdvisoryStore {
  readonly #ulid = idMaker();

  constructor(readonly kv: Deno.Kv, readonly timeoutMs = TIMEOUT_MS) {}

  /** What OSV last said of a package; null: nothing that can be read. */
  read(ecosystem: string, name: string): Promise<AdvisoryAnswer | null> {
    return this.#read((piece) => keys.advisories(ecosystem, name, piece));
  }

  async write(ecosystem: string, name: string, answer: AdvisoryAnswer): Promise<void> {
    const pieces = pack(answer);
    if (pieces === null) return;
    const atomic = this.kv.atomic();
    pieces.forEach((piece, i) =>
      atomic.set(keys.advisories(ecosystem, name, i), piece, { expireIn: KEEP_MS })
    );
    await committed("store advisories", this.timeoutMs, () => atomic.commit());
  }

  /** Unix ms of OSV's last answer to anybody; null: there was none. */
  async lastAnswer(): Promise<number | null> {
    const { value } = await guarded(
      "read when advisories were had",
      this.timeoutMs,
      () => this.kv.get<unknown>(keys.lastAdvisories()),
    );
    return typeof value === "number" ? value : null;
  }

  async noteAnswer(at: number): Promise<void> {
    await guarded(
      "note that advisories were had",
      this.timeoutMs,
      () => this.kv.set(keys.lastAdvisories(), at),
    );
  }

  /** What was imported for an ecosystem; null: nothing. */
  async bulk(ecosystem: string): Promise<BulkHead | null> {
    const { value } = await guarded(
      IMPORTED,
      this.timeoutMs,
      () => this.kv.get<unknown>(keys.advisoryBulk(ecosystem)),
    );
    return readHead(value);
  }

  /** All that was imported, by ecosystem. */
  async bulks(): Promise<Map<string, BulkHead>> {
    const found = new Map<string, BulkHead>();
    const selector = { prefix: keys.advisoryBulks() };
    for await (const { key, value } of guardedList(this.kv, selector, { batchSize: 100 }, 5_000)) {
      const parsed = v.safeParse(headSchema, value);
      if (parsed.success) found.set(String(key.at(-1)), parsed.output);
    }
    return found;
  }

  /** A package's part of what was imported; null: nothing was, for its ecosystem. */
  async imported(ecosystem: string, name: string): Promise<Imported | null> {
    let head = await this.bulk(ecosystem);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (head === null) return null;
      const { generation } = head;
      const keyOf = (piece: number) => keys.bulkAdvisories(ecosystem, generation, name, piece);
      const [current, first] = await guarded(
        IMPORTED,
        this.timeoutMs,
        () => this.kv.getMany<unknown[]>([keys.advisoryBulk(ecosystem), keyOf(0)]),
      );
      const next = readHead(current.value);
      // What another import has just replaced is not "nothing there".
      if (next?.generation === generation) {
        if (first.value === null) return { head, answer: null };
        const answer = await this.#whole(readPiece(first.value), keyOf);
        if (answer !== null) return { head, answer };
      }
      head = next;
    }
    throw new StoreUnavailable(`Cannot ${IMPORTED} of ${name}`);
  }

  /**
   * Replaces what was imported for an ecosystem, as a whole or not at all: the
   * new one counts from the moment it is complete. Of several at the same time
   * one counts; the others throw PreconditionFailed.
   */
  async replaceBulk(
    ecosystem: string,
    packages: ReadonlyMap<string, readonly Advisory[]>,
    { at, now }: { at: number; now: number },
  ): Promise<BulkHead> {
    const generation = this.#ulid(now);
    const marker = keys.bulkWriting(ecosystem, generation);
    const before = await storing(() => this.kv.get(keys.advisoryBulk(ecosystem)));
    const { versionstamp } = await storing(() => this.kv.set(marker, now));
    const writer = new BulkWriter(this.kv);
    let advisories = 0;
    for (const [name, list] of packages) {
      advisories += list.length;
      const pieces = pack({ at, ids: [], list });
      if (pieces === null) throw new RangeError(`Cannot store the advisories of ${name}: too many`);
      for (const [i, piece] of pieces.entries()) {
        await writer.set(keys.bulkAdvisories(ecosystem, generation, name, i), piece);
      }
    }
    await writer.flush();
    const head: BulkHead = { generation, at, packages: packages.size, advisories };
    const counts = await this.#count(ecosystem, head, [before, { key: marker, versionstamp }]);
    // Without their markers those that are still being written will never count.
    for await (const { key } of listed(this.kv, keys.bulksWriting(ecosystem))) {
      if (counts || key[2] === generation) await writer.delete(key);
    }
    await writer.flush();
    await this.#sweep(ecosystem);
    if (counts) return head;
    throw new PreconditionFailed(
      `Cannot import the advisories of ${ecosystem}: another import of them ran meanwhile`,
    );
  }

  /** Makes an import the one that counts; false: another one does, or has swept this one away. */
  async #count(
    ecosystem: string,
    head: BulkHead,
    checks: readonly Deno.AtomicCheck[],
  ): Promise<boolean> {
    const marker = keys.bulkWriting(ecosystem, head.generation);
    const commit = () =>
      this.kv.atomic().check(...checks).set(keys.advisoryBulk(ecosystem), head).delete(marker)
        .commit();
    const { ok } = await committed("store an import", COMMIT_MS, commit, { always: true });
    // Refused, it may have taken effect before without saying so.
    return ok || (await this.bulk(ecosystem))?.generation === head.generation;
  }

  /** Removes earlier imports, and those that were broken off or overtaken. */
  async #sweep(ecosystem: string): Promise<void> {
    const writer = new BulkWriter(this.kv);
    const dead = new Map<string, boolean>();
    for await (const { key } of listed(this.kv, keys.bulkOf(ecosystem))) {
      const generation = String(key[2]);
      if (!dead.has(generation)) dead.set(generation, await this.#isDead(ecosystem, generation));
      if (dead.get(generation)) await writer.delete(key);
    }
    await writer.flush();
  }

  /** Neither the one that counts nor being written: then it never will be again. */
  async #isDead(ecosystem: string, generation: string): Promise<boolean> {
    const [head, marker] = await storing(() =>
      this.kv.getMany([keys.advisoryBulk(ecosystem), keys.bulkWriting(ecosystem, generation)])
    );
    return marker.value === null && readHead(head.value)?.generation !== generation;
  }

  async #read(keyOf: (piece: number) => Deno.KvKey): Promise<AdvisoryAnswer | null> {
    const { value } = await guarded(
      "read advisories",
      this.timeoutMs,
      () => this.kv.get<unknown>(keyOf(0)),
    );
    return await this.#whole(readPiece(value), keyOf);
  }

  /** null: pieces are missing, or it cannot be read. */
  async #whole(
    first: Packed | null,
    keyOf: (piece: number) => Deno.KvKey,
  ): Promise<AdvisoryAnswer | null> {
    if (first === null) return null;
    const pieces: (Packed | null)[] = [first];
    for (let from = 1; from < first.pieces; from += KEYS_AT_ONCE) {
      const count = Math.min(KEYS_AT_ONCE, first.pieces - from);
      const wanted = Array.from({ length: count }, (_, i) => keyOf(from + i));
      const entries = await guarded(
        "read advisories",
        this.timeoutMs,
        () => this.kv.getMany<unknown[]>(wanted),
      );
      pieces.push(...entries.map((entry) => readPiece(entry.value)));
    }
    return unpack(pieces);
  }
}

/** Nobody waits for an answer while something is imported. */
function storing<T>(call: () => Promise<T>): Promise<T> {
  return guarded("store an import", 5_000, call);
}

function listed(kv: Deno.Kv, prefix: Deno.KvKey) {
  return guardedList(kv, { prefix }, { batchSize: 500 }, 10_000);
}

/** null: there is none. */
function readHead(value: unknown): BulkHead | null {
  if (value === null) return null;
  const parsed = v.safeParse(headSchema, value);
  if (parsed.success) return parsed.output;
  throw new StoreUnavailable(`Cannot ${IMPORTED}: KV has something else`);
}
