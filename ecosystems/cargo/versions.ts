import type { VersionScheme } from "../../policy/types.ts";
import { comparePlain, plainVersion } from "../plain_version.ts";
import { compareVersions, readRequirement, readVersion } from "./requirement.ts";

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
/** Cargo takes a star alone; `>*` would hold nothing. */
const COMPARED_STAR = /(?:^|,)\s*[<>=~^]+\s*\*/;
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
    const left = readVersion(a);
    const right = readVersion(b);
    if (left === null || right === null) {
      if (left === right) return a < b ? -1 : a > b ? 1 : 0;
      return left === null ? -1 : 1;
    }
    return compareVersions(left, right);
  },

  reads: (version) => readVersion(version) !== null,

  range(text) {
    const pinned = PINNED_BUILD.exec(text.trim())?.[1];
    if (pinned !== undefined && readVersion(pinned) !== null) {
      return (version) => version === pinned;
    }
    const holds = readRequirement(text);
    return (version) => {
      const parsed = readVersion(version);
      return parsed !== null && holds(parsed);
    };
  },

  readsWhole: (text) => !COMPARED_STAR.test(text),

  exact: (version) => `=${version}`,

  isCanonical: (version) => plainVersion(version) !== null,

  keyOf: (version) => version.split("+", 1)[0],

  major(version) {
    return String(plainVersion(version)?.major ?? readVersion(version)?.core[0] ?? version);
  },

  isPrerelease(version) {
    const plain = plainVersion(version);
    if (plain) return plain.channel !== null;
    return (readVersion(version)?.channel.length ?? 0) > 0;
  },
};
