import type { VersionScheme } from "../../policy/types.ts";
import {
  compareVersions,
  isPrerelease,
  isVersion,
  normalForm,
  readSpecifiers,
  readVersion,
} from "./pep440.ts";

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** As most are written: `1.2.3`, `2.1rc1`; not `1.0`, which is also `1`. */
const CANONICAL = /^(?:(?:0|[1-9]\d{0,8})\.)*(?:[1-9]\d{0,8})(?:(?:a|b|rc)(?:0|[1-9]\d{0,8}))?$/;

/** PEP 440's arbitrary equality: the only specifier for what is no PEP 440 version. */
const LITERAL = /^\s*===\s*([^\s,]+)\s*$/;

/** What old files are called by, and not what other tools write for many versions: `1.x`, `latest`. */
const FILE_VERSION = /^(?=.*\d)[a-z0-9][\w.+!-]*$(?<!\.x)/i;

/** PEP 440 versions and PEP 503 names. */
export const pypiVersions: VersionScheme = {
  ecosystem: "pypi",
  purlType: "pypi",
  ordersBuilds: true,

  normalizeName(name) {
    return NAME.test(name) ? name.toLowerCase().replace(/[-_.]+/g, "-") : null;
  },

  compare(a, b) {
    const left = readVersion(a);
    const right = readVersion(b);
    if (left === null || right === null) {
      if (left === right) return a < b ? -1 : a > b ? 1 : 0;
      return left === null ? -1 : 1;
    }
    return compareVersions(left, right);
  },

  reads: isVersion,

  range: (text) => text.trim() === "*" ? () => true : readSpecifiers(text),

  readsWhole(text) {
    const literal = LITERAL.exec(text)?.[1];
    return literal === undefined || FILE_VERSION.test(literal);
  },

  exact: (version) => `${isVersion(version) ? "==" : "==="}${version}`,

  isCanonical: (version) => CANONICAL.test(version),

  keyOf(version) {
    if (CANONICAL.test(version)) return version;
    return isVersion(version) ? normalForm(version.split("+", 1)[0]) : version.toLowerCase();
  },

  major(version) {
    const parsed = readVersion(version);
    return parsed === null ? version : `${parsed.epoch}!${parsed.release[0]}`;
  },

  isPrerelease(version) {
    const parsed = readVersion(version);
    return parsed !== null && isPrerelease(parsed);
  },
};
