import { createHash } from "node:crypto";
import * as v from "valibot";
import {
  exactTest,
  isVersion,
  type PackagePattern,
  patternSchema,
  readPattern,
  versionTest,
} from "./pattern.ts";
import { strict } from "./shape.ts";
import type { VersionScheme, VersionSchemes } from "./types.ts";
import type { VersionLine } from "./version_lines.ts";

/** Entries of lists (`block`, `exceptions`): a package pattern, and a range of its versions. */

const reasonSchema = v.pipe(
  v.string("expected a text"),
  v.maxLength(1_000, "longer than 1000 characters"),
);

export interface PackageEntry {
  readonly purl: string;
  readonly versions?: string;
}

/** The schema of an entry: package and versions, with what the list adds. */
export function entrySchema<const T extends v.ObjectEntries>(schemes: VersionSchemes, more: T) {
  const faults = rangeFaults(schemes);
  return v.pipe(
    strict({
      purl: patternSchema(schemes, { versioned: true }),
      versions: v.optional(
        v.pipe(
          v.string("expected a version range"),
          v.maxLength(1_000, "longer than 1000 characters"),
        ),
      ),
      reason: v.optional(reasonSchema),
      ...more,
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const entry = dataset.value as PackageEntry; // `more` only adds members
      const message = faults(entry);
      if (message === null) return;
      addIssue({
        message,
        path: [{
          type: "object",
          origin: "value",
          input: { ...dataset.value },
          key: "versions",
          value: entry.versions,
        }],
      });
    }),
  );
}

/** Ranges repeat a lot in long lists, and compiling one is what costs. */
function rangeFaults(schemes: VersionSchemes): (entry: PackageEntry) => string | null {
  const known = new Map<string, string | null>();
  return ({ purl, versions }) => {
    if (versions === undefined) return null;
    let pattern: PackagePattern;
    try {
      pattern = readPattern(purl, schemes);
    } catch {
      return null; // said at `purl`
    }
    if (pattern.version !== null) return "the purl names a version already";
    const key = `${pattern.ecosystem}\0${versions}`;
    let fault = known.get(key);
    if (fault === undefined) {
      fault = rangeFault(versions, schemes.get(pattern.ecosystem));
      known.set(key, fault);
    }
    return fault;
  };
}

function rangeFault(range: string, scheme: VersionScheme | undefined): string | null {
  if (scheme === undefined) return null;
  if (range.trim() === "*") return null;
  try {
    if (range.trim() === "") throw new SyntaxError("an empty range");
    scheme.range(range);
    return null;
  } catch {
    return `${JSON.stringify(range.slice(0, 100))} is no ${scheme.ecosystem} version range`;
  }
}

/** Reads an entry that a schema has accepted. */
export function compileEntry(
  entry: PackageEntry,
  schemes: VersionSchemes,
): { pattern: PackagePattern } & VersionLine {
  const pattern = readPattern(entry.purl, schemes);
  const scheme = schemes.get(pattern.ecosystem);
  if (scheme === undefined) throw new RangeError(`Cannot compare versions of ${pattern.ecosystem}`);
  const { version } = pattern;
  if (version !== null) {
    const only = scheme.keyOf(version);
    return { pattern, includes: exactTest(version, scheme), only, isRange: false };
  }
  const range = (entry.versions ?? "*").trim();
  const isRange = range !== "*" && !isOneVersion(range, scheme);
  return { pattern, includes: versionTest(range, scheme), only: null, isRange };
}

/** Whether a range is what the short form of an entry stands for. */
function isOneVersion(range: string, scheme: VersionScheme): boolean {
  const version = range.replace(/^=+/, "");
  // Python's `===` compares texts, whatever they are.
  const isText = range.startsWith("===");
  return scheme.exact(version) === range && (isText || isVersion(version, scheme));
}

/** Id of an entry of a list: computed from what it says, so it needs no storing and no migration. */
export function entryId(entry: object): string {
  return createHash("sha256").update(canonical(entry)).digest("hex").slice(0, 12);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${
    members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join()
  }}`;
}
