import { LRUCache } from "lru-cache";
import { compilePolicy } from "../engine.ts";
import type { Policy, VersionSchemes } from "../types.ts";
import { PolicyInvalid, PolicyUnreadable, StoreUnavailable } from "./errors.ts";
import type { PolicyDocuments } from "./policy_documents.ts";
import type { Clock, PolicyHead } from "./types.ts";

/** A look at the head this old is renewed while the old answer is still given. */
const RENEW_MS = 2_000;
/** Older than this, nothing is answered before the head has been read again. */
const STALE_MS = 5_000;
/** While KV fails, what was read may be used this long, where the policy allows that. */
const RECALL_MS = 3600_000;
/** Of JSON; compiled, a document takes a few times as much. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What an org costs that has no policy of its own. */
const ENTRY_BYTES = 512;

/** What is known of one org. */
interface Known {
  /** When KV was asked (Unix ms), not when it answered. */
  readonly at: number;
  /** null: the org had no policy when KV was asked. */
  readonly revision: string | null;
  readonly own: Policy | PolicyUnreadable | null;
  readonly bytes: number;
}

/** The compiled policies of orgs that have one, at most 5 s old. */
export class PolicyCache {
  readonly #known = new LRUCache<string, Known>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ bytes }) => bytes + ENTRY_BYTES,
  });
  readonly #asking = new Map<string, Promise<Known>>();
  /** Whether KV failed when it was last asked. */
  failing = false;

  constructor(
    readonly documents: PolicyDocuments,
    readonly options: { readonly schemes: VersionSchemes; readonly now: Clock },
  ) {}

  /** The org's own policy; null: it has none. Throws PolicyUnreadable, StoreUnavailable. */
  async get(org: string): Promise<Policy | null> {
    const { own } = await this.#look(org);
    if (own instanceof PolicyUnreadable) throw own;
    return own;
  }

  /** The same without waiting; undefined: KV has to be asked first, or what it said is for `get` to throw. */
  peek(org: string): Policy | null | undefined {
    const known = this.#look(org);
    if (known instanceof Promise) {
      known.catch(() => {}); // `get` finds the same
      return undefined;
    }
    return known.own instanceof PolicyUnreadable ? undefined : known.own;
  }

  /** What KV said at most an hour ago; undefined: nothing, or nothing readable. */
  recall(org: string): Policy | null | undefined {
    const known = this.#known.get(org);
    if (known === undefined || !(this.options.now() - known.at < RECALL_MS)) return undefined;
    return known.own instanceof PolicyUnreadable ? undefined : known.own;
  }

  /** Throws StoreUnavailable, and PolicyUnreadable where not even the head can be read. */
  async has(org: string): Promise<boolean> {
    return (await this.#look(org)).own !== null;
  }

  /** Takes note of a write by this process, unless a later one has been noted. */
  put(org: string, { revision, bytes }: PolicyHead, own: Policy | null): void {
    const known = this.#known.peek(org);
    if (known?.revision && known.revision > revision) return;
    this.#known.set(org, { at: this.options.now(), revision, own, bytes });
  }

  #look(org: string): Known | Promise<Known> {
    const known = this.#known.get(org);
    const age = known === undefined ? Infinity : this.options.now() - known.at;
    // A negative age is a clock that was set back.
    if (known === undefined || !(age >= 0 && age < STALE_MS)) return this.#ask(org);
    if (age >= RENEW_MS && !this.#asking.has(org)) {
      this.#ask(org).catch(() => {}); // counts once it is stale
    }
    return known;
  }

  #ask(org: string): Promise<Known> {
    const asking = this.#asking.get(org);
    if (asking) return asking;
    const mine = this.#read(org).finally(() => this.#asking.delete(org));
    this.#asking.set(org, mine);
    mine.then(() => this.failing = false, (error) => {
      this.failing = error instanceof StoreUnavailable;
    });
    return mine;
  }

  async #read(org: string): Promise<Known> {
    const before = this.#known.peek(org);
    const at = this.options.now();
    const { head } = await this.documents.head(org);
    if (head === "unreadable") {
      throw new PolicyUnreadable(`Cannot read what is stored as policy of ${org}`);
    }
    const known = await this.#learn(org, head, { at, before });
    const current = this.#known.peek(org);
    // Written by this process meanwhile: that is newer than what was read.
    if (current !== undefined && current !== before) return current;
    this.#known.set(org, known);
    return known;
  }

  async #learn(
    org: string,
    head: PolicyHead | null,
    { at, before }: { at: number; before: Known | undefined },
  ): Promise<Known> {
    if (head === null) return { at, revision: null, own: null, bytes: 0 };
    const { revision, bytes } = head;
    if (before?.revision === revision && before.own !== null) return { ...before, at };
    return { at, revision, own: await this.#compile(org, head), bytes };
  }

  /** A document that cannot be read stays so until another is stored, so that is remembered, too. */
  async #compile(org: string, head: PolicyHead): Promise<Policy | PolicyUnreadable> {
    try {
      const document = await this.documents.load(org, head);
      const { revision } = head;
      return compilePolicy(document, { org, revision, schemes: this.options.schemes });
    } catch (error) {
      if (error instanceof PolicyUnreadable) return error;
      if (!(error instanceof PolicyInvalid)) throw error;
      return new PolicyUnreadable(`Cannot accept what is stored as policy of ${org}`, {
        cause: error,
      });
    }
  }
}
