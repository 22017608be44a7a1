import type * as v from "valibot";
import type { Finding } from "../types.ts";
import { oneLine, optionalSettings, type Rule, unknownSchema } from "./rule.ts";

const settings = () => optionalSettings({ unknown: unknownSchema("allow") });

const WITHOUT_REASON: Finding = {
  code: "deprecated",
  message: "deprecated by its publisher",
  until: null,
};

const UNKNOWN: Finding = {
  code: "deprecated",
  message: "the registry does not say whether it is deprecated",
  until: null,
};

/** Withholds what its publisher advises against (npm), and whole projects that are given up (PyPI). */
export const deprecated = {
  id: "deprecated",
  waivable: true,
  settings,
  compile({ unknown }) {
    return () => ({ deprecated = null }) => {
      if (deprecated === false) return null;
      if (deprecated === null) return unknown === "deny" ? UNKNOWN : null;
      const reason = oneLine(deprecated);
      if (reason === "") return WITHOUT_REASON;
      const message = `deprecated by its publisher: ${reason}`;
      return { code: "deprecated", message, until: null };
    };
  },
} satisfies Rule<"deprecated", v.InferOutput<ReturnType<typeof settings>>>;
