import { committed } from "./committed.ts";
import { keys, type RecordKind } from "./keys.ts";
import { listOrgs } from "./leaps.ts";
import type { Reading } from "./record_scan.ts";
import { guardedList } from "./timeout.ts";
import type { Stats } from "./types.ts";

const DAY_MS = 86_400_000;
const DELETES = 500;

/** Adds up the counters of whole days (UTC): those that `since` and `until` touch. */
export async function readStats(
  reading: Reading,
  org: string,
  days: { since?: number; until?: number },
): Promise<Stats> {
  const from = Math.max(days.since ?? 0, reading.now() - reading.retentionMs, 0);
  const start = keys.counters(org, dayOf(from));
  const selector = days.until === undefined
    ? { prefix: keys.counters(org), start }
    : { start, end: keys.counters(org, dayOf(days.until - 1 + DAY_MS)) };
  const totals = { installs: 0, refusals: 0 };
  const ecosystems = new Map<string, { installs: number; refusals: number }>();
  const byDay = new Map<string, { installs: number; refusals: number }>();
  const codes = new Map<string, number>();
  if (days.until !== undefined && days.until <= from) return statsOf();
  for await (const entry of list(reading, selector)) {
    const counter = readCounter(entry);
    if (counter === null) continue;
    const { day, kind, what, value, count } = counter;
    if (what === "code") codes.set(value, (codes.get(value) ?? 0) + count);
    if (what !== "ecosystem") continue;
    const field = kind === "install" ? "installs" : "refusals";
    for (const [map, key] of [[ecosystems, value], [byDay, day]] as const) {
      const sums = map.get(key) ?? { installs: 0, refusals: 0 };
      sums[field] += count;
      map.set(key, sums);
    }
    totals[field] += count;
  }
  return statsOf();

  function statsOf(): Stats {
    return {
      ...totals,
      by_ecosystem: Object.fromEntries(ecosystems),
      by_day: Object.fromEntries(byDay),
      by_code: Object.fromEntries(codes),
    };
  }
}

/**
 * Deletes the counters of days that lie wholly before the retention; their number. Those that stay,
 * hundreds of times as many, are not read.
 */
export async function sweepCounters(reading: Reading): Promise<number> {
  let old: Deno.KvKey[] = [];
  let swept = 0;
  for await (const { key } of countersPast(reading)) {
    old.push(key);
    if (old.length === DELETES) {
      swept += await remove(reading, old);
      old = [];
    }
  }
  return swept + await remove(reading, old);
}

async function* countersPast(reading: Reading) {
  const oldest = dayOf(Math.max(0, reading.now() - reading.retentionMs));
  for (const org of await listOrgs(reading.kv, keys.allCounters(), reading.timeoutMs)) {
    yield* list(reading, { prefix: keys.counters(org), end: keys.counters(org, oldest) });
  }
}

async function remove(reading: Reading, old: readonly Deno.KvKey[]): Promise<number> {
  if (old.length === 0) return 0;
  const atomic = reading.kv.atomic();
  for (const key of old) atomic.delete(key);
  await committed("remove old counters", reading.timeoutMs, () => atomic.commit());
  return old.length;
}

function list(reading: Reading, selector: Deno.KvListSelector) {
  return guardedList(reading.kv, selector, { batchSize: 500 }, reading.timeoutMs);
}

interface Counter {
  readonly day: string;
  readonly kind: RecordKind;
  readonly what: string;
  readonly value: string;
  readonly count: number;
}

function readCounter(entry: Deno.KvEntry<unknown>): Counter | null {
  const [, , day, kind, what, value] = entry.key;
  if (typeof day !== "string" || typeof what !== "string" || typeof value !== "string") return null;
  if (kind !== "install" && kind !== "refusal") return null;
  if (!(entry.value instanceof Deno.KvU64)) return null;
  return { day, kind, what, value, count: Number(entry.value.value) };
}

/** `2026-11-23`, in UTC. */
function dayOf(time: number): string {
  return new Date(Math.min(time, MAX_DATE)).toISOString().slice(0, 10);
}

/** The end of the year 9999: later ones are spelt with a sign. */
const MAX_DATE = 253_402_300_799_999;
