/** Which withheld releases an exception can be asked for. */
import { RULES } from "../policy/rules/mod.ts";
import type { Explanation } from "./explanation.ts";

export type Askable =
  | {
    readonly can: true;
    /** Rules that an exception has to name. */
    readonly rules: readonly string[];
    readonly codes: readonly string[];
    readonly message: string;
    /** As the registry writes it. */
    readonly version: string;
  }
  | {
    readonly can: false;
    readonly status: 409 | 422;
    readonly code: string;
    readonly why: string;
  };

/** Of an explanation of one version: an exception lifts every rule that withholds it, or nothing. */
export function askable({ purl, versions }: Explanation): Askable {
  const denied = versions.filter(({ verdict }) => verdict === "deny");
  if (denied.length === 0) {
    const why = `${purl} is not withheld, so there is nothing to ask for.`;
    return { can: false, status: 409, code: "not_withheld", why };
  }
  const findings = denied.flatMap(({ findings }) => findings)
    .filter(({ level, waived }) => level === "deny" && waived === null);
  const fixed = findings.find(({ rule }) => !WAIVABLE.has(rule));
  if (fixed !== undefined) {
    const why = `${purl} is ${fixed.message} (${fixed.code}), which no exception can lift.`;
    return { can: false, status: 422, code: "not_waivable", why };
  }
  return {
    can: true,
    rules: [...new Set(findings.map(({ rule }) => rule))],
    codes: [...new Set(findings.map(({ code }) => code))],
    message: denied[0].reason ?? "",
    version: denied[0].version,
  };
}

const WAIVABLE: ReadonlySet<string> = new Set(
  RULES.filter(({ waivable }) => waivable).map(({ id }) => id),
);
