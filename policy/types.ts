/**
 * The words of the policy engine, as types. Imports nothing, so that every
 * layer above may depend on it.
 */

/** Strength of the evidence that a release was published by its usual way, weakest first. */
export type Trust = "none" | "provenance" | "trusted_publisher" | "approved";

/** A digest as the index states it; `hex` is lower case. */
export interface Digest {
  readonly algorithm: "sha512" | "sha384" | "sha256" | "sha1" | "md5";
  readonly hex: string;
}

/** One downloadable file of a release. */
export interface ReleaseFile {
  readonly filename: string;
  /** Absolute address at the upstream. */
  readonly url: string;
  /** null: the index states none. */
  readonly digest: Digest | null;
  /** Bytes; null: the index does not say. */
  readonly size: number | null;
}

/**
 * One version of one package, whatever registry it comes from. Where a registry
 * adds and yanks files one by one (PyPI), each file is a release of its own: a
 * wheel added later must not inherit the age of its version.
 */
export interface Release {
  /** Id of the ecosystem: `npm`, `pypi`, `cargo`. */
  readonly ecosystem: string;
  /** As the registry itself spells it; compared after `VersionScheme.normalizeName`. */
  readonly name: string;
  readonly version: string;
  /** Unix time in milliseconds; null: the registry does not say, or says nonsense. */
  readonly publishedAt: number | null;
  /** The registry's reason (`""` if it gives none), or false. */
  readonly yanked: false | string;
  /** null: the registry does not say. */
  readonly trust: Trust | null;
  /** Whether installing runs code of the package; null: unknown. */
  readonly installScripts: boolean | null;
  /** The publisher's reason (`""` if they give none), or false; absent or null: the registry does not say. */
  readonly deprecated?: string | false | null;
  /** As stated: an SPDX expression where it is one; absent or null: the registry does not say. */
  readonly license?: string | null;
  /** Packages that come along when it is installed, as it names them; absent or null: the registry does not say. */
  readonly dependencies?: readonly string[] | null;
  readonly files: readonly ReleaseFile[];
}

export type Level = "deny" | "warn" | "off";
export type Action = "allow" | "warn" | "deny";

export type Severity = "low" | "medium" | "high" | "critical";

/** Versions from one border to another, in the ecosystem's order; OSV's `ranges` without those of Git. */
export interface AdvisoryRange {
  readonly events: readonly AdvisoryEvent[];
}

export interface AdvisoryEvent {
  readonly kind: "introduced" | "fixed" | "last_affected" | "limit";
  /** `0` of `introduced` stands for the beginning. */
  readonly version: string;
}

/** What one record of an advisory database says of one package. */
export interface Advisory {
  /** `GHSA-...`, `MAL-...`, `PYSEC-...`. */
  readonly id: string;
  readonly malware: boolean;
  /** Whether people of its database have checked it. */
  readonly reviewed: boolean;
  /** null: it states none. */
  readonly severity: Severity | null;
  /** One line in the database's words; absent: it has none. */
  readonly summary?: string;
  /** Affected besides `ranges`, one by one. */
  readonly versions: readonly string[];
  readonly ranges: readonly AdvisoryRange[];
  /** Versions that mend it, as it names them. */
  readonly fixed: readonly string[];
}

/**
 * How good the answer on a package is. `current`: asked lately, or imported.
 * `stale`: older, since the database fails. `late`: none yet, although the
 * database has answered within a day. `silent`: none fit for use, and none for
 * longer than a day. `never`: the database has never answered at all.
 * `unreadable`: it answers something else than advisories. `off`: not asked.
 */
export type AdvisoryState =
  | "current"
  | "stale"
  | "late"
  | "silent"
  | "never"
  | "unreadable"
  | "off";

/** What is known of one package's advisories, however old. */
export interface PackageAdvisories {
  readonly state: AdvisoryState;
  readonly list: readonly Advisory[];
  /** When the database last confirmed the list (Unix ms); null: never. */
  readonly asOf: number | null;
}

/** What rules need besides an index, gathered from elsewhere. */
export interface Facts {
  /** Equal for equal content: a judgement holds as long as it stays. */
  readonly id: string;
  readonly advisories: PackageAdvisories;
  /** First publish of the packages that rules want to know of, by name as stated. */
  readonly dependencies: ReadonlyMap<string, FirstPublish>;
}

