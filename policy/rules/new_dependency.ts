import * as v from "valibot";
import { durationSchema, formatDuration, formatInstant, parseDuration } from "../duration.ts";
import { predecessors, SETTLED } from "../predecessor.ts";
import type { Finding, Release, VersionSchemes } from "../types.ts";
import { oneLine, type Rule, settingsSchema } from "./rule.ts";

const settings = () =>
  settingsSchema({
    level: v.optional(
      v.picklist(["deny", "warn", "off"], 'expected "deny", "warn" or "off"'),
      "off",
    ),
    age: v.optional(durationSchema, "10d"),
    unknown: v.optional(v.picklist(["deny", "allow"], 'expected "deny" or "allow"'), "allow"),
  });

/**
 * Withholds a release that adds a dependency which itself is younger than
 * `age`: how malicious code came into event-stream and axios. `unknown`: what
 * happens where nobody says in time when the dependency was first published.
 */
export const newDependency = {
  id: "new_dependency",
  waivable: true,
  settings,
  needs({ age }, { schemes }) {
    const recent = parseDuration(age);
    return {
      dependencies: (releases, now) => [
        ...new Set([...added(releases, { recent, now, schemes }).values()].flat()),
      ],
    };
  },
  compile({ age, unknown }, { schemes }) {
    const recent = parseDuration(age);
    return (releases, now, { dependencies }) => {
      const byPosition = added(releases, { recent, now, schemes });
      return (_release, position) => {
        const names = byPosition.get(position) ?? [];
        const found = names.flatMap((name) => {
          const first = dependencies.get(name) ?? null;
          if (first !== null) return first + recent > now ? young(name, first, recent) : [];
          return unknown === "deny" ? unsaid(name) : [];
        });
        return found.toSorted((a, b) => (b.until ?? Infinity) - (a.until ?? Infinity))[0] ?? null;
      };
    };
  },
} satisfies Rule<"new_dependency", v.InferOutput<ReturnType<typeof settings>>>;

function young(name: string, first: number, age: number): Finding {
  return {
    code: "new_dependency",
    message: `adds the dependency ${oneLine(name, 100)}, first published ` +
      `${formatInstant(first)}, less than ${formatDuration(age)} ago`,
    until: first + age,
  };
}

function unsaid(name: string): Finding {
  return {
    code: "new_dependency",
    message: `adds the dependency ${oneLine(name, 100)}, and nobody says when that was first ` +
      "published",
    until: null,
  };
}

/**
 * The dependencies that releases have and their predecessor has not, by
 * position. Only recent releases: who asked for those of all others would ask
 * for most of the registry.
 */
function added(
  releases: readonly Release[],
  { recent, now, schemes }: { recent: number; now: number; schemes: VersionSchemes },
): Map<number, readonly string[]> {
  const found = new Map<number, readonly string[]>();
  const young = [...releases.keys()].filter((at) => {
    const { publishedAt } = releases[at];
    if (publishedAt !== null && publishedAt + recent <= now) return false;
    return (releases[at].dependencies ?? []).length > 0;
  });
  const scheme = schemes.get(releases[0]?.ecosystem);
  if (young.length === 0 || scheme === undefined) return found;
  const predecessor = predecessors(releases, scheme.compare, Math.max(recent, SETTLED));
  for (const at of young) {
    const before = predecessor(releases[at]);
    if (before === null || !before.dependencies) continue;
    const had = new Set(before.dependencies);
    const names = (releases[at].dependencies ?? []).filter((name) => !had.has(name));
    if (names.length > 0) found.set(at, names);
  }
  return found;
}
