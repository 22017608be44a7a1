import * as v from "valibot";
import { compileEntry, entrySchema } from "../entry.ts";
import { PatternIndex } from "../pattern.ts";
import type { Finding, VersionSchemes } from "../types.ts";
import { lineFinder, type VersionLine } from "../version_lines.ts";
import { oneLine, type Rule, settingsSchema } from "./rule.ts";

const settings = (schemes: VersionSchemes) =>
  settingsSchema({
    entries: v.optional(v.array(entrySchema(schemes, {}), "expected a list"), []),
  });

/** Withholds what an administrator has named. No exception waives it: remove the entry. */
export const block = {
  id: "block",
  waivable: false,
  settings,
  compile({ entries }, { schemes }) {
    const index = new PatternIndex<Line>(schemes);
    for (const entry of entries) {
      const { pattern, ...line } = compileEntry(entry, schemes);
      index.add(pattern, { ...line, finding: blocked(entry.reason) });
    }
    return () => {
      const find = lineFinder(index);
      return (release) => find(release)?.finding ?? null;
    };
  },
} satisfies Rule<"block", v.InferOutput<ReturnType<typeof settings>>>;

interface Line extends VersionLine {
  readonly finding: Finding;
}

function blocked(reason = ""): Finding {
  const why = oneLine(reason);
  const message = why === ""
    ? "blocked by an administrator"
    : `blocked by an administrator: ${why}`;
  return { code: "blocked", message, until: null };
}
