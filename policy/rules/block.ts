import * as v from "valibot";
import { compileEntry, entrySchema } from "../entry.ts";
import { PatternIndex, type VersionTest } from "../pattern.ts";
import type { Finding, VersionSchemes } from "../types.ts";
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
    const index = new PatternIndex<{ includes: VersionTest; finding: Finding }>(schemes);
    for (const entry of entries) {
      const { pattern, includes } = compileEntry(entry, schemes);
      index.add(pattern, { includes, finding: blocked(entry.reason) });
    }
    return () => {
      const find = index.finder();
      return (release) => {
        const line = find(release).find(({ includes }) => includes(release.version));
        return line?.finding ?? null;
      };
    };
  },
} satisfies Rule<"block", v.InferOutput<ReturnType<typeof settings>>>;

function blocked(reason = ""): Finding {
  const why = oneLine(reason);
  const message = why === ""
    ? "blocked by an administrator"
    : `blocked by an administrator: ${why}`;
  return { code: "blocked", message, until: null };
}
