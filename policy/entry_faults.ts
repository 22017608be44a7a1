/** The package lists of a policy: what may be stored. */
import type { PackageEntry } from "./entry.ts";
import { isVersion, readPattern } from "./pattern.ts";
import { RULES } from "./rules/mod.ts";
import type { Rule } from "./rules/rule.ts";
import type { Fault } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";
import type { VersionSchemes } from "./types.ts";

/** Rules that look before any version is known. */
const BY_NAME: ReadonlySet<string> = new Set(
  RULES.filter((rule: Rule) => rule.byName).map(({ id }) => id),
);

/** The lists of a policy document. */
export interface PackageLists {
  readonly rules: Readonly<Record<"block" | "allow_only", { readonly entries: readonly Entry[] }>>;
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
  return listsOf(lists).flatMap(({ path, entries }, list) => {
    const faults = entries.flatMap((entry, i) => {
      const fault = check(entry);
      return fault === null ? [] : [{ entry, place: [...path, String(i), fault.key], ...fault }];
    });
    if (faults.length === 0) return [];
    const same = new Set(stored[list].entries.map(textOf));
    return faults.filter(({ entry }) => !same.has(textOf(entry)))
      .map(({ place, detail }) => ({ pointer: pointerOf(place), detail }));
  });
}

function listsOf({ rules, exceptions }: PackageLists) {
  return [
    { path: ["rules", "block", "entries"], entries: rules.block.entries },
    { path: ["rules", "allow_only", "entries"], entries: rules.allow_only.entries },
    { path: ["exceptions"], entries: exceptions },
  ];
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
