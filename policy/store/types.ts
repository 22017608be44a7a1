/** What the stores promise to those above. All of them are made of a `Deno.Kv` and a clock. */
import type { Lift, Policy, RecordInput, Role, StoredRecord, WebhookEvent } from "../types.ts";
import type { RecordKind } from "./keys.ts";

/** Milliseconds since 1970; an argument, so that tests move time. */
export type Clock = () => number;

export interface PolicyHead {
  readonly revision: string;
  /** RFC 3339. */
  readonly at: string;
  /** Who changed it: a token's user, or `root`. */
  readonly by: string;
  /** Number of pieces the document is stored in; 0: the org went back to the default's. */
  readonly pieces: number;
  /** Bytes of the document as JSON. */
  readonly bytes: number;
  /** The default's revision that it is a copy of but for passing exceptions; absent: it is the org's own. */
  readonly copyOf?: string;
}

export interface PolicyRevision extends PolicyHead {
  /** The complete document, defaults filled in; null: went back to the default's. */
  readonly document: unknown;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; null: this was the last. */
  readonly cursor: string | null;
}

export interface Change {
  readonly by: string;
  /**
   * Revision that must be current (If-Match); absent: any. `*`: there must be one;
   * null: there must be none.
   */
  readonly ifMatch?: string | null;
  /** The same of the policy of the org `default`, for a change of an org that lives under it. */
  readonly ifDefault?: string | null;
  /** Why, in the changer's words; for the audit log. */
  readonly reason?: string;
  /**
   * What the audit log calls the change, instead of a changed policy. Webhooks
   * are then told nothing of the policy: `also` tells them in its own words.
   */
  readonly audit?: Pick<AuditEntry, "action" | "target" | "before" | "after">;
  /**
   * It adds or takes away exceptions alone, for a time. An org without a policy
   * gets a copy of the default's for it, and lives under the default's again
   * once such changes have left nothing of their own in that copy.
   */
  readonly passing?: true;
  /**
   * Adds writes and checks to the commit; called anew for each attempt. Where a
   * check of its own fails, the change throws PreconditionFailed.
   */
  readonly also?: (atomic: Deno.AtomicOperation) => void;
}

export interface Policies {
  /**
   * The compiled policy an org lives under: its own, else that of `default`,
   * else the built-in one. Cached; a change by this process counts at once, one
   * by another within 5 s. Throws PolicyUnreadable where it cannot be read.
   */
  get(org: string): Promise<Policy>;
  /** The same without waiting; undefined: KV has to be asked first. */
  peek(org: string): Policy | undefined;
  /**
   * The policy an org lived under when KV was last read, at most an hour ago,
   * if that policy allows to go on without KV (`on_store_failure`). `get` and
   * `peek` answer it while KV fails.
   */
  recall(org: string): Policy | undefined;
  /** Whether KV failed when it was last asked for a policy. */
  failing(): boolean;
  /** Whether the org has a policy of its own; cached alike. */
  has(org: string): Promise<boolean>;
  /** The org's own current revision; null: it has none. */
  read(org: string): Promise<PolicyRevision | null>;
  /** Checks and stores a whole document. Throws PolicyInvalid, PreconditionFailed. */
  replace(org: string, document: unknown, change: Change): Promise<PolicyRevision>;
  /**
   * Reads the current document (the org's, else the default's), changes it and
   * stores the result, again if somebody else was faster and no ifMatch was given.
   * Its document is null where the change was `passing` and the org is back at the default's.
   * @param change returns another document and leaves the one given as it is;
   * `own`: whether that is the org's own, not one it inherits
   */
  update(
    org: string,
    change: (document: Record<string, unknown>, own: boolean) => unknown,
    options: Change,
  ): Promise<PolicyRevision>;
  /** Back to the default's; false: there was none. */
  remove(org: string, change: Change): Promise<boolean>;
  /** Newest first. */
  history(org: string, page: { limit: number; cursor?: string }): Promise<Page<PolicyRevision>>;
  /** Orgs with a policy of their own, sorted. */
  orgs(): Promise<string[]>;
}

export interface StoredToken {
  readonly id: string;
  readonly org: string;
  readonly user: string;
  readonly role: Role;
  /** RFC 3339. */
  readonly created: string;
  readonly by: string;
  readonly expires: string | null;
}

