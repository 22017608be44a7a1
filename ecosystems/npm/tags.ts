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
  for (const [tag, version] of Object.entries(tags)) {
    const found = isVisible(version) ? version : substitute(tag, version, visible());
    if (found !== null) kept[tag] = found;
  }
  return kept;
}

function substitute(tag: string, version: string, visible: readonly string[]): string | null {
  const { compare, isPrerelease } = npmVersions;
  if (tag !== "latest") {
    const inLine = sameLineAs(version);
    return highest(visible, (candidate) => inLine(candidate) && compare(candidate, version) <= 0);
  }
  const isStable = (candidate: string) => !isPrerelease(candidate);
  return highest(visible, (it) => isStable(it) && compare(it, version) <= 0) ??
    highest(visible, isStable) ?? highest(visible, () => true);
}

function sameLineAs(version: string): (candidate: string) => boolean {
  const line = npmVersions.major(version);
  const wanted = channel(version);
  return (candidate) => channel(candidate) === wanted && npmVersions.major(candidate) === line;
}

/** `beta` of `2.0.0-beta.3`; `""` for a stable version. */
function channel(version: string): string {
  const match = /^[^-+]*-([^+]*)/.exec(version);
  return match === null ? "" : match[1].replace(/[.\d]+.*$/, "");
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
