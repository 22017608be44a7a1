import * as v from "valibot";
import { border } from "../advisories/borders.ts";
import { isAtLeast, SEVERITIES } from "../advisories/severity.ts";
import type { Advisory, VersionSchemes } from "../types.ts";
import { cannotTell } from "./malware.ts";
import { type Rule, settingsSchema } from "./rule.ts";

const settings = () =>
  settingsSchema({
    level: v.optional(
      v.picklist(["deny", "warn", "off"], 'expected "deny", "warn" or "off"'),
      "off",
    ),
    severity: v.optional(
      v.picklist(SEVERITIES, 'expected "low", "medium", "high" or "critical"'),
      "high",
    ),
    unknown: v.optional(v.picklist(["deny", "allow"], 'expected "deny" or "allow"'), "allow"),
  });

type Settings = v.InferOutput<ReturnType<typeof settings>>;

const NAMED = 3;

/**
 * Withholds releases with known vulnerabilities at or above a severity, and
 * names the versions that mend them. `unknown`: those whose advisory states none.
 */
export const vulnerable = {
  id: "vulnerable",
  waivable: true,
  settings,
  needs: () => ({ advisories: true }),
  compile(settings, { schemes, onAdvisoryFailure }) {
    return (releases, _now, { advisories }) => {
      const unasked = !["current", "off"].includes(advisories.state);
      const unknown = onAdvisoryFailure === "deny" && unasked
        ? cannotTell("vulnerable_unknown", "whether it is vulnerable", advisories)
        : null;
      return (release, position) => {
        const list = advisories.affecting(position).filter((one) => counts(one, settings));
        if (list.length === 0) return unknown;
        const fixed = mending(list, { of: releases[position].version, schemes, ...release });
        return { code: "vulnerable", message: `${sentence(list)}; ${fixed}`, until: null };
      };
    };
  },
} satisfies Rule<"vulnerable", Settings>;

function counts({ malware, severity }: Advisory, { severity: threshold, unknown }: Settings) {
  if (malware) return false;
  return severity === null ? unknown === "deny" : isAtLeast(severity, threshold);
}

/** The worst first. */
function sentence(list: readonly Advisory[]): string {
  const sorted = list.toSorted((a, b) => rank(b) - rank(a) || (a.id < b.id ? -1 : 1));
  const named = sorted.slice(0, NAMED)
    .map(({ id, severity }) => `${id} (${severity ?? "severity unknown"})`);
  const more = list.length - named.length;
  return `vulnerable: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function rank({ severity }: Advisory): number {
  return severity === null ? -1 : SEVERITIES.indexOf(severity);
}

/** Fixed versions above this one, nearest first: what somebody on it would go to. */
function mending(
  list: readonly Advisory[],
  { of, ecosystem, schemes }: { of: string; ecosystem: string; schemes: VersionSchemes },
): string {
  const scheme = schemes.get(ecosystem);
  if (scheme === undefined) throw new RangeError(`Cannot order versions of ${ecosystem}`);
  const compare = (a: string, b: string) => scheme.compare(border(a, scheme), border(b, scheme));
  const nearest = list.flatMap(({ fixed }) =>
    fixed.filter((version) => compare(version, of) > 0).sort(compare).slice(0, 1)
  );
  if (nearest.length === 0) return "no fixed version is known";
  const [last] = nearest.sort((a, b) => compare(b, a));
  return nearest.length === list.length ? `fixed in ${last}` : `partly fixed in ${last}`;
}
