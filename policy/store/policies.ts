import { decodeTime } from "ulid";
import { parseInstant } from "../duration.ts";
import { compileDocument } from "../engine.ts";
import { entryId } from "../entry.ts";
import { parsePolicy, type PolicyDocument } from "../schema.ts";
import type { Policy, VersionSchemes } from "../types.ts";
import { inheritedWebhook } from "../webhooks.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { PolicyUnreadable, PreconditionFailed, StoreUnavailable } from "./errors.ts";
import { idMaker } from "./id_maker.ts";
import { type Journal, openJournal } from "./journal.ts";
import { keys } from "./keys.ts";
import { PolicyCache } from "./policy_cache.ts";
import { PolicyDocuments, type StoredHead } from "./policy_documents.ts";
import {
  type Draft,
  draftOf,
  type KnownParts,
  NOTHING_KNOWN,
  type OutgoingAllowed,
} from "./policy_draft.ts";
import { policyLines, type PolicyState } from "./policy_journal.ts";
import { STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Change, Clock, Page, Policies, PolicyHead, PolicyRevision } from "./types.ts";

/** Whose policy counts for orgs without one. */
const DEFAULT_ORG = "default";
/** Revision of the policy that there is before anybody has stored one. */
const BUILT_IN_REVISION = "builtin";
/** Name of the list in its cursors. */
const HISTORY = "policy_history";
/** Ends a page of long documents early. */
const PAGE_BYTES = 16 * 1024 * 1024;
const ATTEMPTS = 20;

export interface PoliciesOptions extends OutgoingAllowed {
  readonly schemes: VersionSchemes;
  readonly now: Clock;
  /** Where changes are written down; one that tells nobody by default. */
  readonly journal?: Journal;
  /** How long one answer of KV is waited for. */
  readonly timeoutMs?: number;
}

/**
 * Policies in Deno KV. All methods throw StoreUnavailable where KV fails or
 * takes longer than `timeoutMs`: without a policy nothing may be served.
 */
export function openPolicies(kv: Deno.Kv, options: PoliciesOptions): Policies {
  return new KvPolicies(kv, options);
}

/** Adds checks to a commit. */
type Demand = (atomic: Deno.AtomicOperation) => Deno.AtomicOperation;

class KvPolicies implements Policies {
  readonly #documents: PolicyDocuments;
  readonly #cache: PolicyCache;
  readonly #schemes: VersionSchemes;
  readonly #now: Clock;
  readonly #journal: Journal;
  readonly #allowed: OutgoingAllowed;
  /** Compiled when first wanted, to keep cold starts short. */
  #compiledBuiltIn: Policy | undefined;
  readonly #ulid = idMaker();
  /** The last write of each org that is under way: writers of one process wait for each other. */
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(kv: Deno.Kv, options: PoliciesOptions) {
    const { schemes, now, timeoutMs = STORE_TIMEOUT_MS } = options;
    this.#documents = new PolicyDocuments(kv, timeoutMs);
    this.#schemes = schemes;
    this.#now = now;
    this.#journal = options.journal ?? openJournal({ now });
    this.#allowed = options;
    this.#cache = new PolicyCache(this.#documents, { schemes, now });
  }