export interface ListedToken extends StoredToken {
  /** RFC 3339, at most an hour old; null: never. */
  readonly last_used: string | null;
}

export interface Tokens {
  /** The token behind a secret if there is one and it has not expired; cached for at most 5 s. */
  find(secret: string): Promise<StoredToken | null>;
  /** A token that `find` would give without asking KV; undefined: it would ask, or there is none. */
  peek(secret: string): StoredToken | undefined;
  /** The token behind a secret as KV had it within the last hour, without asking; null: not known, or expired. */
  recall(secret: string): StoredToken | null;
  /** The secret (`pp_...`) is in this answer and nowhere else. */
  create(
    token: { org: string; user: string; role: Role; expires: string | null; by: string },
  ): Promise<{ token: StoredToken; secret: string }>;
  /** Newest first, expired ones included. Throws CursorInvalid. */
  list(org: string, page: { limit: number; cursor?: string }): Promise<Page<ListedToken>>;
  get(org: string, id: string): Promise<StoredToken | null>;
  /** False: no such token. Takes effect at once in this process. */
  remove(org: string, id: string, change: { by: string }): Promise<boolean>;
  orgs(): Promise<string[]>;
}

export interface RecordQuery {
  readonly org: string;
  readonly ecosystem?: string;
  /** A name, or a glob with `*`. */
  readonly package?: string;
  /**
   * A range in the ecosystem's own syntax, or one version. Without `ecosystem`
   * each record's own syntax counts; none of those that have no such range fits.
   */
  readonly version?: string;
  readonly user?: string;
  readonly code?: string;
  /** Unix ms, inclusive. */
  readonly since?: number;
  /** Unix ms, exclusive. */
  readonly until?: number;
}

/** A package as its registry spells it. */
export interface PackageName {
  readonly ecosystem: string;
  readonly package: string;
}

/** Distinct package and version. */
export interface PackageRow {
  readonly ecosystem: string;
  readonly package: string;
  readonly version: string;
  readonly purl: string;
  readonly count: number;
  /** RFC 3339. */
  readonly first: string;
  readonly last: string;
  readonly users: readonly string[];
}

/** A package and version as a bill of materials lists it. */
export interface ComponentRow extends PackageRow {
  /** The file handed out last; absent: its record has expired meanwhile. */
  readonly file?: {
    readonly name: string;
    /** Absent: the registry's digest is another (npm), or the file was not read on its way. */
    readonly sha256?: string;
  };
}

export interface UserRow {
  readonly user: string;
  readonly count: number;
  readonly packages: number;
  readonly first: string;
  readonly last: string;
}

export interface Stats {
  readonly installs: number;
  readonly refusals: number;
  readonly by_ecosystem: Record<string, { installs: number; refusals: number }>;
  readonly by_day: Record<string, { installs: number; refusals: number }>;
  /** Refusals and warnings by reason code. */
  readonly by_code: Record<string, number>;
}

export interface LateRecords {
  readonly waiting: number;
  readonly ever: number;
}

export interface Records {
  /**
   * Stores a record; resolves when it is durable. Records that arrive together
   * share one atomic commit. Throws StoreUnavailable.
   */
  add(kind: RecordKind, record: RecordInput): Promise<StoredRecord>;
  /**
   * The same, but where KV fails the record waits in memory until KV is back.
   * Throws StoreUnavailable only where too many wait already.
   */
  addOrKeep(kind: RecordKind, record: RecordInput): Promise<StoredRecord>;
  /** How many records wait in memory, and how many have waited since the process began. */
  late(): LateRecords;
  /** Tries once to store what waits; true: nothing waits any more. */
  flush(): Promise<boolean>;
  /** Newest first; a cursor stays exact while records are being added. Throws CursorInvalid, SyntaxError (range). */
  list(
    kind: RecordKind,
    query: RecordQuery,
    page: { limit: number; cursor?: string },
  ): Promise<Page<StoredRecord>>;
  /** The same without pages. */
  all(kind: RecordKind, query: RecordQuery): AsyncIterable<StoredRecord>;
  /** By ecosystem, package and version. */
  packages(
    query: RecordQuery,
    page: { limit: number; cursor?: string },
  ): Promise<Page<PackageRow>>;
  /** The packages an org has installed, each once. */
  names(org: string): AsyncIterable<PackageName>;
  /** Orgs with records of a kind, sorted. */
  orgs(kind: RecordKind): Promise<string[]>;
  /** The same, with the file handed out last. */
  components(
    query: RecordQuery,
    page: { limit: number; cursor?: string },
  ): Promise<Page<ComponentRow>>;
  users(query: RecordQuery, page: { limit: number; cursor?: string }): Promise<Page<UserRow>>;
  /** Whole days, from the counters. */
  stats(org: string, days: { since?: number; until?: number }): Promise<Stats>;
  /** Removes counters older than the retention; records leave by their own time-to-live. */
  sweep(): Promise<number>;
}

