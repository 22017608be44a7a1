import { npmVersions } from "./versions.ts";

/**
 * Tags that name only visible versions. `latest` falls back to the highest
 * visible stable version not above it (never by publish time: a backport would
 * win), every other tag to the highest visible one not above it of the same major and
 * pre-release channel; where there is none, the tag goes.
 * @param tags as upstream has them
 * @param isVisible whether a version exists and is let through
 * @param visible all versions that are
 */
export function visibleTags(
  tags: Readonly<Record<string, string>>,
  isVisible: (version: string) => boolean,
  visible: () => readonly string[],
): Record<string, string> {
  const kept: Record<string, string> = Object.create(null);
  const hidden = Object.entries(tags).filter(([tag, version]) =>
    tag !== "latest" && !isVisible(version)
  );
  const substitutes = hidden.length === 0
    ? null
    : findSubstitutes(hidden.map(([, version]) => version), visible());
  for (const [tag, version] of Object.entries(tags)) {
    const found = isVisible(version)
      ? version
      : tag === "latest"
      ? substituteLatest(version, visible())
      : substitutes?.get(version) ?? null;
    if (found !== null) kept[tag] = found;
  }
  return kept;
}

function substituteLatest(version: string, visible: readonly string[]): string | null {
  const { compare, isPrerelease } = npmVersions;
  const isStable = (candidate: string) => !isPrerelease(candidate);
  return highest(visible, (it) => isStable(it) && compare(it, version) <= 0) ??
    highest(visible, isStable) ?? highest(visible, () => true);
}

/** For each hidden version that has one, by one pass over those that are visible. */
function findSubstitutes(
  hidden: readonly string[],
  visible: readonly string[],
): ReadonlyMap<string, string> {
  const { compare } = npmVersions;
  const lines = Map.groupBy(new Set(hidden), lineOf);
  for (const bounds of lines.values()) bounds.sort(compare);
  const found = new Map<string, string>();
  for (const candidate of visible) {
    const bound = lowestFrom(candidate, lines.get(lineOf(candidate)) ?? []);
    const best = bound === undefined ? undefined : found.get(bound);
    if (bound === undefined || (best !== undefined && compare(candidate, best) <= 0)) continue;
    found.set(bound, candidate);
  }
  for (const bounds of lines.values()) {
    // What is not above one of them is not above the next.
    let best: string | undefined;
    for (const bound of bounds) {
      best = found.get(bound) ?? best;
      if (best !== undefined) found.set(bound, best);
    }
  }
  return found;
}

/** The first of sorted versions that a version is not above. */
function lowestFrom(version: string, sorted: readonly string[]): string | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (npmVersions.compare(version, sorted[middle]) <= 0) high = middle;
    else low = middle + 1;
  }
  return sorted[low];
}

/** Major version and channel: `2 beta` of `2.0.0-beta.3`, `2 ` of a stable version. */
function lineOf(version: string): string {
  const channel = /^[^-+]*-([^+.\d]*)/.exec(version)?.[1] ?? "";
  return `${npmVersions.major(version)} ${channel}`;
}

function highest(
  versions: readonly string[],
  isFit: (version: string) => boolean,
): string | null {
  let best: string | null = null;
  for (const version of versions) {
    if (!isFit(version)) continue;
    if (best === null || npmVersions.compare(version, best) > 0) best = version;
  }
  return best;
}
