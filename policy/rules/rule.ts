import * as v from "valibot";
import { strict } from "../shape.ts";
import type {
  Advisory,
  AdvisoryState,
  DependenciesAsked,
  Facts,
  Finding,
  Level,
  Release,
  VersionSchemes,
} from "../types.ts";

/**
 * What a rule is. Rules are pure: no clock, no I/O, no randomness. One that
 * throws withholds (`metadata_invalid`).
 */

export interface RuleSettings {
  readonly level: Level;
}

export interface RuleContext {
  readonly schemes: VersionSchemes;
  readonly onAdvisoryFailure: OnAdvisoryFailure;
  /** Whether one of the policy's private registries has the packages of this name. */
  isPrivate(ecosystem: string, name: string): boolean;
}

/** What becomes of releases whose advisories cannot be had. */
export type OnAdvisoryFailure = "deny" | "allow" | "stale";

/** What is known besides the index, as far as the rules have asked for it. */
export interface RuleFacts {
  readonly advisories: {
    readonly state: AdvisoryState;
    /** Unix ms; null: never. */
    readonly asOf: number | null;
    /** Those that affect the release at a position. */
    affecting(position: number): readonly Advisory[];
  };
  /** By package name. */
  readonly dependencies: Facts["dependencies"];
}

/** Checks the release at a position of the index it was made for. */
export type ReleaseCheck = (release: Release, position: number) => Finding | null;

/** Looks once at all releases of one index (`now` in Unix ms): what relates releases to each other is found here. */
export type IndexCheck = (
  releases: readonly Release[],
  now: number,
  facts: RuleFacts,
) => ReleaseCheck;

export interface Rule<Id extends string = string, S extends RuleSettings = RuleSettings> {
  /** Key in the document's `rules`, and the reason code unless the rule has several. */
  readonly id: Id;
  /** Whether an exception may name it. */
  readonly waivable: boolean;
  /** Whether the package's name alone decides, so that it is asked before any registry is. */
  readonly byName?: true;
  /** Its settings in the document; accepts `{}` and fills in every default. */
  settings(schemes: VersionSchemes): v.GenericSchema<unknown, S>;
  /** Once per policy revision. */
  compile(settings: S, context: RuleContext): IndexCheck;
  /** Whether npm's audit override lifts its findings; absent: never. */
  lifted?(settings: S): boolean;
  /** Whether its findings are lifted from a release that mends what all older ones suffer from; absent: never. */
  liftedByFix?(settings: S): boolean;
  /** What it needs besides the index; absent: nothing. */
  needs?(settings: S, context: RuleContext): RuleNeeds;
}

export interface RuleNeeds {
  readonly advisories?: boolean;
  readonly dependencies?: DependenciesAsked;
}

const level = v.picklist(["deny", "warn", "off"], 'expected "deny", "warn" or "off"');

const levelSchema = v.optional(level, "deny");

/** The schema of a rule's settings: `level`, and what the rule adds. */
export function settingsSchema<const T extends v.ObjectEntries>(more: T) {
  return strict({ level: levelSchema, ...more });
}

/** The same for a rule that does not look until it is turned on. */
export function optionalSettings<const T extends v.ObjectEntries>(more: T) {
  return strict({ level: v.optional(level, "off"), ...more });
}

/** What becomes of releases that the registry says too little of. */
export function unknownSchema<const Default extends "deny" | "allow">(standard: Default) {
  return v.optional(
    v.picklist(["deny", "allow"], 'expected "deny" or "allow"'),
    standard,
  );
}

/** Text from outside, fit for one line of a terminal. */
export function oneLine(text: string, longest = 300): string {
  const line = text.slice(0, longest * 4).replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  const letters = [...line];
  return letters.length <= longest ? line : `${letters.slice(0, longest - 1).join("")}…`;
}
