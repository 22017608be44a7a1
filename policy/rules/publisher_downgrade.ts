import * as v from "valibot";
import { durationSchema, formatInstant, parseDuration } from "../duration.ts";
import { remembering } from "../pattern.ts";
import type { Finding, Release, Trust, VersionSchemes } from "../types.ts";
import { type ReleaseCheck, type Rule, settingsSchema } from "./rule.ts";

const settings = () =>
  settingsSchema({
    scope: v.optional(v.picklist(["major", "all"], 'expected "major" or "all"'), "major"),
    ignore_after: v.optional(durationSchema, "365d"),
  });

const RANKS: Record<Trust, number> = { none: 0, provenance: 1, trusted_publisher: 2, approved: 3 };
const WORDS: Record<Trust, string> = {
  none: "without provenance",
  provenance: "with provenance",
  trusted_publisher: "by a trusted publisher",
  approved: "with a maintainer's approval",
};

/**
 * Files of one version that were uploaded within this time of its first belong
 * to one upload. PyPI's are uploaded one by one, some of them by other means,
 * and do not contradict each other; a file added later to a version does.
 */
const ONE_UPLOAD = 3_600_000;

/** A release that says when it was published and by what means. */
interface Dated {
  readonly release: Release & { readonly publishedAt: number; readonly trust: Trust };
  readonly position: number;
}

/**
 * Withholds a release whose publication is less well vouched for than that of
 * an earlier one: what a stolen token looks like. Compares within one major
 * version, since old lines are often maintained by hand.
 */
export const publisherDowngrade = {
  id: "publisher_downgrade",
  waivable: true,
  settings,
  compile({ scope, ignore_after }, { schemes }) {
    const lasts = parseDuration(ignore_after);
    const lineOf = scope === "all" ? () => "" : majorOf(schemes);
    return (releases, now) => findDowngrades(releases, { now, lasts, lineOf });
  },
} satisfies Rule<"publisher_downgrade", v.InferOutput<ReturnType<typeof settings>>>;

function majorOf(schemes: VersionSchemes): (release: Release) => string {
  const majors = new Map(
    [...schemes].map(([id, scheme]) => [id, remembering((version) => scheme.major(version))]),
  );
  return ({ ecosystem, version }) => {
    const major = majors.get(ecosystem);
    if (major === undefined) throw new RangeError(`Cannot compare versions of ${ecosystem}`);
    return major(version);
  };
}

interface Scope {
  readonly now: number;
  /** How long evidence counts, in milliseconds. */
  readonly lasts: number;
  readonly lineOf: (release: Release) => string;
}

function findDowngrades(releases: readonly Release[], scope: Scope): ReleaseCheck {
  // Nothing is weaker than nothing, which is all that most packages have.
  if (!releases.some(({ trust }) => trust !== null && RANKS[trust] > 0)) return () => null;
  const dated = releases.flatMap((release, position) =>
    isDated(release) ? [{ release, position }] : []
  );
  dated.sort((a, b) => a.release.publishedAt - b.release.publishedAt);
  const findings = new Map<number, Finding>();
  // Most packages never weaken, and parsing thousands of versions is what costs.
  if (weakens(dated, scope)) {
    const lines = new Map<string, Dated[]>();
    for (const one of dated) {
      const line = scope.lineOf(one.release);
      const members = lines.get(line);
      if (members) members.push(one);
      else lines.set(line, [one]);
    }
    for (const line of lines.values()) checkLine(line, scope, findings);
  }
  return (_release, position) => findings.get(position) ?? null;
}

function isDated(release: Release): release is Dated["release"] {
  return release.trust !== null && release.publishedAt !== null &&
    Number.isFinite(release.publishedAt);
}

function counts(evidence: Release & { publishedAt: number }, { now, lasts }: Scope): boolean {
  return evidence.publishedAt + lasts > now;
}

/** Whether anything is weaker than any living evidence before it, whatever its line. */
function weakens(dated: readonly Dated[], scope: Scope): boolean {
  let strongest = 0;
  for (const { release } of dated) {
    const rank = RANKS[release.trust];
    if (rank < strongest) return true;
    if (rank > strongest && counts(release, scope)) strongest = rank;
  }
  return false;
}

/** One line's releases in order of publication. */
function checkLine(line: readonly Dated[], scope: Scope, findings: Map<number, Finding>): void {
  const evidence = new Evidence();
  const firstOfVersion = new Map<string, number>();
  for (let start = 0; start < line.length;) {
    const { publishedAt } = line[start].release;
    let end = start;
    while (end < line.length && line[end].release.publishedAt === publishedAt) end++;
    // Equal times are not "earlier": all of them are checked before any becomes evidence.
    const together = line.slice(start, end);
    for (const { release, position } of together) {
      const first = firstOfVersion.get(release.version) ?? publishedAt;
      const ownVersion = publishedAt - first > ONE_UPLOAD;
      const stronger = evidence.stronger(release, ownVersion);
      if (stronger && counts(stronger, scope)) {
        findings.set(position, downgrade(release, stronger, scope.lasts));
      }
    }
    for (const { release } of together) {
      if (!firstOfVersion.has(release.version)) firstOfVersion.set(release.version, publishedAt);
      evidence.add(release);
    }
    start = end;
  }
}

type Vouched = Dated["release"];

/** The newest release of each rank, and the newest of another version than that one's. */
class Evidence {
  readonly #newest: (Vouched | undefined)[] = [];
  readonly #other: (Vouched | undefined)[] = [];

  add(release: Vouched): void {
    const rank = RANKS[release.trust];
    const newest = this.#newest[rank];
    if (newest !== undefined && newest.version !== release.version) this.#other[rank] = newest;
    this.#newest[rank] = release;
  }

  /** The newest release stronger than this one: the one whose word counts longest. */
  stronger(release: Vouched, ownVersion: boolean): Vouched | undefined {
    let found: Vouched | undefined;
    for (let rank = RANKS[release.trust] + 1; rank < this.#newest.length; rank++) {
      let candidate = this.#newest[rank];
      if (!ownVersion && candidate?.version === release.version) candidate = this.#other[rank];
      if (candidate && (!found || candidate.publishedAt >= found.publishedAt)) found = candidate;
    }
    return found;
  }
}

function downgrade(release: Vouched, evidence: Vouched, lasts: number): Finding {
  return {
    code: "publisher_downgrade",
    message:
      `published ${WORDS[release.trust]} on ${formatInstant(release.publishedAt)}, although ` +
      `${evidence.version} was published ${WORDS[evidence.trust]} on ` +
      formatInstant(evidence.publishedAt),
    until: evidence.publishedAt + lasts,
  };
}
