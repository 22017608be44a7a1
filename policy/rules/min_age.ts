import * as v from "valibot";
import { durationSchema, formatDuration, formatInstant, parseDuration } from "../duration.ts";
import { parsePattern, PatternIndex, patternSchema } from "../pattern.ts";
import { dictionary } from "../shape.ts";
import type { Finding, Release, VersionSchemes } from "../types.ts";
import { type Rule, settingsSchema } from "./rule.ts";

const settings = (schemes: VersionSchemes) =>
  settingsSchema({
    age: v.optional(durationSchema, "10d"),
    ecosystems: v.optional(
      dictionary(
        v.pipe(
          v.string(),
          v.check((id) => schemes.has(id), (issue) => unknownEcosystem(issue.input, schemes)),
        ),
        durationSchema,
      ),
      {},
    ),
    packages: v.optional(
      dictionary(patternSchema(schemes, { versioned: false }), durationSchema),
      {},
    ),
    unknown: v.optional(
      v.picklist(["deny", "allow"], 'expected "deny" or "allow"'),
      "deny",
    ),
    audit_override: v.optional(v.boolean("expected true or false"), true),
    security_fixes: v.optional(v.boolean("expected true or false"), true),
  });

const UNKNOWN: Finding = {
  code: "min_age_unknown",
  message: "the registry does not say when it was published, so its age cannot be checked",
  until: null,
};

/**
 * Withholds releases until they have been public for a while: most malicious
 * ones are found within days. A release is old enough exactly `age` after its
 * publication.
 */
export const minAge = {
  id: "min_age",
  waivable: true,
  settings,
  compile(settings, { schemes }) {
    const ageOf = ages(settings, schemes);
    return (_releases, now) => {
      const age = ageOf();
      return (release) => {
        const needed = age(release);
        if (needed === 0) return null;
        const { publishedAt } = release;
        if (publishedAt === null || !Number.isFinite(publishedAt)) {
          return settings.unknown === "deny" ? UNKNOWN : null;
        }
        return publishedAt + needed <= now ? null : young(publishedAt, needed);
      };
    };
  },
  lifted: (settings) => settings.audit_override,
  liftedByFix: (settings) => settings.security_fixes,
  needs: (settings) => ({ advisories: settings.security_fixes }),
} satisfies Rule<"min_age", v.InferOutput<ReturnType<typeof settings>>>;

function young(publishedAt: number, age: number): Finding {
  const until = publishedAt + age;
  return {
    code: "min_age",
    message: `published ${formatInstant(publishedAt)}, less than ${formatDuration(age)} ago; ` +
      `available from ${formatInstant(until)}`,
    until,
  };
}

/** The age in milliseconds that a release needs: the most specific word counts. */
function ages(
  { age, ecosystems, packages }: {
    age: string;
    ecosystems: Record<string, string>;
    packages: Record<string, string>;
  },
  schemes: VersionSchemes,
): () => (release: Release) => number {
  const general = parseDuration(age);
  const ofEcosystem = new Map(
    Object.entries(ecosystems).map(([id, text]) => [id, parseDuration(text)]),
  );
  const ofPackage = new PatternIndex<number>(schemes);
  for (const [text, age] of Object.entries(packages)) {
    ofPackage.add(parsePattern(text, schemes), parseDuration(age));
  }
  return () => {
    const find = ofPackage.finder();
    return (release) => find(release)[0] ?? ofEcosystem.get(release.ecosystem) ?? general;
  };
}

function unknownEcosystem(id: string, schemes: VersionSchemes): string {
  const known = [...schemes.keys()].join(", ");
  return `unknown ecosystem ${JSON.stringify(id.slice(0, 40))}: known are ${known}`;
}
