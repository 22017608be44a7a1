/** The package lists of a policy: what may be stored. */
import type { PackageEntry } from "./entry.ts";
import { isVersion, readPattern } from "./pattern.ts";
import { RULES } from "./rules/mod.ts";
import type { Rule } from "./rules/rule.ts";
import type { Fault } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";
import type { VersionSchemes } from "./types.ts";

/** Each version is compared with all of them at once. */
const MAX_CONDITIONS = 500;

/** Rules that look before any version is known. */
const BY_NAME: ReadonlySet<string> = new Set(
  RULES.filter((rule: Rule) => rule.byName).map(({ id }) => id),
);

/** The lists of a policy document. */
export interface PackageLists {
  readonly rules:
    & Readonly<Record<"block" | "allow_only", { readonly entries: readonly Entry[] }>>
    & { readonly min_age: { readonly packages: Readonly<Record<string, string>> } };
  readonly exceptions: readonly Entry[];
}

interface Entry extends PackageEntry {
  /** Of exceptions. */
  readonly rules?: readonly string[];
}

/**
 * What is wrong with entries that are about to be stored; checked there and not
 * where documents are read, so that none becomes unreadable that was accepted
 * before.
 * @param known entries that are stored already, which stay as they are
 */
export function entryFaults(
  lists: PackageLists,
  { schemes, known }: { schemes: VersionSchemes; known: PackageLists },
): Fault[] {
  const check = entryCheck(schemes);
  const stored = listsOf(known);
  const faults = listsOf(lists).flatMap(({ path, entries }, list) => {
    const crowds = crowdFaults(entries, stored[list].entries, schemes)
      .map(({ at, detail }) => ({ pointer: pointerOf([...path, String(at), "versions"]), detail }));
    const wrong = entries.flatMap((entry, i) => {
      const fault = check(entry);
      return fault === null ? [] : [{ entry, place: [...path, String(i), fault.key], ...fault }];
    });
    if (wrong.length === 0) return crowds;
    const same = new Set(stored[list].entries.map(textOf));
    return [
      ...wrong.filter(({ entry }) => !same.has(textOf(entry)))
        .map(({ place, detail }) => ({ pointer: pointerOf(place), detail })),
      ...crowds,
    ];
  });
  const ages = [lists, known].map(({ rules }) => rules.min_age.packages);
  return [...faults, ...spellingFaults(ages[0], { schemes, known: ages[1] })];
}

/** Packages that are given two ages by two spellings of their name. */
function spellingFaults(
  packages: Readonly<Record<string, string>>,
  { schemes, known }: { schemes: VersionSchemes; known: Readonly<Record<string, string>> },
): Fault[] {
  const spellings = new Map<string, string>();
  return Object.entries(packages).flatMap(([text, age]) => {
    const { ecosystem, name } = readPattern(text, schemes);
    const key = `${ecosystem}\0${name}`;
    const other = spellings.get(key);
    if (other === undefined) {
      spellings.set(key, text);
      return [];
    }
    if (packages[other] === age) return [];
    if (Object.hasOwn(known, text) && Object.hasOwn(known, other)) return [];
    const detail = `the same packages as ${quote(other)}, with another age`;
    return [{ pointer: pointerOf(["rules", "min_age", "packages", text]), detail }];
  });
}

function listsOf({ rules, exceptions }: PackageLists) {
  return [
    { path: ["rules", "block", "entries"], entries: rules.block.entries },
    { path: ["rules", "allow_only", "entries"], entries: rules.allow_only.entries },
    { path: ["exceptions"], entries: exceptions },
  ];
}

/** Packages with more conditions than are looked at for each version, unless fewer than so far. */
function crowdFaults(
  entries: readonly Entry[],
  stored: readonly Entry[],
  schemes: VersionSchemes,
): { at: number; detail: string }[] {
  const crowded = [...countConditions(entries, schemes)]
    .filter(([, { count }]) => count > MAX_CONDITIONS);
  if (crowded.length === 0) return [];
  const before = countConditions(stored, schemes);
  return crowded.filter(([key, { count }]) => count > (before.get(key)?.count ?? 0))
    .map(([key, { count, last }]) => ({
      at: last,
      detail: `with this there are ${count} comparisons in ranges for ${key}, ` +
        `more than ${MAX_CONDITIONS}: name versions one by one`,
    }));
}

/** By package, and for all wildcards of an ecosystem together: how many, and the last entry that has any. */
function countConditions(
  entries: readonly Entry[],
  schemes: VersionSchemes,
): Map<string, { count: number; last: number }> {
  const counts = new Map<string, { count: number; last: number }>();
  entries.forEach(({ purl, versions = "*" }, last) => {
    if (versions.trim() === "*") return;
    const { ecosystem, name, wildcard } = readPattern(purl, schemes);
    const key = wildcard ? `wildcards of ${ecosystem}` : `${ecosystem} ${name}`;
    const more = versions.match(/[^\s,|]+/g)?.length ?? 0;
    counts.set(key, { count: (counts.get(key)?.count ?? 0) + more, last });
  });
  return counts;
}

/** What an entry lets through or withholds. */
function textOf({ purl, versions, rules }: Entry): string {
  return JSON.stringify([purl, versions, rules]);
}

/** Ranges repeat a lot in long lists, and compiling one is what costs. */
function entryCheck(
  schemes: VersionSchemes,
): (entry: Entry) => { key: keyof Entry; detail: string } | null {
  const ranges = new Map<string, boolean>();
  return ({ purl, versions, rules = [] }) => {
    const { ecosystem, version } = readPattern(purl, schemes);
    const scheme = schemes.get(ecosystem);
    if (scheme === undefined) return null; // refused by the schema
    if (version === null && endsEmpty(purl)) {
      return { key: "purl", detail: "names an empty version; without the @ it means all of them" };
    }
    if (version !== null && !scheme.isCanonical(version) && !isVersion(version, scheme)) {
      return { key: "purl", detail: `${quote(version)} is no ${ecosystem} version` };
    }
    const some = version !== null || (versions !== undefined && versions.trim() !== "*");
    const named = rules.find((id) => BY_NAME.has(id));
    if (some && named !== undefined) {
      const detail = `${
        quote(named)
      } goes by the name alone: an exception to it is for all versions`;
      return { key: "rules", detail };
    }
    if (some && versions !== undefined) {
      const key = `${ecosystem}\0${versions}`;
      let whole = ranges.get(key);
      if (whole === undefined) ranges.set(key, whole = scheme.readsWhole(versions));
      if (!whole) {
        const detail = `${quote(versions)} as a whole is no ${ecosystem} version range`;
        return { key: "versions", detail };
      }
    }
    return null;
  };
}

/** Whether a version was begun; what is cut off as white space is none. */
function endsEmpty(purl: string): boolean {
  return decodeURIComponent(purl).trim().endsWith("@");
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
