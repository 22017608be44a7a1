import * as v from "valibot";
import { strict } from "../shape.ts";
import type { Finding, Level, Release, VersionSchemes } from "../types.ts";

/**
 * What a rule is. Rules are pure: no clock, no I/O, no randomness. One that
 * throws withholds (`metadata_invalid`).
 */

export interface RuleSettings {
  readonly level: Level;
}

export interface RuleContext {
  readonly schemes: VersionSchemes;
}

/** Checks the release at a position of the index it was made for. */
export type ReleaseCheck = (release: Release, position: number) => Finding | null;

/** Looks once at all releases of one index (`now` in Unix ms): what relates releases to each other is found here. */
export type IndexCheck = (releases: readonly Release[], now: number) => ReleaseCheck;

export interface Rule<Id extends string = string, S extends RuleSettings = RuleSettings> {
  /** Key in the document's `rules`, and the reason code unless the rule has several. */
  readonly id: Id;
  /** Whether an exception may name it. */
  readonly waivable: boolean;
  /** Its settings in the document; accepts `{}` and fills in every default. */
  settings(schemes: VersionSchemes): v.GenericSchema<unknown, S>;
  /** Once per policy revision. */
  compile(settings: S, context: RuleContext): IndexCheck;
  /** Whether npm's audit override lifts its findings; absent: never. */
  lifted?(settings: S): boolean;
}

export const levelSchema = v.optional(
  v.picklist(["deny", "warn", "off"], 'expected "deny", "warn" or "off"'),
  "deny",
);

/** The schema of a rule's settings: `level`, and what the rule adds. */
export function settingsSchema<const T extends v.ObjectEntries>(more: T) {
  return strict({ level: levelSchema, ...more });
}

/** Text from outside, fit for one line of a terminal. */
export function oneLine(text: string, longest = 300): string {
  const line = text.slice(0, longest * 4).replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  const letters = [...line];
  return letters.length <= longest ? line : `${letters.slice(0, longest - 1).join("")}…`;
}
