import * as pep440 from "@renovatebot/pep440";
import type { VersionScheme } from "../../policy/types.ts";

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
    const left = pep440.valid(a);
    const right = pep440.valid(b);
    if (left === null || right === null) {
      if (left === right) return a < b ? -1 : a > b ? 1 : 0;
      return left === null ? -1 : 1;
    }
    return pep440.compare(left, right);
  },

  range(text) {
    if (text.trim() === "*") return () => true;
    const literal = LITERAL.exec(text)?.[1].toLowerCase();
    if (literal !== undefined) return (version) => version.toLowerCase() === literal;
    if (text.trim() === "" || !pep440.validRange(text)) {
      throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as PEP 440 specifiers`);
    }
    return (version) =>
      pep440.valid(version) !== null && pep440.satisfies(version, text, { prereleases: true });
  },

  readsWhole(text) {
    const literal = LITERAL.exec(text)?.[1];
    return literal === undefined || FILE_VERSION.test(literal);
  },

  exact: (version) => `${pep440.valid(version) === null ? "===" : "=="}${version}`,

  isCanonical: (version) => CANONICAL.test(version),

  major(version) {
    const parsed = pep440.explain(version);
    return parsed === null ? version : `${parsed.epoch}!${parsed.release[0]}`;
  },

  isPrerelease(version) {
    return pep440.explain(version)?.is_prerelease ?? false;
  },
};
