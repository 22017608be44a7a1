import * as v from "valibot";
import { parsePattern, PatternIndex, patternSchema } from "../pattern.ts";
import { predecessors } from "../predecessor.ts";
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
      // Sorted when first asked: most packages run nothing.
      let before: ((version: Version) => Version | null) | null = null;
      const find = allowed.finder();
      return (release) => {
        const version = versions.get(release.version);
        if (version === undefined || version.runs === false) return null;
        // A wheel of a version with others beside it that run code: none does itself.
        if (release.installScripts === false || find(release).length > 0) return null;
        if (version.runs === null) return unknown === "deny" ? unknowable(release) : null;
        if (when === "always") return found(release, "");
        before ??= predecessors(versions.values(), comparing(schemes, release));
        const earlier = before(version);
        if (earlier === null || earlier.runs === true) return null;
        if (earlier.runs === null) return unknown === "deny" ? unknowable(release) : null;
        return found(release, `, which ${earlier.version} does not`);
      };
    };
  },
} satisfies Rule<"install_scripts", v.InferOutput<ReturnType<typeof settings>>>;

interface Version {
  readonly version: string;
  /** Whether whoever installs it has to run its code; null: the registry does not say. */
  runs: boolean | null;
  /** Unix ms; null: not known. */
  readonly publishedAt: number | null;
}

/** Registries that hold several files of a version offer a choice: one without code is enough. */
function readVersions(releases: readonly Release[]): ReadonlyMap<string, Version> {
  const versions = new Map<string, Version>();
  for (const { version, installScripts, publishedAt } of releases) {
    const known = versions.get(version);
    if (known === undefined) {
      versions.set(version, { version, runs: installScripts, publishedAt });
    } else if (installScripts === false || known.runs === null) {
      known.runs = known.runs === false ? false : installScripts;
    }
  }
  return versions;
}

function comparing(schemes: VersionSchemes, { ecosystem }: Release): VersionScheme["compare"] {
  const scheme = schemes.get(ecosystem);
  if (scheme === undefined) throw new RangeError("Cannot compare versions of this ecosystem");
  return scheme.compare;
}

function found({ ecosystem }: Release, more: string): Finding {
  const message = `${WORDS[ecosystem] ?? RUNS}${more}`;
  return { code: "install_scripts", message, until: null };
}

function unknowable({ ecosystem }: Release): Finding {
  const message = `nobody can tell from the ${ecosystem} index whether installing it runs code`;
  return { code: "install_scripts", message, until: null };
}
