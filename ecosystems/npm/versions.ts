// Two of its files: loading all fifty would be felt at a cold start.
import parse from "semver/parse";
import Range from "semver/range";
import type { VersionScheme } from "../../policy/types.ts";
import { comparePlain, plainVersion } from "../plain_version.ts";

const OPTIONS = { loose: true, includePrerelease: true } as const;

/** npm's names and versions: https://github.com/npm/node-semver, https://github.com/npm/validate-npm-package-name. */
export const npmVersions: VersionScheme = {
  ecosystem: "npm",
  purlType: "npm",
  ordersBuilds: false,

  /** Old packages with capitals exist beside their lower-case namesakes, so case is kept. */
  normalizeName(name) {
    return NAME.test(name) && name.length <= 214 ? name : null;
  },

  compare(a, b) {
    const plainA = plainVersion(a);
    const plainB = plainA && plainVersion(b);
    if (plainA && plainB) return comparePlain(plainA, plainB);
    const left = parse(a, OPTIONS);
    const right = parse(b, OPTIONS);
    if (left === null || right === null) {
      if (left === right) return a < b ? -1 : a > b ? 1 : 0;
      return left === null ? -1 : 1;
    }
    return left.compare(right) || left.compareBuild(right);
  },

  reads: (version) => plainVersion(version) !== null || parse(version, OPTIONS) !== null,

  range(text) {
    const range = parseRange(text);
    return (version) => {
      const parsed = parse(version, OPTIONS);
      return parsed !== null && range.test(parsed);
    };
  },

  /** Read loosely, a range loses each part that is none: only one version alone may be written so. */
  readsWhole(text) {
    if (text.startsWith("=") && parse(text.slice(1), OPTIONS) !== null) return true;
    try {
      return new Range(text, { includePrerelease: true }) !== null;
    } catch {
      return false;
    }
  },

  exact: (version) => `=${version}`,

  isCanonical: (version) => plainVersion(version) !== null,

  keyOf: (version) => plainVersion(version) ? version : parse(version, OPTIONS)?.version ?? version,

  major(version) {
    const parsed = plainVersion(version) ?? parse(version, OPTIONS);
    return parsed === null ? version : String(parsed.major);
  },

  isPrerelease(version) {
    const plain = plainVersion(version);
    if (plain) return plain.channel !== null;
    return (parse(version, OPTIONS)?.prerelease.length ?? 0) > 0;
  },
};

/** A part is anything printable but halves of characters, path and URL syntax; `.` and `..` are no names. */
const NAME =
  /^(?:@(?!\.{1,2}\/)[^\s@/%?#\\:"<>^`{|}\p{Cc}\p{Cs}]+\/)?(?![._]{0,1}$|\.\.?$)[^\s@/%?#\\:"<>^`{|}\p{Cc}\p{Cs}]+$/u;

function parseRange(text: string): Range {
  try {
    return new Range(text, OPTIONS);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as an npm range`, { cause });
  }
}
