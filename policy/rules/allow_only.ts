import * as v from "valibot";
import { compileEntry, entrySchema } from "../entry.ts";
import { PatternIndex, type VersionTest } from "../pattern.ts";
import type { Finding, VersionSchemes } from "../types.ts";
import { optionalSettings, type Rule } from "./rule.ts";

const settings = (schemes: VersionSchemes) =>
  optionalSettings({
    entries: v.optional(v.array(entrySchema(schemes, {}), "expected a list"), []),
  });

const UNLISTED: Finding = {
  code: "allow_only",
  message: "not on the list of allowed packages and versions",
  until: null,
};

/** Withholds whatever an administrator has not named; with an empty list, everything. */
export const allowOnly = {
  id: "allow_only",
  waivable: true,
  settings,
  compile({ entries }, { schemes }) {
    const index = new PatternIndex<VersionTest>(schemes);
    for (const entry of entries) {
      const { pattern, includes } = compileEntry(entry, schemes);
      index.add(pattern, includes);
    }
    return () => {
      const find = index.finder();
      return (release) => find(release).some((test) => test(release.version)) ? null : UNLISTED;
    };
  },
} satisfies Rule<"allow_only", v.InferOutput<ReturnType<typeof settings>>>;
