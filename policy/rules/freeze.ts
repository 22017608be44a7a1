import * as v from "valibot";
import { formatInstant, instantSchema, parseInstant } from "../duration.ts";
import type { Finding, VersionSchemes } from "../types.ts";
import { optionalSettings, type ReleaseCheck, type Rule } from "./rule.ts";

const settings = (schemes: VersionSchemes) =>
  v.pipe(
    optionalSettings({
      at: v.optional(instantSchema),
      ecosystems: v.optional(v.pipe(
        v.array(
          v.pipe(
            v.string("expected the id of an ecosystem"),
            v.check((id) => schemes.has(id), `unknown ecosystem: known are ${[...schemes.keys()]}`),
          ),
          "expected a list",
        ),
        v.minLength(1, "names no ecosystem; leave it out to mean all of them"),
      )),
    }),
    v.forward(
      v.check(({ level, at }) => level === "off" || at !== undefined, "is required"),
      ["at"],
    ),
  );

/** Withholds everything published after an instant: a switch for incidents. */
export const freeze = {
  id: "freeze",
  waivable: true,
  settings,
  compile({ at, ecosystems }) {
    const check = publishedUntil(at === undefined ? -Infinity : parseInstant(at));
    if (ecosystems === undefined) return () => check;
    const frozen = new Set(ecosystems);
    return () => (release, position) =>
      frozen.has(release.ecosystem) ? check(release, position) : null;
  },
} satisfies Rule<"freeze", v.InferOutput<ReturnType<typeof settings>>>;

/** Finds what was published after an instant (Unix ms), or nobody knows when. */
export function publishedUntil(at: number): ReleaseCheck {
  const frozen = `nothing published after ${formatInstant(at)} is let through`;
  const unknown: Finding = {
    code: "freeze",
    message: `the registry does not say when it was published, and ${frozen}`,
    until: null,
  };
  return ({ publishedAt }) => {
    if (publishedAt === null || !Number.isFinite(publishedAt)) return unknown;
    if (publishedAt <= at) return null;
    const message = `published ${formatInstant(publishedAt)}, and ${frozen}`;
    return { code: "freeze", message, until: null };
  };
}
