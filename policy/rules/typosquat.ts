import * as v from "valibot";
import popularCargo from "../data/popular_cargo.json" with { type: "json" };
import popularNpm from "../data/popular_npm.json" with { type: "json" };
import popularPypi from "../data/popular_pypi.json" with { type: "json" };
import { durationSchema, formatDuration, formatInstant, parseDuration } from "../duration.ts";
import { Neighbours } from "../edit_distance.ts";
import { firstPublished } from "../first_published.ts";
import type { Finding, Release, VersionSchemes } from "../types.ts";
import { optionalSettings, type Rule, unknownSchema } from "./rule.ts";

const POPULAR: Readonly<Record<string, readonly string[]>> = {
  npm: popularNpm,
  pypi: popularPypi,
  cargo: popularCargo,
};

const settings = () =>
  optionalSettings({
    age: v.optional(durationSchema, "90d"),
    unknown: unknownSchema("deny"),
  });

/**
 * Withholds a young package whose name is one slip away from that of a much
 * used one. Old packages have had time to be found out, and many are innocent.
 */
export const typosquat = {
  id: "typosquat",
  waivable: true,
  settings,
  compile({ age, unknown }, { schemes }) {
    const youth = parseDuration(age);
    const near = lookup(schemes);
    return (releases, now) => {
      const first = firstPublished(releases);
      const until = first === null ? null : first + youth;
      if (youth === 0 || (until === null ? unknown === "allow" : until <= now)) return () => null;
      let asked: Pick<Release, "ecosystem" | "name"> | null = null;
      let finding: Finding | null = null;
      return (release) => {
        if (asked?.name !== release.name || asked.ecosystem !== release.ecosystem) {
          finding = mistaken(near(release), { first, until, age });
          asked = release;
        }
        return finding;
      };
    };
  },
} satisfies Rule<"typosquat", v.InferOutput<ReturnType<typeof settings>>>;

/** Tables are made when an ecosystem is first asked for. */
function lookup(schemes: VersionSchemes): (release: Release) => string | null {
  const tables = new Map<string, Neighbours>();
  return ({ ecosystem, name }) => {
    const scheme = schemes.get(ecosystem);
    const normal = scheme?.normalizeName(name) ?? null;
    if (scheme === undefined || normal === null) {
      throw new RangeError(`Cannot look up ${name} in ${ecosystem}`);
    }
    let table = tables.get(ecosystem);
    if (table === undefined) {
      const names = (POPULAR[ecosystem] ?? []).map((popular) => scheme.normalizeName(popular));
      table = new Neighbours(names.filter((popular) => popular !== null));
      tables.set(ecosystem, table);
    }
    return table.find(normal);
  };
}

function mistaken(
  near: string | null,
  { first, until, age }: { first: number | null; until: number | null; age: string },
): Finding | null {
  if (near === null) return null;
  const since = first === null
    ? "nobody knows how long the package has been public"
    : `the package was first published ${formatInstant(first)}, less than ` +
      `${formatDuration(parseDuration(age))} ago`;
  const message = `easily mistaken for the much used ${near}, and ${since}`;
  return { code: "typosquat", message, until };
}
