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
      return ({ publishedAt }, position) => {
        const names = byPosition.get(position) ?? [];
        // From then on nobody asks what it adds.
        const end = publishedAt === null ? null : publishedAt + recent;
        const found = names.flatMap((name) => {
          const first = dependencies.get(name) ?? null;
          if (first === "unasked") return unasked(name, end);
          if (first === null) return unknown === "deny" ? unsaid(name, end) : [];
          if (first + recent <= now) return [];
          return young(name, first, { age: recent, end });
        });
        return found.toSorted((a, b) => (b.until ?? Infinity) - (a.until ?? Infinity))[0] ?? null;
      };
    };
  },
} satisfies Rule<"new_dependency", v.InferOutput<ReturnType<typeof settings>>>;

function young(
  name: string,
  first: number,
  { age, end }: { age: number; end: number | null },
): Finding {
  return {
    code: "new_dependency",
    message: `adds the dependency ${oneLine(name, 100)}, first published ` +
      `${formatInstant(first)}, less than ${formatDuration(age)} ago`,
    until: Math.min(first + age, end ?? Infinity),
  };
}

function unsaid(name: string, until: number | null): Finding {
  return {
    code: "new_dependency",
    message: `adds the dependency ${oneLine(name, 100)}, and nobody says when that was first ` +
      "published",
    until,
  };
}

function unasked(name: string, until: number | null): Finding {
  return {
    code: "new_dependency",
    message: `adds the dependency ${oneLine(name, 100)}, and more others than are asked about`,
    until,
  };
}

/**
 * The dependencies that releases have and their predecessor has not, by
 * position. Only of recent releases, since each is asked for: one that is
 * registered after that, under a name that was free until then, is not noticed.
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
