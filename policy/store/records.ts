import { decodeTime, isValid } from "ulid";
import type { RecordInput, StoredRecord, VersionSchemes } from "../types.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { CursorInvalid, StoreUnavailable } from "./errors.ts";
import { type Entry, GroupCommit } from "./group_commit.ts";
import { idMaker } from "./id_maker.ts";
import { keys, type RecordKind } from "./keys.ts";
import { LateEntries } from "./late_entries.ts";
import { listOrgs } from "./leaps.ts";
import { entryOf, storedRecord } from "./record_entry.ts";
import { listPackageNames } from "./record_names.ts";
import { compileQuery } from "./record_query.ts";
import { listComponents, listPackages, listUsers } from "./record_rows.ts";
import { type Reading, scan } from "./record_scan.ts";
import { readStats, sweepCounters } from "./stats.ts";
import { STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock, LateRecords, Page, RecordQuery, Records } from "./types.ts";

export interface RecordsOptions {
  readonly schemes: VersionSchemes;
  readonly now: Clock;
  /** How long records are kept. */
  readonly retentionMs: number;
  /** How long KV is waited for; 5 s by default. */
  readonly timeoutMs?: number;
  /** Told when records begin to wait in memory, and when all are stored. */
  readonly onLate?: (state: LateRecords) => void;
}

/** The records of what was handed out and refused, kept in Deno KV. */
export function openRecords(kv: Deno.Kv, options: RecordsOptions): Records {
  const reading: Reading = { kv, timeoutMs: STORE_TIMEOUT_MS, ...options };
  const { schemes, now, retentionMs, timeoutMs } = reading;
  const commits = new GroupCommit(kv, {
    expireIn: Math.max(1, Math.ceil(retentionMs)),
    timeoutMs,
  });
  const late = new LateEntries<Entry>((entry) => commits.addAlone(entry), options.onLate);
  const nextId = idMaker();

  /** The id's time, not the clock's, is the record's: so records are in order of their times. */
  function made(kind: RecordKind, input: RecordInput): { record: StoredRecord; entry: Entry } {
    const id = nextId(now());
    const record = storedRecord(input, id, decodeTime(id));
    return { record, entry: entryOf(kind, record, schemes) };
  }

  async function add(kind: RecordKind, input: RecordInput): Promise<StoredRecord> {
    const { record, entry } = made(kind, input);
    await commits.add(entry);
    return record;
  }

  async function addOrKeep(kind: RecordKind, input: RecordInput): Promise<StoredRecord> {
    const { record, entry } = made(kind, input);
    // While others wait KV fails, and nobody is made to wait for that again.
    if (late.state.waiting > 0) late.keep(entry);
    else {
      try {
        await commits.add(entry, { again: true });
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        late.keep(entry);
      }
    }
    return record;
  }

  async function list(
    kind: RecordKind,
    query: RecordQuery,
    page: { limit: number; cursor?: string },
  ): Promise<Page<StoredRecord>> {
    const filter = compileQuery(query, schemes);
    const before = page.cursor === undefined ? undefined : decodeId(kind, page.cursor);
    const items: StoredRecord[] = [];
    const want = page.limit + 1;
    for await (const record of scan(reading, kind, filter, { before, want })) {
      if (items.length >= page.limit) {
        return { items, cursor: encodeCursor(kind, [items[items.length - 1].id]) };
      }
      items.push(record);
    }
    return { items, cursor: null };
  }

  return {
    add,
    addOrKeep,
    late: () => late.state,
    flush: () => late.flush(),
    list,
    all: (kind, query) => scan(reading, kind, compileQuery(query, schemes)),
    packages: async (query, page) =>
      await listPackages(reading, compileQuery(query, schemes), page),
    names: (org) => listPackageNames(reading, org),
    orgs: (kind) => listOrgs(kv, keys.recordsOfOrgs(kind), timeoutMs),
    components: async (query, page) =>
      await listComponents(reading, compileQuery(query, schemes), page),
    users: async (query, page) => await listUsers(reading, compileQuery(query, schemes), page),
    stats: (org, days) => readStats(reading, org, days),
    sweep: () => sweepCounters(reading),
  };
}

function decodeId(kind: RecordKind, cursor: string): string {
  const [id] = decodeCursor(kind, cursor, 1);
  if (!isValid(id)) throw new CursorInvalid(`Cannot go on from ${JSON.stringify(id)}`);
  return id;
}