  get #builtIn(): Policy {
    return this.#compiledBuiltIn ??= this.#compile(
      parsePolicy({}, this.#schemes),
      DEFAULT_ORG,
      BUILT_IN_REVISION,
    );
  }

  async get(org: string): Promise<Policy> {
    const known = this.peek(org);
    if (known !== undefined) return known;
    try {
      return await this.#get(org);
    } catch (error) {
      const last = error instanceof StoreUnavailable ? this.recall(org) : undefined;
      if (last === undefined) throw error;
      return last;
    }
  }

  async #get(org: string): Promise<Policy> {
    const own = await this.#cache.get(org);
    if (own !== null || org === DEFAULT_ORG) return own ?? this.#builtIn;
    return await this.#cache.get(DEFAULT_ORG) ?? this.#builtIn;
  }

  peek(org: string): Policy | undefined {
    const policy = this.#peek(org);
    // Nobody waits again for what has just failed; it has been asked again by `#peek`.
    return policy === undefined && this.#cache.failing ? this.recall(org) : policy;
  }

  recall(org: string): Policy | undefined {
    const own = this.#cache.recall(org);
    const policy = own === null && org !== DEFAULT_ORG ? this.#cache.recall(DEFAULT_ORG) : own;
    // The built-in one denies.
    return policy?.onStoreFailure === "allow" ? policy : undefined;
  }

  failing(): boolean {
    return this.#cache.failing;
  }

  #peek(org: string): Policy | undefined {
    const own = this.#cache.peek(org);
    if (own !== null || org === DEFAULT_ORG) {
      return own ?? (own === null ? this.#builtIn : undefined);
    }
    const inherited = this.#cache.peek(DEFAULT_ORG);
    return inherited === null ? this.#builtIn : inherited;
  }

  async has(org: string): Promise<boolean> {
    const known = () => this.#cache.recall(org)?.onStoreFailure === "allow";
    if (this.#cache.failing && known()) return true;
    try {
      return await this.#cache.has(org);
    } catch (error) {
      if (error instanceof StoreUnavailable && known()) return true;
      throw error;
    }
  }

  async read(org: string): Promise<PolicyRevision | null> {
    const head = readable(org, await this.#documents.head(org));
    return head === null ? null : { ...head, document: await this.#load(org, head) };
  }

  replace(org: string, document: unknown, change: Change): Promise<PolicyRevision> {
    return this.#serially(org, () => {
      const draft = this.#draft(document);
      return this.#store(org, change, () => Promise.resolve(draft));
    });
  }

  update(
    org: string,
    change: (document: Record<string, unknown>, own: boolean) => unknown,
    options: Change,
  ): Promise<PolicyRevision> {
    return this.#serially(org, () =>
      this.#store(org, options, async (stored) => {
        const own = readable(org, stored);
        const { document: current, copyOf } = own === null
          ? await this.#inherited(org)
          : { document: await this.#load(org, own), copyOf: own.copyOf };
        const changed = change({ ...current }, own !== null);
        const draft = { ...this.#draft(changed, current), current };
        return options.passing ? { ...draft, copyOf } : draft;
      }));
  }

  remove(org: string, change: Change): Promise<boolean> {
    return this.#serially(org, () =>
      this.#retrying(org, change, async (stored, demand) => {
        if (stored.head === null) return false;
        const gone = await this.#goBack(org, change, { stored, demand });
        return gone === undefined ? undefined : true;
      }));
  }

  /** To the default's; undefined: somebody else was faster. */
  async #goBack(
    org: string,
    change: Change,
    { stored, demand, current }: {
      stored: StoredHead;
      demand: Demand;
      current?: PolicyDocument;
    },
  ): Promise<PolicyRevision | undefined> {
    const lines = policyLines(this.#journal, org, change, {
      before: await this.#state(org, stored, current),
      after: await this.#state(org, { head: null, versionstamp: null }),
    });
    const head = await this.#documents.write(
      org,
      { ...await this.#stamp(org, change), json: null },
      stored.versionstamp,
      (atomic) => lines(demand(atomic)),
    );
    if (head === null) return undefined;
    this.#journal.committed();
    this.#cache.put(org, head, null);
    return { ...head, document: null };
  }

  async history(
    org: string,
    { limit, cursor }: { limit: number; cursor?: string },
  ): Promise<Page<PolicyRevision>> {
    const before = cursor === undefined ? undefined : decodeCursor(HISTORY, cursor, 1)[0];
    const heads = await this.#documents.revisions(org, limit + 1, before);
    const items: PolicyRevision[] = [];
    let bytes = 0;
    for (const head of heads.slice(0, limit)) {
      bytes += head.bytes;
      if (items.length > 0 && bytes > PAGE_BYTES) break;
      items.push({ ...head, document: await this.#documents.load(org, head) });
    }
    const last = items.length < heads.length ? items.at(-1) : undefined;
    return { items, cursor: last ? encodeCursor(HISTORY, [last.revision]) : null };
  }

  orgs(): Promise<string[]> {
    return this.#documents.orgs();
  }

  /** The document an org without its own lives under, as a copy for it, and what that is a copy of. */
  async #inherited(org: string): Promise<{ document: PolicyDocument; copyOf: string }> {
    const head = org === DEFAULT_ORG
      ? null
      : readable(DEFAULT_ORG, await this.#documents.head(DEFAULT_ORG));
    if (head === null) {
      return { document: parsePolicy({}, this.#schemes), copyOf: BUILT_IN_REVISION };
    }
    const document = await this.#load(DEFAULT_ORG, head);
    const webhooks = document.webhooks.map(inheritedWebhook);
    return { document: { ...document, webhooks }, copyOf: head.revision };
  }

  /** Whether a copy of the default's has the exceptions that came with it and are in force, and no others. */
  async #addsNothing({ exceptions }: PolicyDocument, copyOf: string): Promise<boolean> {
    const came = await this.#exceptionsOf(copyOf);
    if (came === null) return false;
    const known = new Set(came.map(entryId));
    const kept = new Set(exceptions.map(entryId));
    return [...kept].every((id) => known.has(id)) &&
      came.every((entry) => kept.has(entryId(entry)) || hasEnded(entry, this.#now()));
  }

  /** Of a revision of the default's; null: it cannot be read. */
  async #exceptionsOf(revision: string): Promise<PolicyDocument["exceptions"] | null> {
    if (revision === BUILT_IN_REVISION) return [];
    try {
      const head = await this.#documents.revision(DEFAULT_ORG, revision);
      return head === null ? null : (await this.#load(DEFAULT_ORG, head)).exceptions;
    } catch (error) {
      if (error instanceof PolicyUnreadable) return null;
      throw error;
    }
  }

  /** What the org lives under, for comparison: replacing it is how an unreadable one is mended. */
  async #state(org: string, { head }: StoredHead, known?: PolicyDocument): Promise<PolicyState> {
    const revision = head === null || head === "unreadable" ? null : head.revision;
    if (known !== undefined) return { revision, document: known };
    if (head === "unreadable") return { revision, document: undefined };
    try {
      const document = head === null
        ? (await this.#inherited(org)).document
        : await this.#load(org, head);
      return { revision, document };
    } catch (error) {
      if (!(error instanceof PolicyUnreadable)) throw error;
      return { revision, document: undefined };
    }
  }

  /** A stored document, with the defaults of rules that are younger than it. */
  async #load(org: string, head: PolicyHead): Promise<PolicyDocument> {
    const document = await this.#documents.load(org, head);
    try {
      return parsePolicy(document, this.#schemes);
    } catch (cause) {
      throw new PolicyUnreadable(`Cannot accept what is stored as policy of ${org}`, { cause });
    }
  }

  #draft(input: unknown, known: KnownParts = NOTHING_KNOWN): Draft {
    return draftOf(input, known, { schemes: this.#schemes, allowed: this.#allowed });
  }

  #store(
    org: string,
    change: Change,
    draftOn: (stored: StoredHead) => Promise<Draft>,
  ): Promise<PolicyRevision> {
    return this.#retrying(org, change, async (stored, demand) => {
      const { document, json, current, copyOf } = await draftOn(stored);
      if (
        copyOf !== undefined && stored.head !== null && await this.#addsNothing(document, copyOf)
      ) {
        return await this.#goBack(org, change, { stored, demand, current });
      }
      const stamp = { ...await this.#stamp(org, change), copyOf };
      // Compiled first, so that nothing is stored that cannot be used.
      const policy = this.#compile(document, org, stamp.revision);
      const lines = policyLines(this.#journal, org, change, {
        before: await this.#state(org, stored, current),
        after: { revision: stamp.revision, document },
      });
      const head = await this.#documents.write(
        org,
        { ...stamp, json },
        stored.versionstamp,
        (atomic) => lines(demand(atomic)),
      );
      if (head === null) return undefined;
      this.#journal.committed();
      this.#cache.put(org, head, policy);
      return { ...head, document };
    });
  }

  /**
   * Tries until nobody else was faster (undefined: somebody was). Throws PreconditionFailed.
   * @param attempt `demand` adds to its commit what is asked of other policies than the org's
   */
  async #retrying<T>(
    org: string,
    { ifMatch, ifDefault, also }: Change,
    attempt: (stored: StoredHead, demand: Demand) => Promise<T | undefined>,
  ): Promise<T> {
    let tried: string | null | undefined;
    for (let i = 0; i < ATTEMPTS; i++) {
      const inherited = ifDefault === undefined ? null : await this.#documents.head(DEFAULT_ORG);
      if (inherited !== null) demandRevision(DEFAULT_ORG, inherited, ifDefault);
      const stored = await this.#documents.head(org);
      if (also !== undefined && stored.versionstamp === tried) {
        throw new PreconditionFailed(
          `Cannot change the policy of ${org}: what was to change with it has changed meanwhile`,
        );
      }
      tried = stored.versionstamp;
      demandRevision(org, stored, ifMatch);
      const result = await attempt(
        stored,
        (atomic) =>
          inherited === null
            ? atomic
            : atomic.check({ key: keys.policy(DEFAULT_ORG), versionstamp: inherited.versionstamp }),
      );
      if (result !== undefined) return result;
    }
    throw new StoreUnavailable(`Cannot change the policy of ${org}: others were always faster`);
  }

  /** Revisions sort by time, also where the clock of another machine runs ahead of ours. */
  async #stamp(org: string, { by }: Change): Promise<Pick<PolicyHead, "revision" | "at" | "by">> {
    const newest = await this.#documents.newest(org);
    const at = this.#now();
    let revision = this.#ulid(at);
    if (newest !== null && revision <= newest) revision = this.#ulid(decodeTime(newest) + 1);
    return { revision, at: new Date(at).toISOString(), by };
  }

  #compile(document: PolicyDocument, org: string, revision: string): Policy {
    return compileDocument(document, { org, revision, schemes: this.#schemes });
  }

  async #serially<T>(org: string, work: () => Promise<T>): Promise<T> {
    const before = this.#writing.get(org) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#writing.set(org, mine);
    try {
      return await mine;
    } finally {
      if (this.#writing.get(org) === mine) this.#writing.delete(org);
    }
  }
}

/** Throws PreconditionFailed where another revision is current than `Change.ifMatch` says. */
function demandRevision(org: string, { head }: StoredHead, wanted: Change["ifMatch"]): void {
  const current = head === null || head === "unreadable" ? head : head.revision;
  if (wanted === undefined || (wanted === "*" ? current !== null : wanted === current)) return;
  throw new PreconditionFailed(
    `Cannot change the policy of ${org} as ${wanted ?? "none"}: current is ${current ?? "none"}`,
  );
}

function hasEnded({ until }: PolicyDocument["exceptions"][number], now: number): boolean {
  return until !== undefined && parseInstant(until) <= now;
}

function readable(org: string, { head }: StoredHead): PolicyHead | null {
  if (head !== "unreadable") return head;
  throw new PolicyUnreadable(`Cannot read what is stored as policy of ${org}`);
}
