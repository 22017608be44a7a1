/** OSV records (https://ossf.github.io/osv-schema/), read strictly: what cannot be read is no answer. */
import * as v from "valibot";
import type { Advisory, AdvisoryEvent, AdvisoryRange, Severity } from "../types.ts";
import { cvss3, severityOfScore, severityOfWord, stronger } from "./severity.ts";

/** What a database sent is no advisory. */
export class AdvisoryUnreadable extends Error {
  override readonly name = "AdvisoryUnreadable";
}

/** It is kept beside every package it speaks of. */
const MAX_SUMMARY = 200;

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000));

/** Ids go into addresses, so they are held to what ids look like. */
export const idSchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9:._-]{2,99}$/));

export const instantSchema = v.pipe(
  v.string(),
  v.check((value) => /^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(Date.parse(value))),
);

const KINDS = ["introduced", "fixed", "last_affected", "limit"] as const;

const eventSchema = v.pipe(
  v.looseObject({
    introduced: v.optional(text),
    fixed: v.optional(text),
    last_affected: v.optional(text),
    limit: v.optional(text),
  }),
  v.check((event) => KINDS.filter((kind) => event[kind] !== undefined).length === 1),
);

const rangeSchema = v.looseObject({
  type: v.picklist(["SEMVER", "ECOSYSTEM", "GIT"]),
  events: v.pipe(v.array(eventSchema), v.minLength(1)),
});

const severitySchema = v.array(v.looseObject({ type: text, score: text }));
const specificSchema = v.looseObject({});

const affectedSchema = v.looseObject({
  package: v.optional(v.looseObject({ ecosystem: text, name: text })),
  severity: v.nullish(severitySchema),
  ranges: v.nullish(v.array(rangeSchema)),
  versions: v.nullish(v.array(text)),
  ecosystem_specific: v.nullish(specificSchema),
  database_specific: v.nullish(specificSchema),
});

const recordSchema = v.looseObject({
  id: idSchema,
  modified: instantSchema,
  withdrawn: v.nullish(instantSchema),
  summary: v.nullish(v.string()),
  severity: v.nullish(severitySchema),
  affected: v.nullish(v.array(affectedSchema)),
  database_specific: v.nullish(specificSchema),
});

export type OsvRecord = v.InferOutput<typeof recordSchema>;
type Affected = v.InferOutput<typeof affectedSchema>;

/** Throws AdvisoryUnreadable. */
export function readRecord(value: unknown): OsvRecord {
  const result = v.safeParse(recordSchema, value);
  if (result.success) return result.output;
  const path = (result.issues[0].path ?? []).map((item) => String(item.key)).join(".");
  throw new AdvisoryUnreadable(`Cannot read an advisory: ${path || "it"} is not as OSV has it`);
}

/** One package, as OSV names it. */
export interface OsvPackage {
  readonly ecosystem: string;
  /** Whether a name in a record is this package's. */
  isNamed(name: string): boolean;
}

/** What a record says of a package; null: nothing, or it was withdrawn. */
export function advisoryFor(
  record: OsvRecord,
  { ecosystem, isNamed }: OsvPackage,
): Advisory | null {
  if (typeof record.withdrawn === "string") return null;
  const affected = (record.affected ?? []).filter((one) =>
    one.package !== undefined && one.package.ecosystem.split(":")[0] === ecosystem &&
    isNamed(one.package.name)
  );
  if (affected.length === 0) return null;
  const ranges = affected.flatMap(rangesOf);
  return {
    id: record.id,
    malware: record.id.startsWith("MAL-"),
    reviewed: isReviewed(record),
    severity: severityOf(record, affected),
    ...(record.summary ? { summary: record.summary.slice(0, MAX_SUMMARY) } : {}),
    versions: [...new Set(affected.flatMap(({ versions }) => versions ?? []))],
    ranges,
    fixed: [
      ...new Set(
        ranges.flatMap(({ events }) =>
          events.filter(({ kind }) => kind === "fixed").map(({ version }) => version)
        ),
      ),
    ],
  };
}

/** A package that is named without saying which of its versions is meant as a whole. */
const ALL: AdvisoryRange = { events: [{ kind: "introduced", version: "0" }] };

function rangesOf({ ranges, versions }: Affected): AdvisoryRange[] {
  const told = ranges ?? [];
  if (told.length === 0 && (versions ?? []).length === 0) return [ALL];
  return told.filter(({ type }) => type !== "GIT").map(({ events }) => ({
    events: events.map(readEvent),
  }));
}

function readEvent(event: v.InferOutput<typeof eventSchema>): AdvisoryEvent {
  for (const kind of KINDS) {
    const version = event[kind];
    if (version !== undefined) return { kind, version };
  }
  throw new AdvisoryUnreadable("Cannot read an advisory: an event of a range says nothing");
}

/** RustSec takes nothing in that its people have not looked at. */
function isReviewed({ id, database_specific: own }: OsvRecord): boolean {
  return own?.github_reviewed === true || own?.review_status === "REVIEWED" ||
    id.startsWith("RUSTSEC-");
}

/** The strongest that is said: by a CVSS 3 vector, or in the database's own word. */
function severityOf(record: OsvRecord, affected: readonly Affected[]): Severity | null {
  let found: Severity | null = null;
  for (const { score } of [record, ...affected].flatMap(({ severity }) => severity ?? [])) {
    found = stronger(found, severityOfScore(cvss3(score) ?? 0));
  }
  const words = [
    record.database_specific?.severity,
    ...affected.map(({ database_specific }) => database_specific?.severity),
    ...affected.map(({ ecosystem_specific }) => ecosystem_specific?.severity),
  ];
  for (const word of words) {
    if (typeof word === "string") found = stronger(found, severityOfWord(word));
  }
  return found;
}
