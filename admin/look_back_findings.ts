/** What an org has to be told of one package, now that its advisories are known. */
import { advisoryMatcher } from "../policy/advisories/affects.ts";
import type { AlertUser, Found } from "../policy/store/alert.ts";
import type { Alerts } from "../policy/store/alerts.ts";
import type { PackageRow, Records } from "../policy/store/types.ts";
import type { Advisory, Facts, Policy, Release, VersionSchemes } from "../policy/types.ts";

const PAGE = 1_000;
/** More than these an alert could not hold. */
const MAX_USERS = 5_000;
const MAX_USERS_COUNTED = 100_000;
const MAX_IPS = 5;

export interface FindingDeps {
  readonly records: Records;
  readonly alerts: Alerts;
  readonly schemes: VersionSchemes;
  /** Unix ms. */
  readonly now: () => number;
}

/** One package of an org, with what is needed to judge its past. */
export interface Case {
  readonly org: string;
  readonly policy: Policy;
  readonly ecosystem: string;
  /** As the registry spells it. */
  readonly name: string;
  readonly normal: string;
}

/** What the org has to be told of one package; what it was told already is left out. */
export async function findings(
  deps: FindingDeps,
  one: Case,
  list: readonly Advisory[],
): Promise<Found[]> {
  const counting = list.filter((advisory) => advisory.malware || minds(deps, one, advisory));
  if (counting.length === 0) return [];
  const rows = await rowsOf(deps, one);
  const found: Found[] = [];
  for (const advisory of counting) {
    const affected = affectedBy(deps, one, { advisory, rows });
    if (affected.length === 0 || await isTold(deps, one, { advisory, affected })) continue;
    found.push(await foundOf(deps, one, { advisory, affected }));
  }
  return found;
}

/** Whether the org's rule `vulnerable` looks at such an advisory at all, whatever the version. */
function minds({ now }: FindingDeps, { policy, ecosystem, name }: Case, advisory: Advisory) {
  const whole = { ...advisory, ranges: ALL, versions: [] };
  const [finding] = vulnerable(policy, [releaseOf(ecosystem, name, ANY_VERSION)], whole, now());
  return finding !== "none";
}

const ALL: Advisory["ranges"] = [{ events: [{ kind: "introduced", version: "0" }] }];
const ANY_VERSION = "1.0.0";

async function rowsOf({ records }: FindingDeps, one: Case): Promise<PackageRow[]> {
  const { org, ecosystem, name } = one;
  const rows: PackageRow[] = [];
  let cursor: string | undefined;
  do {
    const page = await records.packages({ org, ecosystem, package: name }, { limit: PAGE, cursor });
    rows.push(...page.items);
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return rows;
}

/** Of what is on record: everything that is malware, and what the org's policy holds to be vulnerable. */
function affectedBy(
  { schemes, now }: FindingDeps,
  { policy, ecosystem, name }: Case,
  { advisory, rows }: { advisory: Advisory; rows: readonly PackageRow[] },
): PackageRow[] {
  const releases = rows.map(({ version }) => releaseOf(ecosystem, name, version));
  if (advisory.malware) {
    const affecting = advisoryMatcher(releases, [advisory], schemes);
    return rows.filter((_, at) => affecting(at).length > 0);
  }
  const minded = vulnerable(policy, releases, advisory, now());
  return rows.filter((_, at) => minded[at] === "counts");
}

/** What the policy's own rule makes of each release, its threshold and the exceptions included. */
function vulnerable(
  policy: Policy,
  releases: readonly Release[],
  advisory: Advisory,
  now: number,
): ("none" | "waived" | "counts")[] {
  const facts: Facts = {
    id: advisory.id,
    advisories: { state: "current", list: [advisory], asOf: now },
    dependencies: new Map(),
  };
  return policy.judge(releases, now, undefined, facts).verdicts.map(({ findings }) => {
    const own = findings.filter(({ code }) => code === "vulnerable");
    if (own.length === 0) return "none";
    return own.some(({ waived }) => waived === null) ? "counts" : "waived";
  });
}

/** A release of which nothing but its name counts here. */
function releaseOf(ecosystem: string, name: string, version: string): Release {
  return {
    ecosystem,
    name,
    version,
    publishedAt: null,
    yanked: false,
    trust: null,
    installScripts: null,
    files: [],
  };
}

interface Hit {
  readonly advisory: Advisory;
  /** Newest version first. */
  readonly affected: readonly PackageRow[];
}

async function isTold({ alerts }: FindingDeps, one: Case, hit: Hit): Promise<boolean> {
  const { org, ecosystem, normal } = one;
  const told = await alerts.find(org, hit.advisory.id, { ecosystem, name: normal });
  if (told === null) return false;
  return told.installs.count >= countOf(hit) && told.last >= lastOf(hit);
}

function countOf({ affected }: Hit): number {
  return affected.reduce((sum, { count }) => sum + count, 0);
}

function lastOf({ affected }: Hit): string {
  return affected.map(({ last }) => last).reduce((a, b) => a > b ? a : b);
}

async function foundOf(deps: FindingDeps, one: Case, hit: Hit): Promise<Found> {
  const { advisory, affected } = hit;
  const { id, malware, severity, summary } = advisory;
  return {
    org: one.org,
    advisory: {
      id,
      malware,
      severity,
      summary: summary ?? null,
      url: `https://osv.dev/vulnerability/${encodeURIComponent(id)}`,
    },
    ecosystem: one.ecosystem,
    package: one.name,
    versions: affected.map(({ version }) => version),
    installs: { count: countOf(hit), ...await usersOf(deps, one, affected) },
    first: affected.map(({ first }) => first).reduce((a, b) => a < b ? a : b),
    last: lastOf(hit),
  };
}

/** Whoever installed last comes first. */
async function usersOf(
  { records }: FindingDeps,
  { org, ecosystem, name }: Case,
  affected: readonly PackageRow[],
): Promise<{ users: AlertUser[]; more_users: number }> {
  const versions = new Set(affected.map(({ version }) => version));
  const users = new Map<string, AlertUser>();
  const untold = new Set<string>();
  for await (const record of records.all("install", { org, ecosystem, package: name })) {
    const { user, version, at, ip } = record;
    if (!versions.has(version)) continue;
    const known = users.get(user);
    if (known !== undefined) {
      users.set(user, {
        ...known,
        versions: joined(known.versions, version, Infinity),
        count: known.count + 1,
        first: at,
        ips: joined(known.ips, ip, MAX_IPS),
      });
    } else if (users.size < MAX_USERS) {
      const ips = joined([], ip, MAX_IPS);
      users.set(user, { user, versions: [version], count: 1, first: at, last: at, ips });
    } else if (untold.size < MAX_USERS_COUNTED) untold.add(user);
  }
  return { users: [...users.values()], more_users: untold.size };
}

function joined(list: readonly string[], text: string, most: number): string[] {
  return text === "" || list.includes(text) || list.length >= most ? [...list] : [...list, text];
}
