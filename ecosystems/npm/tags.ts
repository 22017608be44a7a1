import type { VersionScheme } from "../../policy/types.ts";
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
  const below = visible.filter((candidate) => compare(candidate, version) <= 0);
  if (tag !== "latest") {
    return highest(below.filter((candidate) => sameLine(candidate, version)), npmVersions);
  }
  return highest(below.filter((candidate) => !isPrerelease(candidate)), npmVersions) ??
    highest(visible.filter((candidate) => !isPrerelease(candidate)), npmVersions) ??
    highest(visible, npmVersions);
}

function sameLine(a: string, b: string): boolean {
  return npmVersions.major(a) === npmVersions.major(b) && channel(a) === channel(b);
}

/** `beta` of `2.0.0-beta.3`; `""` for a stable version. */
function channel(version: string): string {
  const match = /^[^-+]*-([^+]*)/.exec(version);
  return match === null ? "" : match[1].replace(/[.\d]+.*$/, "");
}

function highest(versions: readonly string[], scheme: VersionScheme): string | null {
  return versions.reduce<string | null>(
    (best, version) => best === null || scheme.compare(version, best) > 0 ? version : best,
    null,
  );
}
