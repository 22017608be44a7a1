import * as v from "valibot";
import { durationSchema, formatDuration, formatInstant, parseDuration } from "../duration.ts";
import { firstPublished } from "../first_published.ts";
import type { Finding } from "../types.ts";
import { optionalSettings, type Rule, unknownSchema } from "./rule.ts";

const settings = () =>
  optionalSettings({
    age: v.optional(durationSchema, "30d"),
    unknown: unknownSchema("deny"),
  });

const UNKNOWN: Finding = {
  code: "new_package",
  message: "the registry does not say when any version of the package was published, " +
    "so the package's age cannot be checked",
  until: null,
};

/** Withholds a package as a whole until its first release has been public for a while. */
export const newPackage = {
  id: "new_package",
  waivable: true,
  settings,
  compile({ age, unknown }) {
    const needed = parseDuration(age);
    return (releases, now) => {
      const finding = find(firstPublished(releases), now);
      return () => finding;
    };

    function find(first: number | null, now: number): Finding | null {
      if (needed === 0) return null;
      if (first === null) return unknown === "deny" ? UNKNOWN : null;
      const until = first + needed;
      return until <= now ? null : {
        code: "new_package",
        message: `the package was first published ${formatInstant(first)}, less than ` +
          `${formatDuration(needed)} ago; available from ${formatInstant(until)}`,
        until,
      };
    }
  },
} satisfies Rule<"new_package", v.InferOutput<ReturnType<typeof settings>>>;
