/** The audit log in Deno KV: read here, written by the journal in the commits it is about. */
import { isValid } from "ulid";
import * as v from "valibot";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { CursorInvalid } from "./errors.ts";
import { keys } from "./keys.ts";
import { firstId, LARGEST_ID } from "./record_scan.ts";
import { guardedList, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Audit, AuditLine } from "./types.ts";

/** Name of the list in its cursors. */
const LIST = "audit";
const BATCH = 200;

const stored = v.object({
  id: v.string(),
  at: v.string(),
  org: v.string(),
  by: v.string(),
  action: v.string(),
  target: v.nullable(v.string()),
  reason: v.nullable(v.string()),
  before: v.unknown(),
  after: v.unknown(),
  changes: v.array(v.object({
    pointer: v.string(),
    before: v.optional(v.unknown()),
    after: v.optional(v.unknown()),
  })),
  truncated: v.boolean(),
});

/** The members of a line, in the order in which people read them. */
export const AUDIT_FIELDS = Object.keys(stored.entries);

/** @param timeoutMs how long one answer of KV is waited for */
export function openAudit(
  kv: Deno.Kv,
  { timeoutMs = STORE_TIMEOUT_MS }: { timeoutMs?: number } = {},
): Audit {
  return {
    async list(org, { limit, cursor, since = 0, until, action, by }) {
      const end = until === undefined ? LARGEST_ID : firstId(until);
      const before = cursor === undefined ? end : decodeId(cursor);
      const start = keys.audit(org, firstId(since));
      const selector = { start, end: keys.audit(org, before < end ? before : end) };
      const items: AuditLine[] = [];
      if (start[2] >= selector.end[2]) return { items, cursor: null };
      const options = { reverse: true, batchSize: Math.min(BATCH, limit + 1) };
      for await (const { value } of guardedList(kv, selector, options, timeoutMs)) {
        const line = readLine(value);
        if (line === null) continue;
        if (action !== undefined && line.action !== action) continue;
        if (by !== undefined && line.by !== by) continue;
        if (items.length >= limit) {
          return { items, cursor: encodeCursor(LIST, [items[items.length - 1].id]) };
        }
        items.push(line);
      }
      return { items, cursor: null };
    },
  };
}

function readLine(value: unknown): AuditLine | null {
  const parsed = v.safeParse(stored, value);
  return parsed.success ? parsed.output : null;
}

function decodeId(cursor: string): string {
  const [id] = decodeCursor(LIST, cursor, 1);
  if (!isValid(id)) throw new CursorInvalid(`Cannot go on from ${JSON.stringify(id)}`);
  return id;
}
