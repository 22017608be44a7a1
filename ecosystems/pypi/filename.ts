/**
 * What the name of a distribution file says. PyPI's indexes give no version
 * per file, so this is where versions come from.
 */
import { isVersion } from "./pep440.ts";
import { pypiVersions } from "./versions.ts";

export type FileKind = "wheel" | "sdist" | "other";

export interface ParsedFilename {
  /** As spelt in the file's name; where it cannot be told apart, all that follows the project. */
  readonly version: string;
  readonly kind: FileKind;
}

const EXTENSION =
  /\.(?:whl|egg|exe|msi|rpm|deb|dmg|zip|tar|tgz|tbz|tbz2|txz|tlz|tar\.(?:gz|bz2|xz|lzma|lz|Z))$/i;

/** What `bdist_dumb`, `bdist_wininst` and eggs add to the version. */
const PLATFORM =
  /^(.+?)(?:[.-](?:win32|win-amd64|win-ia64|win-arm\w*|linux-\w+|macosx-[\d.]+-\w+|cygwin-.+)(?:-py\d(?:\.\d+)?)?|-py\d(?:\.\d+)?(?:-.+)?)$/;

/** A refused look-up costs an upstream request, so a path may cause only so many. */
const MOST_NAMES = 5;

const CERTAIN = 0;

/** Whether a link on an index page is a distribution (pip's own test, by extension). */
export function isDistribution(filename: string): boolean {
  return EXTENSION.test(filename);
}

/** @param project normalised name of the project that lists the file */
export function parseFilename(filename: string, project: string): ParsedFilename {
  const extension = (EXTENSION.exec(filename)?.[0] ?? "").toLowerCase();
  const stem = filename.slice(0, filename.length - extension.length);
  if (extension === ".whl") {
    const rest = afterProject(stem, project) ?? afterHyphen(stem);
    const parts = rest.split("-");
    // name-version(-build)?-python-abi-platform; `_` stands for `-` within a part
    const version = parts.length === 4 || parts.length === 5 ? parts[0].replaceAll("_", "-") : rest;
    return { version, kind: "wheel" };
  }
  const rest = afterProject(stem, project) ?? splits(stem)[0]?.rest ?? stem;
  return { version: withoutPlatform(rest, extension), kind: kindOf(extension) };
}

/**
 * Names of projects that may list a file, normalised, likeliest first. Where a
 * name's hyphens are escaped, as in proper wheels and eggs, there is but one.
 */
export function projectsOf(filename: string): string[] {
  const extension = EXTENSION.exec(filename)?.[0].toLowerCase();
  if (extension === undefined) return [];
  const stem = filename.slice(0, filename.length - extension.length);
  const names = new Set<string>();
  for (const { name, rank } of splits(stem, extension)) {
    const normalized = pypiVersions.normalizeName(name);
    if (normalized !== null) names.add(normalized);
    if (names.size === (rank === CERTAIN ? 1 : MOST_NAMES)) break;
  }
  return [...names];
}

function kindOf(extension: string): FileKind {
  return /^\.(?:zip|tar|tgz|tbz|txz|tlz)/.test(extension) ? "sdist" : "other";
}

/** The part of a stem that follows the project's name and a separator, or null. */
function afterProject(stem: string, project: string): string | null {
  for (let at = stem.indexOf("-"); at > 0; at = stem.indexOf("-", at + 1)) {
    if (pypiVersions.normalizeName(stem.slice(0, at)) === project) return stem.slice(at + 1);
    if (at > 2 * project.length + 64) break;
  }
  const start = stem.slice(0, project.length + 1);
  return /[._]$/.test(start) && pypiVersions.normalizeName(start.slice(0, -1)) === project
    ? stem.slice(project.length + 1)
    : null;
}

function afterHyphen(stem: string): string {
  return stem.slice(stem.indexOf("-") + 1);
}

interface Split {
  readonly name: string;
  readonly rest: string;
  readonly rank: number;
}

/** Every way to part a stem into name and rest, the likeliest first. */
function splits(stem: string, extension = ""): Split[] {
  const found: Split[] = [];
  const separator = extension === ".deb" ? /[-_]/g : /-/g;
  for (const { index } of stem.slice(0, 256).matchAll(separator)) {
    const rest = stem.slice(index + 1);
    const rank = rankOf(rest, extension);
    found.push({ name: stem.slice(0, index), rest, rank });
    if (rank === CERTAIN) break;
  }
  return found.sort((a, b) => a.rank - b.rank);
}

/** How far the rest of a stem is from being what follows a name: 0 cannot be mistaken. */
function rankOf(rest: string, extension: string): number {
  if (extension === ".whl" || extension === ".egg") {
    const version = rest.split("-", 1)[0].replaceAll("_", "-");
    return isVersion(version) ? CERTAIN : /^v?\d/.test(rest) ? 1 : 2;
  }
  return isVersion(rest) ? 1 : /^v?\d/.test(rest) ? 2 : 3;
}

function withoutPlatform(rest: string, extension: string): string {
  if (extension === ".rpm") return rest.replace(/-[^-]+\.[a-z]\w*$/, "");
  if (extension === ".deb") return rest.replace(/_[a-z0-9]+$/, "");
  if (isVersion(rest)) return rest;
  return PLATFORM.exec(rest)?.[1] ?? rest;
}
