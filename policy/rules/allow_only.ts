import * as v from "valibot";
import { compileEntry, entrySchema } from "../entry.ts";
import { PatternIndex } from "../pattern.ts";
import type { Finding, VersionSchemes } from "../types.ts";
import { lineFinder, type VersionLine } from "../version_lines.ts";
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
    const index = new PatternIndex<VersionLine>(schemes);
    for (const entry of entries) {
      const { pattern, ...line } = compileEntry(entry, schemes);
      index.add(pattern, line);
    }
    return () => {
      const find = lineFinder(index);
      return (release) => find(release) === undefined ? UNLISTED : null;
    };
  },
} satisfies Rule<"allow_only", v.InferOutput<ReturnType<typeof settings>>>;
