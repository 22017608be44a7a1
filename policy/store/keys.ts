/** Every Deno KV key there is. Keys are at most 2,048 bytes, so names from outside are checked before they get here. */

export type RecordKind = "install" | "refusal";

export const keys = {
  /** Database-wide facts: `schema` (a number). */
  meta: (name: string) => ["meta", name],

  /** The org's current revision: `PolicyHead`. */
  policy: (org: string) => ["policy", org],
  policies: () => ["policy"],
  /** A piece of a document too large for one value: `Uint8Array`. */
  policyPiece: (org: string, revision: string, piece: number) => [
    "policy_piece",
    org,
    revision,
    piece,
  ],
  /** Each revision there was: `PolicyHead`. */
  policyRevision: (org: string, revision: string) => ["policy_revision", org, revision],
  policyRevisions: (org: string) => ["policy_revision", org],

  /** A token by the SHA-256 of its secret, in hex: `StoredToken`. */
  token: (sha256: string) => ["token", sha256],
  /** SHA-256 of a token by its id. */
  tokenOfOrg: (org: string, id: string) => ["token_of_org", org, id],
  tokensOfOrg: (org: string) => ["token_of_org", org],
  tokensOfOrgs: () => ["token_of_org"],
  /** When a token was last used, to the hour (Unix ms). */
  tokenUse: (org: string, id: string) => ["token_use", org, id],

  /** A session by the SHA-256 of its secret, in hex: `Session`. */
  session: (sha256: string) => ["session", sha256],
  /** SHA-256 of a session by its person (an e-mail address) and id. */
  sessionOfUser: (user: string, id: string) => ["session_of_user", user, id],
  sessionsOfUser: (user: string) => ["session_of_user", user],
  /** When an attempt to sign in (its SHA-256) began a session, which it may once. */
  signIn: (sha256: string) => ["sign_in", sha256],

  /** A record in order of time (ULID): `StoredRecord`. */
  record: (kind: RecordKind, org: string, id: string) => [kind, org, id],
  records: (kind: RecordKind, org: string) => [kind, org],
  recordsOfOrgs: (kind: RecordKind) => [kind],
  /** The same by package: `[version, user, code]`. */
  recordOfPackage: (
    kind: RecordKind,
    org: string,
    ecosystem: string,
    name: string,
    id: string,
  ) => [`${kind}_of_package`, org, ecosystem, name, id],
  recordsOfPackage: (kind: RecordKind, org: string, ...prefix: string[]) => [
    `${kind}_of_package`,
    org,
    ...prefix,
  ],
  /** The same by user: `[ecosystem, name, version, code]`. */
  recordOfUser: (kind: RecordKind, org: string, user: string, id: string) => [
    `${kind}_of_user`,
    org,
    user,
    id,
  ],
  recordsOfUser: (kind: RecordKind, org: string, ...prefix: string[]) => [
    `${kind}_of_user`,
    org,
    ...prefix,
  ],

  /** Counters of a day (`2026-11-23`): `KvU64`. A sum has no time-to-live, so a cron sweeps by day. */
  counter: (org: string, day: string, kind: RecordKind, what: string, value: string) => [
    "counter",
    org,
    day,
    kind,
    what,
    value,
  ],
  counters: (org: string, ...prefix: string[]) => ["counter", org, ...prefix],
  allCounters: () => ["counter"],

  /** What OSV said of a package, in pieces: `Packed`. */
  advisories: (ecosystem: string, name: string, piece: number) => [
    "advisories",
    ecosystem,
    name,
    piece,
  ],
  /** When OSV last answered at all (Unix ms). */
  lastAdvisories: () => ["last_advisories"],
  /** The bulk of an ecosystem's advisories that counts: `BulkHead`. */
  advisoryBulk: (ecosystem: string) => ["advisory_bulk", ecosystem],
  advisoryBulks: () => ["advisory_bulk"],
  /** A package's part of it, in pieces: `Packed`. */
  bulkAdvisories: (ecosystem: string, generation: string, name: string, piece: number) => [
    "bulk_advisories",
    ecosystem,
    generation,
    name,
    piece,
  ],
  bulkOf: (ecosystem: string, ...prefix: string[]) => ["bulk_advisories", ecosystem, ...prefix],
  /** An import that is being written: when it began (Unix ms). Without it, it cannot go on. */
  bulkWriting: (ecosystem: string, generation: string) => ["bulk_writing", ecosystem, generation],
  bulksWriting: (ecosystem: string) => ["bulk_writing", ecosystem],

  /** A change somebody made: `AuditEntry`. */
  audit: (org: string, id: string) => ["audit", org, id],
  audits: (org: string) => ["audit", org],
  /** Something to tell an org's webhooks, not yet shared out among them: `News`. */
  news: (org: string, id: string) => ["news", org, id],
  allNews: () => ["news"],
  /** The same, for one of its webhooks (`webhookId`): `News`. */
  delivery: (org: string, hook: string, id: string) => ["delivery", org, hook, id],
  deliveries: (org: string, hook: string) => ["delivery", org, hook],
  /** Sorts after all that waits for a webhook. */
  behindDeliveries: (org: string, hook: string) => ["delivery", org, hook, "~"],
  allDeliveries: () => ["delivery"],
  /** Those that one message tells, and how often that was tried. */
  deliveryState: (org: string, hook: string) => ["delivery_state", org, hook],
  /** Webhooks that a change of an org's policy (a ULID) took away: `Webhook[]`. */
  formerWebhooks: (org: string, id: string) => ["former_webhooks", org, id],
  formerWebhooksOf: (org: string) => ["former_webhooks", org],
  /** When a webhook was last told of a refusal (Unix ms); `what` is a hash of code and PURL. */
  toldRefusal: (org: string, what: string) => ["told_refusal", org, what],
  /** Work that one instance does at a time: who does it, and until when. */
  lease: (name: string) => ["lease", name],

  /** Something handed out that turned out to be bad, by the id of the matter: `Alert`. */
  alert: (org: string, id: string) => ["alert", org, id],
  /** The ids of alerts in order of time (RFC 3339). */
  alertInTime: (org: string, at: string, id: string) => ["alert_in_time", org, at, id],
  alertsInTime: (org: string) => ["alert_in_time", org],

  /** A wish for an exception: `ExceptionRequest`. */
  request: (org: string, id: string) => ["request", org, id],
  requests: (org: string) => ["request", org],
  /** Those that wait for a decision: when that is over (Unix ms). */
  openRequest: (org: string, id: string) => ["open_request", org, id],
  openRequests: (org: string) => ["open_request", org],
  /**
   * Id of a client's last request for a release, whose PURL `release` is a hash of. `by`: `token`
   * where one said who it is, `""` where a name alone did, and an address where nothing did.
   */
  requestOf: (org: string, user: string, by: string, release: string) => [
    "request_of",
    org,
    user,
    by,
    release,
  ],
  /** When one user or address has asked within the last hour: Unix ms, oldest first. */
  requestTimes: (org: string, user: string, ip: string) => ["request_times", org, user, ip],

  /** An exception that has ended, in order of time: `EndedException`. */
  endedException: (org: string, id: string) => ["ended_exception", org, id],
  endedExceptions: (org: string) => ["ended_exception", org],
  /** Since when there is an exception, and whether its end was announced; by `entryId`. */
  exceptionNotice: (org: string, id: string) => ["exception_notice", org, id],
  exceptionNotices: (org: string) => ["exception_notice", org],

  /** What npm's advisories lift for one client: `Lifted[]`; lives for a minute. */
  lift: (org: string, user: string, ip: string) => ["lift", org, user, ip],
  /** When any client was last lifted anything (Unix ms), so that the others need not be looked up. */
  lastLift: () => ["last_lift"],
} as const;
