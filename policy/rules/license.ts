import * as v from "valibot";
import { globMatcher } from "../pattern.ts";
import { compareLicenses, type License, parseLicense, satisfies } from "../spdx.ts";
import type { Finding } from "../types.ts";
import { oneLine, optionalSettings, type Rule, unknownSchema } from "./rule.ts";

const licenses = v.optional(
  v.array(
    v.pipe(
      v.string('expected a licence such as "MIT"'),
      v.check(
        (text) => readEntry(text) !== null,
        'expected one SPDX licence such as "MIT", "GPL-3.0-or-later" or "GPL-*", ' +
          'with its exception after "WITH" if it has one',
      ),
    ),
    "expected a list",
  ),
  [],
);

const settings = () =>
  optionalSettings({ allow: licenses, deny: licenses, unknown: unknownSchema("allow") });

/**
 * Withholds releases whose licence is on one list, or missing on another. Of
 * an expression, one side of OR is enough, both of AND are needed; `WITH` adds
 * permissions, so it passes where the licence itself does.
 */
export const license = {
  id: "license",
  waivable: true,
  settings,
  compile({ allow, deny, unknown }) {
    const passes = compileLists(allow, deny);
    const known = new Map<string, Finding | null>();
    return () => ({ license = null }) => {
      if (license === null || license.trim() === "") return unknown === "deny" ? UNKNOWN : null;
      let finding = known.get(license);
      if (finding === undefined) {
        finding = find(license);
        if (known.size >= REMEMBERED) known.clear();
        known.set(license, finding);
      }
      return finding;
    };

    function find(text: string): Finding | null {
      const expression = parseLicense(text);
      const stated = JSON.stringify(oneLine(text, 100));
      if (expression === null) {
        if (unknown === "allow") return null;
        const message = `its licence ${stated} is no SPDX expression, so it cannot be checked`;
        return { code: "license", message, until: null };
      }
      if (satisfies(expression, passes)) return null;
      const message = `its licence ${stated} is not allowed`;
      return { code: "license", message, until: null };
    }
  },
} satisfies Rule<"license", v.InferOutput<ReturnType<typeof settings>>>;

const REMEMBERED = 1_000;

const UNKNOWN: Finding = {
  code: "license",
  message: "the registry does not say what its licence is",
  until: null,
};

/** A line of a list: one licence, or a name with `*`. */
type Entry = { readonly glob: (id: string) => boolean } | { readonly license: License };

function readEntry(text: string): Entry | null {
  const name = text.trim();
  if (name.includes("*")) {
    if (!/^[A-Za-z0-9.*-]{1,100}$/.test(name)) return null;
    return { glob: globMatcher(name.toLowerCase().replaceAll(/\*+/g, "*")) };
  }
  const expression = parseLicense(name);
  return expression?.kind === "license" ? { license: expression.license } : null;
}

function compileLists(allow: readonly string[], deny: readonly string[]) {
  const allowed = readEntries(allow);
  const denied = readEntries(deny);
  return (license: License): boolean => {
    // An exception that is named counts before the licence that it softens.
    if (license.exception !== null && allowed.some((entry) => names(entry, license))) return true;
    if (denied.some((entry) => denies(entry, license))) return false;
    return allowed.length === 0 || allowed.some((entry) => allows(entry, license));
  };
}

function readEntries(texts: readonly string[]): readonly Entry[] {
  return texts.map(readEntry).filter((entry) => entry !== null);
}

/** Whether an entry speaks of this licence with this exception. */
function names(entry: Entry, license: License): boolean {
  return "license" in entry && entry.license.exception === license.exception &&
    allows(entry, { ...license, exception: null }, entry.license);
}

/** Whoever may choose a later version may choose any that is allowed. */
function allows(
  entry: Entry,
  { id, name, orLater }: License,
  listed = "license" in entry && entry.license.exception === null ? entry.license : null,
): boolean {
  if ("glob" in entry) return entry.glob(id) || entry.glob(name);
  if (listed === null) return false;
  const difference = compareLicenses(listed.id, id);
  if (difference === null) return false;
  return difference === 0 || (orLater && difference > 0) || (listed.orLater && difference < 0);
}

/** A later version to choose does not save a licence that is denied. */
function denies(entry: Entry, { id, name, exception }: License): boolean {
  if ("glob" in entry) return entry.glob(id) || entry.glob(name);
  const { license: listed } = entry;
  if (listed.exception !== null && listed.exception !== exception) return false;
  const difference = compareLicenses(listed.id, id);
  if (difference === null) return false;
  return difference === 0 || (listed.orLater && difference < 0);
}