/** Unix ms; null, as where it is absent: not known; `unasked`: too many were to be asked for. */
export type FirstPublish = number | null | "unasked";

/** What a policy's rules want to know besides an index. */
export interface PolicyNeeds {
  readonly advisories: boolean;
  /** Names of other packages whose first publish the rules ask for; null: they never do. */
  readonly dependencies: DependenciesAsked | null;
}

/** @param now Unix time in milliseconds */
export type DependenciesAsked = (releases: readonly Release[], now: number) => readonly string[];

/** What one rule holds against one release. */
export interface Finding {
  /** Reason code; the rule's id unless the rule has several. */
  readonly code: string;
  /** One plain sentence for a developer, without the package's name, with absolute dates. */
  readonly message: string;
  /** When the finding ends by itself (Unix ms); null: it does not, or nobody can know. */
  readonly until: number | null;
}

/** A finding together with what the policy makes of it. */
export interface JudgedFinding extends Finding {
  readonly rule: string;
  readonly level: "deny" | "warn";
  /** What lifts the finding, so that it does not count; null: it counts. */
  readonly waived: null | "exception" | "audit_override" | "security_fix";
}

/** The decision on one release. */
export interface Verdict {
  readonly action: Action;
  /** Code of the first denying (else warning) finding; null when allowed. */
  readonly code: string | null;
  /** Its sentence; `""` when allowed. */
  readonly message: string;
  /**
   * When every denying (or warning) finding has ended, those included that count
   * again before then since what waives them ends (Unix ms); null: not known.
   */
  readonly until: number | null;
  /** Every finding, waived ones included, in the order of the rules. */
  readonly findings: readonly JudgedFinding[];
}

/** The decisions on all releases of one index. */
export interface Judgement {
  /** Parallel to the releases that were judged. */
  readonly verdicts: readonly Verdict[];
  /** Number of releases withheld. */
  readonly denied: number;
  /**
   * Earliest instant (Unix ms, later than the judgement) at which a verdict may
   * change without a new index or policy; null: never.
   */
  readonly changesAt: number | null;
  /** Equal for two judgements of one index exactly when both withhold the same for the same reasons. */
  readonly signature: string;
}

/**
 * Lifts `min_age` from single releases for one client, for a minute: what the
 * npm audit override asks for.
 */
export type Lift = (release: Release) => boolean;

/** How one ecosystem names packages and orders versions. All functions are pure. */
export interface VersionScheme {
  /** Id of the ecosystem. */
  readonly ecosystem: string;
  /** Type of its PURLs (`npm`, `pypi`, `cargo`). */
  readonly purlType: string;
  /** The form in which two spellings of one package are equal, or null if no package can be called that. */
  normalizeName(name: string): string | null;
  /** Total order; versions that do not parse come first. */
  compare(a: string, b: string): number;
  /**
   * Whether what follows `+` orders versions, as PEP 440's local labels do.
   * False: it is SemVer's build metadata, by which `compare` merely tells apart.
   */
  readonly ordersBuilds: boolean;
  /** Whether it is a version of the ecosystem: of other texts nobody can say which ranges they are in. */
  reads(version: string): boolean;
  /** Whether a version is in a range of the ecosystem's own syntax, pre-releases included. Throws SyntaxError. */
  range(text: string): (version: string) => boolean;
  /** Whether `range`, which reads a text, passes over no part of it: what is written anew has to be so. */
  readsWhole(text: string): boolean;
  /** The range that holds exactly this version. */
  exact(version: string): string;
  /** Of texts that this is true for, no two mean the same version, so that they need not be parsed to be told apart. */
  isCanonical(version: string): boolean;
  /**
   * Equal for two texts where `exact` of one holds the other, so that lines for
   * single versions can be looked up; texts of others may share it.
   */
  keyOf(version: string): string;
  /** The release line within which evidence is compared (`1` of `1.14.0`); the version itself if it does not parse. */
  major(version: string): string;
  isPrerelease(version: string): boolean;
}

/** Schemes by ecosystem id. */
export type VersionSchemes = ReadonlyMap<string, VersionScheme>;

/** Where a package pattern is asked for instead of the public registry. */
export interface PrivateRegistry {
  readonly ecosystem: string;
  /** Whether a package (normalised name) belongs to it. */
  readonly matches: (name: string) => boolean;
  readonly url: string;
  /** Origins that its files may come from besides its own. */
  readonly fileOrigins: readonly string[];
  /** Name of the environment variable with its token; begins with `REGISTRY_TOKEN_`. */
  readonly tokenEnv: string | null;
}

