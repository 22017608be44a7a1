import * as v from "valibot";
import { parsePattern, PatternIndex, patternSchema } from "../pattern.ts";
import type { Finding, VersionSchemes } from "../types.ts";
import { optionalSettings, type Rule } from "./rule.ts";

const settings = (schemes: VersionSchemes) =>
  optionalSettings({
    names: v.optional(
      v.array(patternSchema(schemes, { versioned: false }), "expected a list"),
      [],
    ),
  });

const OURS: Finding = {
  code: "namespace",
  // Nothing of whether the public registry is asked: where the rule only warns, it is.
  message:
    "the name is kept for packages of this organisation, and no private registry is set up " +
    "that has it",
  until: null,
};

/**
 * Keeps names to those they belong to: whoever registers one of ours in public
 * gets nobody to install it (dependency confusion). A private registry's
 * packages are not meant. Decided by the name, before any registry is asked.
 */
export const namespace = {
  id: "namespace",
  waivable: true,
  byName: true,
  settings,
  compile({ names }, { schemes, isPrivate }) {
    const ours = new PatternIndex<true>(schemes);
    for (const text of names) ours.add(parsePattern(text, schemes), true);
    return () => {
      const find = ours.finder();
      return (release) =>
        find(release).length > 0 && !isPrivate(release.ecosystem, release.name) ? OURS : null;
    };
  },
} satisfies Rule<"namespace", v.InferOutput<ReturnType<typeof settings>>>;