/** The npm audit override: which packages one client may have young, for a minute. */
export interface Lifts {
  /** Remembers an advisory answer for a client. */
  add(
    client: { org: string; user: string; ip: string },
    lifted: readonly { name: string; vulnerable: readonly string[] }[],
  ): Promise<void>;
  /**
   * Whether releases are lifted for this client; null: none are. A lifted
   * release is outside every vulnerable range the answer gave for its package.
   */
  find(client: { org: string; user: string; ip: string }): Promise<Lift | null>;
  /** The same without waiting; undefined: KV has to be asked first. */
  peek(client: { org: string; user: string; ip: string }): Lift | null | undefined;
}

/** What the audit log calls a change. */
export const AUDIT_ACTIONS = [
  "policy.replaced",
  "policy.removed",
  "token.created",
  "token.removed",
  "session.opened",
  "session.ended",
  "exception.asked",
  "exception.approved",
  "exception.denied",
  "exception.expired",
  "alert.acknowledged",
  "break_glass",
] as const;

export type AuditAction = typeof AUDIT_ACTIONS[number];

/** A change somebody made. */
export interface AuditEntry {
  /** ULID, so that entries sort by time. */
  readonly id: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  readonly org: string;
  /**
   * Who: a token's user, `root`, or `proxy` for what the proxy does by itself. Whoever
   * asks without a token is marked: `alice (by name only)`, `somebody without a name`.
   */
  readonly by: string;
  readonly action: AuditAction;
  /** What was changed: a token's id, a request's id, a PURL; null: the policy as a whole. */
  readonly target: string | null;
  /** In the changer's words; null: none were asked for. */
  readonly reason: string | null;
  /** null: there was nothing. Of a policy, its revision: the documents are in its history. */
  readonly before: unknown;
  readonly after: unknown;
  /** Members of the policy that differ, by JSON Pointer; `undefined` stands for absent. */
  readonly changes: readonly { pointer: string; before?: unknown; after?: unknown }[];
  /** Whether there were more changes than an entry holds. */
  readonly truncated: boolean;
}

/** As it is read back: an instance of a later version may have its own actions. */
export type AuditLine = Omit<AuditEntry, "action"> & { readonly action: string };

export interface AuditQuery {
  /** Unix ms, inclusive. */
  readonly since?: number;
  /** Unix ms, exclusive. */
  readonly until?: number;
  readonly action?: string;
  readonly by?: string;
}

/** Who changed what. */
export interface Audit {
  /** Newest first. Throws CursorInvalid, StoreUnavailable. */
  list(
    org: string,
    page: AuditQuery & { limit: number; cursor?: string },
  ): Promise<Page<AuditLine>>;
}

/** One thing to tell an org's webhooks. */
export interface News {
  /** ULID. */
  readonly id: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  readonly org: string;
  /** What a webhook's `events` names. */
  readonly kind: WebhookEvent;
  /** Which of them: `exception.asked`, `exception.expiring`, `policy.replaced`, `alert` ... */
  readonly event: string;
  /** One plain sentence for people, without markup. */
  readonly text: string;
  /** Address of what a reader would do next; null: none. */
  readonly link: string | null;
  /** The same for programs; at most 40 kB as JSON. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Refusals and warnings on their way to webhooks. */
export interface RefusalNews {
  /**
   * Passes a refusal or a warning on, if a webhook of the policy wants it and
   * has not been told of the same release and code within the hour. Returns at
   * once and throws nothing.
   * @param link where a reader learns more; null: nobody knows
   */
  tell(policy: Policy, record: RecordInput, link: string | null): void;
  /** When all that was to be passed on is stored; for tests. */
  settled(): Promise<void>;
}
