import { encodeTime } from "ulid";
import type { StoredRecord, VersionSchemes } from "../types.ts";
import { keys, type RecordKind } from "./keys.ts";
import {
  type Facts,
  factsOf,
  factsOfPackageEntry,
  factsOfUserEntry,
  fitsKey,
  readRecord,
} from "./record_entry.ts";
import type { Filter } from "./record_query.ts";
import { guarded, guardedList } from "./timeout.ts";
import type { Clock } from "./types.ts";

/** What reading records needs. */
export interface Reading {
  readonly kv: Deno.Kv;
  readonly schemes: VersionSchemes;
  readonly now: Clock;
  readonly retentionMs: number;
  readonly timeoutMs: number;
}

/** Ids from `from` (inclusive) to `to` (exclusive). */
export interface Span {
  readonly from: string;
  readonly to: string;
}

const MAX_TIME = 2 ** 48 - 1;
/** Greater than every ULID. */
export const LARGEST_ID = "~";
const GET_MANY = 10;
const FETCH = 100;

/** The ids a filter's times and the retention leave; KV's own expiry may lag by a minute. */
export function spanOf(filter: Filter, reading: Reading): Span {
  const oldest = reading.now() - reading.retentionMs + 1;
  return {
    from: firstId(Math.max(oldest, filter.since ?? 0)),
    to: filter.until === null ? LARGEST_ID : firstId(filter.until),
  };
}

/** The smallest ULID of a millisecond. */
export function firstId(time: number): string {
  return encodeTime(Math.min(MAX_TIME, Math.max(0, Math.ceil(time))), 10) + "0".repeat(16);
}

/**
 * Records, newest first. Uses the index that leaves least to look at.
 * @param before only records with smaller ids
 * @param want how many the caller is likely to take
 */
export async function* scan(
  reading: Reading,
  kind: RecordKind,
  filter: Filter,
  options: { before?: string; want?: number } = {},
): AsyncGenerator<StoredRecord, void, undefined> {
  const span = spanOf(filter, reading);
  const { before } = options;
  const within = before !== undefined && before < span.to ? { ...span, to: before } : span;
  if (within.from >= within.to) return;
  if (filter.packages === null && (filter.user === null || filter.user === "")) {
    yield* scanAll(reading, kind, filter, within);
    return;
  }
  const found = filter.packages === null
    ? scanUser(reading, kind, filter, within)
    : mergeNewest(filter.packages.map((one) => scanPackage(reading, kind, filter, within, one)));
  yield* fetchRecords(reading, kind, filter.org, found, Math.min(FETCH, options.want ?? FETCH));
}

async function* scanAll(reading: Reading, kind: RecordKind, filter: Filter, span: Span) {
  for await (const entry of listSpan(reading, keys.records(kind, filter.org), span)) {
    const record = readRecord(entry.value);
    if (record !== null && filter.matches(factsOf(record, reading.schemes))) yield record;
  }
}

async function* scanUser(reading: Reading, kind: RecordKind, filter: Filter, span: Span) {
  const user = filter.user ?? "";
  if (!fitsKey(user)) return;
  const prefix = keys.recordsOfUser(kind, filter.org, user);
  for await (const entry of listSpan(reading, prefix, span)) {
    const facts = factsOfUserEntry(entry);
    if (facts !== null && filter.matches(facts)) yield facts;
  }
}

async function* scanPackage(
  reading: Reading,
  kind: RecordKind,
  filter: Filter,
  span: Span,
  wanted: { ecosystem: string; name: string },
) {
  const prefix = keys.recordsOfPackage(kind, filter.org, wanted.ecosystem, wanted.name);
  for await (const entry of listSpan(reading, prefix, span)) {
    const facts = factsOfPackageEntry(entry);
    if (facts !== null && filter.matches(facts)) yield facts;
  }
}

function listSpan(reading: Reading, prefix: readonly string[], span: Span) {
  const selector = { start: [...prefix, span.from], end: [...prefix, span.to] };
  return guardedList(reading.kv, selector, { reverse: true, batchSize: 200 }, reading.timeoutMs);
}

type Found = Facts & { readonly id: string };

async function* mergeNewest(streams: AsyncGenerator<Found>[]): AsyncGenerator<Found> {
  const heads = await Promise.all(
    streams.map(async (stream) => ({ stream, next: await stream.next() })),
  );
  while (true) {
    let newest: { stream: AsyncGenerator<Found>; next: IteratorResult<Found> } | null = null;
    for (const head of heads) {
      if (head.next.done) continue;
      if (newest === null || newest.next.done || head.next.value.id > newest.next.value.id) {
        newest = head;
      }
    }
    if (newest === null || newest.next.done) return;
    yield newest.next.value;
    newest.next = await newest.stream.next();
  }
}

async function* fetchRecords(
  reading: Reading,
  kind: RecordKind,
  org: string,
  found: AsyncIterable<Found>,
  size: number,
): AsyncGenerator<StoredRecord> {
  let ids: string[] = [];
  for await (const { id } of found) {
    ids.push(id);
    if (ids.length < size) continue;
    yield* present(await getRecords(reading, kind, org, ids));
    ids = [];
  }
  yield* present(await getRecords(reading, kind, org, ids));
}

function present(records: readonly (StoredRecord | null)[]): StoredRecord[] {
  return records.filter((record) => record !== null);
}

/** Records by id, in the order of the ids; null: expired meanwhile. */
export async function getRecords(
  reading: Reading,
  kind: RecordKind,
  org: string,
  ids: readonly string[],
): Promise<(StoredRecord | null)[]> {
  const groups: string[][] = [];
  for (let at = 0; at < ids.length; at += GET_MANY) groups.push(ids.slice(at, at + GET_MANY));
  const entries = await Promise.all(groups.map((group) => {
    const wanted = group.map((id) => keys.record(kind, org, id));
    return guarded("read records", reading.timeoutMs, () => reading.kv.getMany<unknown[]>(wanted));
  }));
  return entries.flat().map((entry) => readRecord(entry.value));
}
