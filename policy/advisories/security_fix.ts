import type { Advisory, Release, VersionScheme } from "../types.ts";
import { border, compareToBorder } from "./borders.ts";

/**
 * Files of one version that come later than this after its first are not of the
 * upload that was meant to mend anything.
 */
const ONE_UPLOAD = 3_600_000;

/** What the engine knows of each position when it asks for the fixes. */
export interface Standing {
  /** Withheld for its age and nothing else. */
  isYoung(position: number): boolean;
  /** Let through but for its vulnerabilities, which are what this is about. */
  isAllowed(position: number): boolean;
  affecting(position: number): readonly Advisory[];
}

/**
 * The young releases that may go out at once: a reviewed advisory names each as
 * the version that mends it, and every older allowed release of the same major
 * version suffers from a reviewed advisory that it does not. Where there is no
 * older one, or a sound one, nothing is urgent: an advisory alone opens no door.
 */
export function securityFixes(
  releases: readonly Release[],
  scheme: VersionScheme,
  standing: Standing,
): ReadonlySet<number> {
  const fixes = new Set<number>();
  for (const line of lines(releases, scheme)) collect(line, { releases, scheme, standing, fixes });
  return fixes;
}

/** Positions by major version, then by version, oldest first. */
function lines(releases: readonly Release[], scheme: VersionScheme): number[][][] {
  const majors = Map.groupBy(releases.keys(), (at) => scheme.major(releases[at].version));
  return [...majors.values()].map((positions) => {
    const versions = Map.groupBy(positions, (at) => releases[at].version);
    return [...versions.values()].sort(([a], [b]) =>
      scheme.compare(releases[a].version, releases[b].version)
    );
  });
}

interface Work {
  readonly releases: readonly Release[];
  readonly scheme: VersionScheme;
  readonly standing: Standing;
  readonly fixes: Set<number>;
}

function collect(line: readonly number[][], { releases, scheme, standing, fixes }: Work): void {
  /** Reviewed advisories of each older release that may be had. */
  const older: (readonly Advisory[])[] = [];
  for (const version of line) {
    const [first] = version;
    const allowed = version.some((at) => standing.isAllowed(at));
    const own = standing.affecting(first).filter(isReviewed);
    const isThis = (fixed: string) =>
      compareToBorder(releases[first].version, border(fixed, scheme), scheme) === 0;
    const lifted = !allowed && mends(own, older, isThis) ? young(version, releases, standing) : [];
    for (const at of lifted) fixes.add(at);
    const had = allowed || lifted.length > 0;
    // Nobody is given a pre-release by an ordinary range.
    if (had && !scheme.isPrerelease(releases[first].version)) older.push(own);
  }
}

function mends(
  own: readonly Advisory[],
  older: readonly (readonly Advisory[])[],
  isThis: (fixed: string) => boolean,
): boolean {
  if (older.length === 0) return false;
  const suffers = new Set(own.map(({ id }) => id));
  const mended = older.map((list) => list.filter(({ id }) => !suffers.has(id)));
  return mended.every((list) => list.length > 0) &&
    mended.some((list) => list.some(({ fixed }) => fixed.some(isThis)));
}

function isReviewed({ reviewed, malware }: Advisory): boolean {
  return reviewed && !malware;
}

/** The files of a version that came with its first one. */
function young(
  version: readonly number[],
  releases: readonly Release[],
  { isYoung }: Standing,
): number[] {
  const times = version.flatMap((at) => releases[at].publishedAt ?? []);
  const last = Math.min(...times) + ONE_UPLOAD;
  return version.filter((at) => isYoung(at) && (releases[at].publishedAt ?? Infinity) <= last);
}
