import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import * as v from "valibot";
import { committed } from "./committed.ts";
import { PolicyUnreadable } from "./errors.ts";
import { keys } from "./keys.ts";
import { guarded } from "./timeout.ts";
import type { PolicyHead } from "./types.ts";

/**
 * Policy documents in Deno KV. A document is cut into pieces that fit KV's
 * values; they are there before the head that names them, so a document is
 * replaced as a whole or not at all.
 */

/** KV's limit for a value is 65,536 bytes with its own framing. */
const PIECE_BYTES = 60_000;
/** KV's limit for one `getMany`; also keeps an atomic below 819,200 bytes. */
const PIECES_AT_ONCE = 10;
/** More than any document that was ever accepted. */
const MAX_INFLATED_BYTES = 32 * 1024 * 1024;

const compress = promisify(gzip);
const inflate = promisify(gunzip);

const headSchema = v.object({
  revision: v.pipe(v.string(), v.regex(/^[0-9A-HJKMNP-TV-Z]{26}$/)),
  at: v.string(),
  by: v.string(),
  pieces: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000)),
  bytes: v.pipe(v.number(), v.integer(), v.minValue(0)),
  copyOf: v.optional(v.string()),
});

/** What is stored under an org's name. */
export interface StoredHead {
  /** null: the org has no policy of its own; `unreadable`: something that is no head. */
  readonly head: PolicyHead | null | "unreadable";
  readonly versionstamp: string | null;
}

export interface NewRevision {
  readonly revision: string;
  readonly at: string;
  readonly by: string;
  /** JSON; null: back to the default's. */
  readonly json: string | null;
  /** As in `PolicyHead`. */
  readonly copyOf?: string;
}

export class PolicyDocuments {
  constructor(readonly kv: Deno.Kv, readonly timeoutMs: number) {}

  /** Throws StoreUnavailable. */
  async head(org: string): Promise<StoredHead> {
    const entry = await this.#guard("read a policy", () => this.kv.get(keys.policy(org)));
    if (entry.versionstamp === null) return { head: null, versionstamp: null };
    const head = readHead(entry.value);
    return { head: head ?? "unreadable", versionstamp: entry.versionstamp };
  }

  /** The document of a revision as stored; null for one without. Throws PolicyUnreadable, StoreUnavailable. */
  async load(org: string, head: PolicyHead): Promise<unknown> {
    if (head.pieces === 0) return null;
    const pieces = await this.#readPieces(org, head);
    try {
      const bytes = await unpack(pieces);
      if (bytes.length !== head.bytes) throw new RangeError(`it has ${bytes.length} bytes`);
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new PolicyUnreadable(`Cannot read revision ${head.revision} of ${org}`, { cause });
    }
  }