/** So many requests at once, and as many again in every `ms`. */
export interface RequestRate {
  readonly count: number;
  readonly ms: number;
}

/** A policy document, compiled once per revision. */
export interface Policy {
  /** The org whose document this is: `default` where the asking org has none. */
  readonly org: string;
  /** Unique per org and stored document; part of every ETag. */
  readonly revision: string;
  readonly mode: "enforce" | "audit";
  readonly auth: "open" | "identify" | "token";
  readonly downloads: "proxy" | "redirect" | "direct";
  /** Who compares a file that comes through the proxy with its digest; `client`: clients that are known to. */
  readonly verify: "proxy" | "client";
  /** Whether the policy goes on judging, and files go out without a record, while KV fails. */
  readonly onStoreFailure: "deny" | "allow";
  /** Requests that clients may send; null: any number. */
  readonly limits: Readonly<Record<"token" | "user" | "address", RequestRate | null>>;
  /** Most specific first: the first that matches a package has it. */
  readonly registries: readonly PrivateRegistry[];
  readonly webhooks: readonly Webhook[];
  readonly identities: readonly WorkloadIdentity[];
  /** Whether npm's audit answer lifts `min_age` for a minute. */
  readonly auditOverride: boolean;
  /**
   * What its rules need besides an index; null: nothing, so that nothing is
   * gathered. `judge` without what they need takes it for never answered.
   */
  readonly needs: PolicyNeeds | null;
  /** Nothing published later (Unix ms) is let through for this request; null: the policy as it is. */
  readonly before: number | null;
  /** The same policy as of an earlier instant (Unix ms). */
  asOf(instant: number): Policy;
  /**
   * Judges a package by its name, before a registry is asked for it; null: no
   * rule of this policy does. Throws nothing.
   */
  readonly judgeName: ((ecosystem: string, name: string, now: number) => Verdict) | null;
  /**
   * Judges all releases of one index in one pass.
   * Throws nothing: a rule that fails denies with `metadata_invalid`.
   * @param now Unix time in milliseconds
   */
  judge(releases: readonly Release[], now: number, lift?: Lift, facts?: Facts): Judgement;
}

export interface Webhook {
  readonly url: string;
  /** What it is told of; absent: everything. */
  readonly events?: readonly WebhookEvent[];
  /** Whose form its messages have; absent: `json`. */
  readonly format?: "json" | "slack" | "teams" | "discord";
  /** Key that its messages are signed with. */
  readonly secret?: string;
  /** It came with a copy of the default's policy: its address and secret are not the org's to see. */
  readonly inherited?: true;
}

export type WebhookEvent =
  | "refusal"
  | "warning"
  | "alert"
  | "exception"
  | "policy"
  | "break_glass";

/** Whose identity tokens (OIDC) an org takes for tokens of the role `client`. */
export interface WorkloadIdentity {
  readonly issuer: string;
  readonly audience: string;
  /** Whether verified claims are those of a job that may come in. */
  admits(claims: Readonly<Record<string, unknown>>): boolean;
  /** `gha:acme/site`; null: the claims make no name. */
  userOf(claims: Readonly<Record<string, unknown>>): string | null;
}

/** Who asks. */
export interface Identity {
  readonly org: string;
  /** `""` where the client gives none. */
  readonly user: string;
  readonly role: Role | null;
}

export type Role = "admin" | "editor" | "viewer" | "client";

/** One file handed out or refused; the stored form adds `id` and `at`. */
export interface RecordInput {
  readonly org: string;
  readonly user: string;
  readonly ip: string;
  readonly ecosystem: string;
  readonly package: string;
  readonly version: string;
  readonly filename: string;
  readonly purl: string;
  /** Bytes handed out; 0 for a refusal and for a redirect. */
  readonly bytes: number;
  readonly sha256?: string;
  readonly verdict: Action;
  readonly code?: string;
  /** The developer's sentence; refusals only. */
  readonly reason?: string;
  /** Revision of the policy that decided. */
  readonly policy: string;
}

export interface StoredRecord extends RecordInput {
  /** ULID, so that records sort by time. */
  readonly id: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
}
