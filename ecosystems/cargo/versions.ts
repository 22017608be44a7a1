import semver from "semver";
import type { VersionScheme } from "../../policy/types.ts";

const OPTIONS = { includePrerelease: true } as const;
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const COMPARATOR =
  /^(?:(=|>=|<=|>|<|~|\^)\s*)?((?:\d+|\*)(?:\.(?:\d+|\*)){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)$/;
/** Two releases may differ in build metadata alone, and ranges do not tell them apart. */
const PINNED_BUILD = /^=\s*(\S+\+\S+)$/;

/**
 * Cargo's names and versions: comparators are joined by commas and a bare
 * version is a caret range (https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html).
 */
export const cargoVersions: VersionScheme = {
  ecosystem: "cargo",
  purlType: "cargo",

  /** crates.io holds `a-b`, `a_b` and `A_b` to be one crate, so they are one name here. */
  normalizeName(name) {
    return NAME.test(name) ? name.toLowerCase().replaceAll("_", "-") : null;
  },

  compare(a, b) {
    const left = semver.parse(a);
    const right = semver.parse(b);
    if (left === null || right === null) {
      if (left === right) return a < b ? -1 : a > b ? 1 : 0;
      return left === null ? -1 : 1;
    }
    return left.compare(right) || left.compareBuild(right);
  },

  range(text) {
    const pinned = PINNED_BUILD.exec(text.trim())?.[1];
    if (pinned !== undefined && semver.valid(pinned)) return (version) => version === pinned;
    const range = readRange(text);
    return (version) => {
      const parsed = semver.parse(version);
      return parsed !== null && range.test(parsed);
    };
  },

  exact: (version) => `=${version}`,

  major(version) {
    const parsed = semver.parse(version);
    return parsed === null ? version : String(parsed.major);
  },

  isPrerelease(version) {
    return (semver.parse(version)?.prerelease.length ?? 0) > 0;
  },
};

function readRange(text: string): semver.Range {
  try {
    return new semver.Range(toNpmRange(text), OPTIONS);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a cargo range`, { cause });
  }
}

function toNpmRange(text: string): string {
  return text.split(",").map((part) => {
    const match = COMPARATOR.exec(part.trim());
    if (!match) throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a cargo range`);
    const [, operator, version] = match;
    return `${operator ?? (version.includes("*") ? "" : "^")}${version}`;
  }).join(" ");
}
