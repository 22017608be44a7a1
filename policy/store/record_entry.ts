import { Buffer } from "node:buffer";
import type { Action, RecordInput, StoredRecord, VersionSchemes } from "../types.ts";
import type { Entry } from "./group_commit.ts";
import { keys, type RecordKind } from "./keys.ts";

/** Longest name, user or other text that becomes part of a key, in bytes. */
const MAX_KEY_PART = 400;
/** Longest record, in bytes; a value of KV ends at 65,536. */
const MAX_RECORD = 60_000;
const MAX_REASON = 2_000;

/** What filters look at; the indexes hold it, so that most are answered without the records. */
export interface Facts {
  readonly ecosystem: string;
  /** Normalised. */
  readonly name: string;
  readonly version: string;
  readonly user: string;
  /** `""`: none. */
  readonly code: string;
}

export function storedRecord(input: RecordInput, id: string, at: number): StoredRecord {
  return {
    id,
    at: new Date(at).toISOString(),
    org: input.org,
    user: input.user,
    ip: input.ip,
    ecosystem: input.ecosystem,
    package: input.package,
    version: input.version,
    filename: input.filename,
    purl: input.purl,
    bytes: input.bytes,
    ...input.sha256 === undefined ? {} : { sha256: input.sha256 },
    verdict: input.verdict,
    ...input.code === undefined ? {} : { code: input.code },
    ...input.reason === undefined ? {} : { reason: input.reason.slice(0, MAX_REASON) },
    policy: input.policy,
  };
}

export function factsOf(record: StoredRecord, schemes: VersionSchemes): Facts {
  const scheme = schemes.get(record.ecosystem);
  return {
    ecosystem: record.ecosystem,
    name: scheme?.normalizeName(record.package) ?? record.package,
    version: record.version,
    user: record.user,
    code: record.code ?? "",
  };
}

/** Whether a text can be part of a record's keys: nothing is recorded of one that cannot. */
export function fitsKey(part: string): boolean {
  return !part.includes("\0") && Buffer.byteLength(part) <= MAX_KEY_PART;
}

/** The writes that make up a record. Throws RangeError where KV could not hold it. */
export function entryOf(kind: RecordKind, record: StoredRecord, schemes: VersionSchemes): Entry {
  const { ecosystem, name, version, user, code } = factsOf(record, schemes);
  for (const part of [record.org, ecosystem, name, user, code]) {
    if (!fitsKey(part)) {
      throw new RangeError(
        `Cannot record ${JSON.stringify(part.slice(0, 80))}...: longer than ${MAX_KEY_PART} bytes`,
      );
    }
  }
  const { org, id } = record;
  const day = record.at.slice(0, 10);
  const sets: { key: Deno.KvKey; value: unknown }[] = [
    { key: keys.record(kind, org, id), value: record },
    { key: keys.recordOfPackage(kind, org, ecosystem, name, id), value: [version, user, code] },
  ];
  if (user !== "") {
    const value = [ecosystem, name, version, code];
    sets.push({ key: keys.recordOfUser(kind, org, user, id), value });
  }
  const counters = [keys.counter(org, day, kind, "ecosystem", ecosystem)];
  if (kind === "refusal" && code !== "") {
    counters.push(keys.counter(org, day, kind, "code", code));
  }
  return { sets, counters, valueBytes: valueBytes(record) };
}

/** Two bytes a UTF-16 unit is the most that V8's serialisation takes; the indexes repeat a part of the record. */
function valueBytes(record: StoredRecord): number {
  let units = 0;
  for (const value of Object.values(record)) units += String(value).length + 16;
  if (units * 2 > MAX_RECORD) {
    throw new RangeError(`Cannot record ${JSON.stringify(record.purl.slice(0, 80))}...: too long`);
  }
  return units * 4;
}

/** What is under `keys.record`; null: no record (any more). */
export function readRecord(value: unknown): StoredRecord | null {
  return isRecord(value) ? value : null;
}

function isRecord(value: unknown): value is StoredRecord {
  if (typeof value !== "object" || value === null) return false;
  const field = (name: string): unknown => Reflect.get(value, name);
  return RECORD_FIELDS.every((name) => HOLDS[FIELDS[name]](field(name)));
}

/** What each field holds, in the order in which people read them. */
const FIELDS = {
  id: "text",
  at: "text",
  org: "text",
  user: "text",
  ip: "text",
  ecosystem: "text",
  package: "text",
  version: "text",
  filename: "text",
  purl: "text",
  bytes: "number",
  sha256: "text or nothing",
  verdict: "action",
  code: "text or nothing",
  reason: "text or nothing",
  policy: "text",
} as const satisfies Record<keyof StoredRecord, string>;

const ACTIONS: readonly unknown[] = ["allow", "warn", "deny"] satisfies Action[];
const HOLDS: Record<(typeof FIELDS)[keyof StoredRecord], (value: unknown) => boolean> = {
  "text": (value) => typeof value === "string",
  "text or nothing": (value) => typeof value === "string" || value === undefined,
  "number": (value) => typeof value === "number",
  "action": (value) => ACTIONS.includes(value),
};

/** The fields of a record, in the order in which people read them. */
export const RECORD_FIELDS = Object.keys(FIELDS).filter(isField);

function isField(name: string): name is keyof StoredRecord {
  return name in FIELDS;
}

/** The facts in an entry of the index by package; null: not readable. */
export function factsOfPackageEntry(entry: Deno.KvEntry<unknown>): (Facts & { id: string }) | null {
  const [ecosystem, name, id] = texts(entry.key.slice(2));
  const [version, user, code] = texts(entry.value);
  if (id === undefined || code === undefined) return null;
  return { id, ecosystem, name, version, user, code };
}

/** The facts in an entry of the index by user; null: not readable. */
export function factsOfUserEntry(entry: Deno.KvEntry<unknown>): (Facts & { id: string }) | null {
  const [user, id] = texts(entry.key.slice(2));
  const [ecosystem, name, version, code] = texts(entry.value);
  if (id === undefined || code === undefined) return null;
  return { id, ecosystem, name, version, user, code };
}

function texts(value: unknown): string[] {
  return Array.isArray(value) && value.every((part) => typeof part === "string") ? value : [];
}