  async #readPieces(org: string, head: PolicyHead): Promise<Uint8Array> {
    const wanted = Array.from(
      { length: head.pieces },
      (_, piece) => keys.policyPiece(org, head.revision, piece),
    );
    const found: Uint8Array[] = [];
    for (let i = 0; i < wanted.length; i += PIECES_AT_ONCE) {
      const entries = await this.#guard(
        "read a policy",
        () => this.kv.getMany(wanted.slice(i, i + PIECES_AT_ONCE)),
      );
      for (const { value } of entries) {
        if (!(value instanceof Uint8Array)) {
          throw new PolicyUnreadable(`Cannot read revision ${head.revision} of ${org}: incomplete`);
        }
        found.push(value);
      }
    }
    return new Uint8Array(await new Blob(found as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  }

  /**
   * Makes a revision the current one, provided the stored head still is
   * `expected` and what `also` checks holds; null: one of them does not. Throws
   * StoreUnavailable.
   * @param also adds to the commit that makes it the current one
   */
  async write(
    org: string,
    { revision, at, by, json, copyOf }: NewRevision,
    expected: string | null,
    also: (atomic: Deno.AtomicOperation) => void = () => {},
  ): Promise<PolicyHead | null> {
    const bytes = json === null ? null : new TextEncoder().encode(json);
    const pieces = bytes === null ? [] : await pack(bytes);
    const head: PolicyHead = {
      revision,
      at,
      by,
      pieces: pieces.length,
      bytes: bytes?.length ?? 0,
      ...(copyOf === undefined ? {} : { copyOf }),
    };
    // Made first, so that nothing is stored if it cannot be.
    const flip = this.kv.atomic()
      .check({ key: keys.policy(org), versionstamp: expected })
      .set(keys.policyRevision(org, revision), head);
    if (json === null) flip.delete(keys.policy(org));
    else flip.set(keys.policy(org), head);
    also(flip);
    for (let i = 0; i < pieces.length; i += PIECES_AT_ONCE) {
      const atomic = this.kv.atomic();
      pieces.slice(i, i + PIECES_AT_ONCE).forEach((piece, offset) => {
        atomic.set(keys.policyPiece(org, revision, i + offset), piece);
      });
      await this.#step(org, head, () => atomic.commit());
    }
    const { ok } = await this.#step(org, head, () => flip.commit());
    if (ok) return head;
    await this.#guard("remove a policy's pieces", () => this.#removePieces(org, head));
    return null;
  }

  /** A write that fails leaves nothing behind, not even when it turns out late that it did. */
  async #step<T>(org: string, head: PolicyHead, call: () => Promise<T>): Promise<T> {
    let work: Promise<T> | undefined;
    try {
      return await committed("store a policy", this.timeoutMs, () => work = call());
    } catch (error) {
      Promise.resolve(work).catch(() => {})
        .then(() => this.#removePieces(org, head))
        .catch(() => {}); // out of reach still: pieces without a head are never read
      throw error;
    }
  }

  async #removePieces(org: string, head: PolicyHead): Promise<void> {
    const stored = await this.kv.get(keys.policyRevision(org, head.revision));
    if (stored.versionstamp !== null) return; // the write did happen
    for (let piece = 0; piece < head.pieces; piece++) {
      await this.kv.delete(keys.policyPiece(org, head.revision, piece));
    }
  }

  /** The head of one of an org's revisions; null: there is none that can be read. Throws StoreUnavailable. */
  async revision(org: string, revision: string): Promise<PolicyHead | null> {
    const key = keys.policyRevision(org, revision);
    const entry = await this.#guard("read a policy", () => this.kv.get(key));
    return readHead(entry.value);
  }

  /** An org's newest revision, that of a policy it has no longer included; null: it never had one. Throws StoreUnavailable. */
  async newest(org: string): Promise<string | null> {
    const selector = { prefix: keys.policyRevisions(org) };
    const options = { reverse: true, limit: 1 };
    const [newest] = await this.#list(selector, options, ({ key }) => String(key[2]));
    return newest ?? null;
  }

  /** Heads of an org's revisions, newest first. Throws PolicyUnreadable, StoreUnavailable. */
  revisions(org: string, limit: number, before?: string): Promise<PolicyHead[]> {
    const prefix = keys.policyRevisions(org);
    const selector = before === undefined
      ? { prefix }
      : { prefix, end: keys.policyRevision(org, before) };
    return this.#list(selector, { reverse: true, limit }, ({ value }) => {
      const head = readHead(value);
      if (head === null) throw new PolicyUnreadable(`Cannot read the history of ${org}`);
      return head;
    });
  }

  /** Throws StoreUnavailable. */
  async orgs(): Promise<string[]> {
    const orgs = await this.#list({ prefix: keys.policies() }, {}, ({ key }) => String(key[1]));
    return orgs.sort();
  }

  async #list<T>(
    selector: Deno.KvListSelector,
    options: Deno.KvListOptions,
    read: (entry: Deno.KvEntry<unknown>) => T,
  ): Promise<T[]> {
    const entries = await this.#guard(
      "list policies",
      () => Array.fromAsync(this.kv.list(selector, options)),
    );
    return entries.map(read);
  }

  #guard<T>(what: string, work: () => Promise<T>): Promise<T> {
    return guarded(what, this.timeoutMs, work);
  }
}

function readHead(value: unknown): PolicyHead | null {
  const result = v.safeParse(headSchema, value);
  return result.success ? result.output : null;
}

/** Small documents stay readable in KV; `{` never begins a gzip stream. */
async function pack(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array[]> {
  const packed = bytes.length <= PIECE_BYTES ? bytes : new Uint8Array(await compress(bytes));
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < packed.length; from += PIECE_BYTES) {
    pieces.push(packed.slice(from, from + PIECE_BYTES));
  }
  return pieces;
}

async function unpack(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return new Uint8Array(await inflate(bytes, { maxOutputLength: MAX_INFLATED_BYTES }));
}
