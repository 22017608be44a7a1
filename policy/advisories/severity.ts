import type { Severity } from "../types.ts";

/** Severities from weakest to strongest. */
export const SEVERITIES = ["low", "medium", "high", "critical"] as const;

/** Whether a severity is at or above a threshold. */
export function isAtLeast(severity: Severity, threshold: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(threshold);
}

/** The stronger of two; null: neither is known. */
export function stronger(a: Severity | null, b: Severity | null): Severity | null {
  if (a === null || b === null) return a ?? b;
  return isAtLeast(a, b) ? a : b;
}

/** A database's own word, in any case; null: none of those in use. */
export function severityOfWord(word: string): Severity | null {
  switch (word.toLowerCase()) {
    case "low":
      return "low";
    case "medium":
    case "moderate":
      return "medium";
    case "high":
    case "important":
      return "high";
    case "critical":
      return "critical";
    default:
      return null;
  }
}

/** CVSS's qualitative rating of a base score; null: none (0) or no score. */
export function severityOfScore(score: number): Severity | null {
  if (!(score > 0 && score <= 10)) return null;
  if (score < 4) return "low";
  if (score < 7) return "medium";
  return score < 9 ? "high" : "critical";
}

/** Weights of the base metrics (CVSS 3.1, section 7.4). */
const WEIGHTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  C: { H: 0.56, L: 0.22, N: 0 },
  I: { H: 0.56, L: 0.22, N: 0 },
  A: { H: 0.56, L: 0.22, N: 0 },
};
/** Privileges weigh more where the scope does not change. */
const PRIVILEGES = {
  U: { N: 0.85, L: 0.62, H: 0.27 },
  C: { N: 0.85, L: 0.68, H: 0.5 },
} as const;

/**
 * Base score of a CVSS 3.0 or 3.1 vector (https://www.first.org/cvss/v3-1/specification-document);
 * null: it is none, or incomplete.
 */
export function cvss3(vector: string): number | null {
  const match = /^CVSS:3\.[01]\/(.+)$/.exec(vector);
  if (match === null) return null;
  const metrics = new Map(
    match[1].split("/").map((part) => {
      const [name, value = ""] = part.split(":");
      return [name, value];
    }),
  );
  const weigh = (name: string) => {
    const weights = WEIGHTS[name];
    const value = metrics.get(name) ?? "";
    return Object.hasOwn(weights, value) ? weights[value] : NaN;
  };
  const scope = metrics.get("S");
  const privilege = metrics.get("PR");
  if ((scope !== "U" && scope !== "C") || !isPrivilege(privilege)) return null;
  const loss = 1 - (1 - weigh("C")) * (1 - weigh("I")) * (1 - weigh("A"));
  const impact = scope === "U"
    ? 6.42 * loss
    : 7.52 * (loss - 0.029) - 3.25 * Math.pow(loss - 0.02, 15);
  const ease = 8.22 * weigh("AV") * weigh("AC") * PRIVILEGES[scope][privilege] * weigh("UI");
  if (Number.isNaN(impact + ease)) return null;
  if (impact <= 0) return 0;
  return roundUp(Math.min(scope === "U" ? impact + ease : 1.08 * (impact + ease), 10));
}

function isPrivilege(value: string | undefined): value is "N" | "L" | "H" {
  return value === "N" || value === "L" || value === "H";
}

/** To one decimal place, without the errors of floating point (CVSS 3.1, appendix A). */
function roundUp(score: number): number {
  const whole = Math.round(score * 100_000);
  return whole % 10_000 === 0 ? whole / 100_000 : (Math.floor(whole / 10_000) + 1) / 10;
}
