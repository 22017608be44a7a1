import * as v from "valibot";
import { parseInstant } from "./duration.ts";
import { compileEntry } from "./entry.ts";
import { PatternIndex } from "./pattern.ts";
import type { PolicyDocument } from "./schema.ts";
import type { Fault } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";
import type { Release, VersionSchemes } from "./types.ts";
import { type VersionLine, VersionLines } from "./version_lines.ts";

/** The exceptions of a policy, ready to be asked. */
export interface Exceptions {
  /**
   * For one judgement at `now`: the end of the exception that waives a rule for
   * a release (Unix ms; null: it has none), or undefined if nothing waives it.
   */
  finder(now: number): (rule: string, release: Release) => number | null | undefined;
}

interface Line extends VersionLine {
  readonly rules: readonly string[];
  /** It holds before this instant. */
  readonly end: number;
}

const withExceptions = v.looseObject({
  exceptions: v.array(v.looseObject({ rules: v.array(v.string()) })),
});

/**
 * What is wrong with exceptions that are about to be stored. Checked there and
 * not where documents are read, so that none becomes unreadable: reading leaves
 * out what a list of rules repeats.
 * @param input the document as it was sent, which `parsePolicy` has accepted
 */
export function exceptionFaults(input: unknown): Fault[] {
  const parsed = v.safeParse(withExceptions, input);
  return (parsed.success ? parsed.output.exceptions : []).flatMap(({ rules }, i) =>
    new Set(rules).size === rules.length ? [] : [{
      pointer: pointerOf(["exceptions", String(i), "rules"]),
      detail: "names a rule twice",
    }]
  );
}

export function compileExceptions(
  exceptions: PolicyDocument["exceptions"],
  schemes: VersionSchemes,
): Exceptions {
  const index = new PatternIndex<Line>(schemes);
  for (const exception of exceptions) {
    const { pattern, ...line } = compileEntry(exception, schemes);
    const end = exception.until === undefined ? Infinity : parseInstant(exception.until);
    index.add(pattern, { ...line, rules: exception.rules, end });
  }
  return {
    finder(now) {
      const find = index.finder();
      let asked: readonly Line[] = [];
      let living: VersionLines<Line> | null = null;
      /** Of a package, the lines in force for each of its versions: several rules ask for them. */
      let held = new Map<string, readonly Line[]>();
      return (rule, release) => {
        const { version } = release;
        const lines = find(release);
        if (lines.length === 0) return undefined;
        const scheme = schemes.get(release.ecosystem);
        if (scheme === undefined) return undefined;
        if (living === null || lines !== asked) {
          [asked, held] = [lines, new Map()];
          living = new VersionLines(lines.filter(({ end }) => end > now), scheme);
        }
        let holding = held.get(version);
        if (holding === undefined) {
          holding = living.findAll(version);
          held.set(version, holding);
        }
        let end = -Infinity;
        for (const line of holding) {
          if (line.end > end && line.rules.includes(rule)) end = line.end;
        }
        if (end === -Infinity) return undefined;
        return end === Infinity ? null : end;
      };
    },
  };
}
