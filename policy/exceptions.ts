import { parseInstant } from "./duration.ts";
import { compileEntry } from "./entry.ts";
import { PatternIndex, type VersionTest } from "./pattern.ts";
import type { PolicyDocument } from "./schema.ts";
import type { Release, VersionSchemes } from "./types.ts";

/** The exceptions of a policy, ready to be asked. */
export interface Exceptions {
  /**
   * For one judgement at `now`: the end of the exception that waives a rule for
   * a release (Unix ms; null: it has none), or undefined if nothing waives it.
   */
  finder(now: number): (rule: string, release: Release) => number | null | undefined;
}

interface Line {
  readonly rules: readonly string[];
  readonly includes: VersionTest;
  /** It holds before this instant. */
  readonly end: number;
}

export function compileExceptions(
  exceptions: PolicyDocument["exceptions"],
  schemes: VersionSchemes,
): Exceptions {
  const index = new PatternIndex<Line>(schemes);
  for (const exception of exceptions) {
    const { pattern, includes } = compileEntry(exception, schemes);
    const end = exception.until === undefined ? Infinity : parseInstant(exception.until);
    index.add(pattern, { rules: exception.rules, includes, end });
  }
  return {
    finder(now) {
      const find = index.finder();
      return (rule, release) => {
        let end = -Infinity;
        for (const line of find(release)) {
          if (line.end <= now || line.end <= end || !line.rules.includes(rule)) continue;
          if (line.includes(release.version)) end = line.end;
        }
        if (end === -Infinity) return undefined;
        return end === Infinity ? null : end;
      };
    },
  };
}
