import { formatInstant } from "./duration.ts";
import type { Finding, JudgedFinding, Verdict } from "./types.ts";

/** What the findings against one release come to. */

export const ALLOWED: Verdict = Object.freeze({
  action: "allow",
  code: null,
  message: "",
  until: null,
  findings: Object.freeze([]),
});

/** @param waivedUntil when what waives a finding ends (Unix ms); absent: it does not, or nothing does */
export function verdictOf(
  findings: readonly JudgedFinding[],
  waivedUntil: ReadonlyMap<JudgedFinding, number>,
): Verdict {
  const counting = findings.filter(({ waived }) => waived === null);
  const denying = counting.filter(({ level }) => level === "deny");
  const deciding = denying.length > 0 ? denying : counting;
  if (deciding.length === 0) return { ...ALLOWED, findings };
  const [first] = deciding;
  const { code, level: action } = first;
  const waived = waivedUntil.size === 0
    ? []
    : findings.filter((finding) =>
      waivedUntil.has(finding) && (action === "warn" || finding.level === "deny")
    );
  const last = lastOf(deciding, waived, waivedUntil);
  return { action, code, message: sentence(first, last), until: last.until, findings };
}

/** The finding that ends last, those among them that count again before the others have ended. */
function lastOf(
  deciding: readonly Finding[],
  waived: readonly JudgedFinding[],
  waivedUntil: ReadonlyMap<JudgedFinding, number>,
): Finding {
  const endOf = ({ until }: Finding) => until ?? Infinity;
  const later = (a: Finding, b: Finding) => endOf(b) > endOf(a) ? b : a;
  const again = (finding: JudgedFinding) => waivedUntil.get(finding) ?? Infinity;
  return waived.toSorted((a, b) => again(a) - again(b)).reduce<Finding>(
    (last, finding) => again(finding) <= endOf(last) ? later(last, finding) : last,
    deciding.reduce(later),
  );
}

/** The first finding's sentence; a date in it holds only where nothing lasts longer. */
function sentence(first: JudgedFinding, last: Finding): string {
  const { message, until, level } = first;
  if (level === "warn" || until === null || until === last.until) return message;
  const end = last.until === null ? "" : ` until ${formatInstant(last.until)}`;
  return `${message}; also withheld (${last.code})${end}`;
}
