// Two of its files: loading all fifty would be felt at a cold start.
import parse from "semver/parse";
import Range from "semver/range";
import type { VersionScheme } from "../../policy/types.ts";
import { comparePlain, plainVersion } from "../plain_version.ts";

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
  ordersBuilds: false,

  /** crates.io holds `a-b`, `a_b` and `A_b` to be one crate, so they are one name here. */
  normalizeName(name) {
    return NAME.test(name) ? name.toLowerCase().replaceAll("_", "-") : null;
  },

  compare(a, b) {
    const plainA = plainVersion(a);
    const plainB = plainA && plainVersion(b);
    if (plainA && plainB) return comparePlain(plainA, plainB);
    const left = parse(a);
    const right = parse(b);
    if (left === null || right === null) {
      if (left === right) return a < b ? -1 : a > b ? 1 : 0;
      return left === null ? -1 : 1;
    }
    return left.compare(right) || left.compareBuild(right);
  },

  range(text) {
    const pinned = PINNED_BUILD.exec(text.trim())?.[1];
    if (pinned !== undefined && parse(pinned) !== null) return (version) => version === pinned;
    const range = readRange(text);
    return (version) => {
      const parsed = parse(version);
      return parsed !== null && range.test(parsed);
    };
  },

  readsWhole: () => true,

  exact: (version) => `=${version}`,

  isCanonical: (version) => plainVersion(version) !== null,

  major(version) {
    const parsed = plainVersion(version) ?? parse(version);
    return parsed === null ? version : String(parsed.major);
  },

  isPrerelease(version) {
    const plain = plainVersion(version);
    if (plain) return plain.channel !== null;
    return (parse(version)?.prerelease.length ?? 0) > 0;
  },
};

function readRange(text: string): Range {
  try {
    return new Range(toNpmRange(text), OPTIONS);
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
