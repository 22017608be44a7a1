import * as v from "valibot";
import type { Finding } from "../types.ts";
import { oneLine, type Rule, settingsSchema } from "./rule.ts";

const settings = () => settingsSchema({});

const WITHOUT_REASON: Finding = {
  code: "yanked",
  message: "yanked: its publisher withdrew it",
  until: null,
};

/** Withholds what its publisher has withdrawn (npm: deprecation is no yank). */
export const yanked = {
  id: "yanked",
  waivable: true,
  settings,
  compile() {
    return () => (release) => {
      if (release.yanked === false) return null;
      const reason = oneLine(release.yanked);
      if (reason === "") return WITHOUT_REASON;
      return {
        code: "yanked",
        message: `yanked: its publisher withdrew it: ${reason}`,
        until: null,
      };
    };
  },
} satisfies Rule<"yanked", v.InferOutput<ReturnType<typeof settings>>>;
