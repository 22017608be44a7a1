/** Finds a version's releases in one index, for files that name thousands of its versions. */
import type { Release, VersionScheme } from "../policy/types.ts";

/** Questions that are answered by looking at all versions; to put them in order first would cost more. */
const FEW = 8;

/** Positions of a version's releases, however it is spelled; none: there is no such version. */
export type VersionFinder = (version: string) => readonly number[];

export function versionFinder(
  releases: readonly Release[],
  { compare, isCanonical }: Pick<VersionScheme, "compare" | "isCanonical">,
): VersionFinder {
  const spelled = Map.groupBy(releases.keys(), (position) => releases[position].version);
  const versions = [...spelled.keys()];
  const canonical = versions.every(isCanonical);
  let asked = 0;
  let sorted: readonly string[] | null = null;

  const equal = (version: string): readonly string[] => {
    if (++asked <= FEW) {
      return versions.filter((one) => one === version || compare(one, version) === 0);
    }
    sorted ??= versions.toSorted(compare);
    const start = first(sorted, (one) => compare(one, version) >= 0);
    return sorted.slice(start, first(sorted, (one) => compare(one, version) > 0));
  };
  return (version) =>
    canonical && isCanonical(version)
      ? spelled.get(version) ?? []
      : equal(version).flatMap((one) => spelled.get(one) ?? []).sort((a, b) => a - b);
}

/** Position of the first that a condition holds for, which holds for all behind it. */
function first(versions: readonly string[], holds: (version: string) => boolean): number {
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(versions[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}
