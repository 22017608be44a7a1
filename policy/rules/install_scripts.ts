import * as v from "valibot";
import { parsePattern, PatternIndex, patternSchema } from "../pattern.ts";
import type { Finding, Release, VersionScheme, VersionSchemes } from "../types.ts";
import { optionalSettings, type Rule, unknownSchema } from "./rule.ts";

const settings = (schemes: VersionSchemes) =>
  optionalSettings({
    when: v.optional(v.picklist(["always", "new"], 'expected "always" or "new"'), "always"),
    allow: v.optional(
      v.array(patternSchema(schemes, { versioned: false }), "expected a list"),
      [],
    ),
    unknown: unknownSchema("allow"),
  });

/** A release counts as predecessor only this long before, or two in a row would vouch for each other. */
const SETTLED = 10 * 86_400_000;

const WORDS: Record<string, string> = {
  pypi: "has no wheel for any system, so installing it runs code of the package",
};
const RUNS = "runs code of the package when it is installed";

/**
 * Withholds what runs code when it is installed: npm's install scripts, and
 * PyPI's versions that are source alone.
 */
export const installScripts = {
  id: "install_scripts",
  waivable: true,
  settings,
  compile({ when, allow, unknown }, { schemes }) {
    const allowed = new PatternIndex<true>(schemes);
    for (const text of allow) allowed.add(parsePattern(text, schemes), true);
    return (releases) => {
      const versions = readVersions(releases);
      const before = when === "new" ? predecessors(versions, schemes) : null;
      const find = allowed.finder();
      return (release) => {
        const version = versions.get(release.version);
        if (version === undefined || version.runs === false) return null;
        // A wheel of a version with others beside it that run code: none does itself.
        if (release.installScripts === false || find(release).length > 0) return null;
        if (version.runs === null) return unknown === "deny" ? unknowable(release) : null;
        if (before === null) return found(release, "");
        const earlier = before(version);
        if (earlier === null || earlier.runs === true) return null;
        if (earlier.runs === null) return unknown === "deny" ? unknowable(release) : null;
        return found(release, `, which ${earlier.text} does not`);
      };
    };
  },
} satisfies Rule<"install_scripts", v.InferOutput<ReturnType<typeof settings>>>;

interface Version {
  readonly text: string;
  readonly ecosystem: string;
  /** Whether whoever installs it has to run its code; null: the registry does not say. */
  runs: boolean | null;
  /** Unix ms; null: not known. */
  readonly publishedAt: number | null;
}

/** Registries that hold several files of a version offer a choice: one without code is enough. */
function readVersions(releases: readonly Release[]): ReadonlyMap<string, Version> {
  const versions = new Map<string, Version>();
  for (const { version, ecosystem, installScripts, publishedAt } of releases) {
    const known = versions.get(version);
    if (known === undefined) {
      versions.set(version, { text: version, ecosystem, runs: installScripts, publishedAt });
    } else if (installScripts === false || known.runs === null) {
      known.runs = known.runs === false ? false : installScripts;
    }
  }
  return versions;
}

/** The highest lower version that had been public for a while, else the highest lower one. */
function predecessors(
  versions: ReadonlyMap<string, Version>,
  schemes: VersionSchemes,
): (version: Version) => Version | null {
  const sorted: Version[] = [];
  const positions = new Map<Version, number>();
  return (version) => {
    if (sorted.length === 0) {
      sorted.push(...sort([...versions.values()], schemes.get(version.ecosystem)));
      sorted.forEach((each, position) => positions.set(each, position));
    }
    const { publishedAt } = version;
    const position = positions.get(version) ?? 0;
    if (publishedAt !== null) {
      for (let i = position - 1; i >= 0; i--) {
        const at = sorted[i].publishedAt;
        if (at !== null && at + SETTLED <= publishedAt) return sorted[i];
      }
    }
    return sorted[position - 1] ?? null;
  };
}

function sort(versions: Version[], scheme: VersionScheme | undefined): Version[] {
  if (scheme === undefined) throw new RangeError("Cannot compare versions of this ecosystem");
  return versions.sort((a, b) => scheme.compare(a.text, b.text));
}

function found({ ecosystem }: Release, more: string): Finding {
  const message = `${WORDS[ecosystem] ?? RUNS}${more}`;
  return { code: "install_scripts", message, until: null };
}

function unknowable({ ecosystem }: Release): Finding {
  const message = `nobody can tell from the ${ecosystem} index whether installing it runs code`;
  return { code: "install_scripts", message, until: null };
}
