/** What is written down in the same commit as a change: the audit log, and news for the webhooks. */
import { idMaker } from "./id_maker.ts";
import { keys } from "./keys.ts";
import type { AuditEntry, Clock, News } from "./types.ts";

/** A webhook that has been out of reach for longer than this has missed something. */
const NEWS_KEPT_MS = 7 * 24 * 3600_000;
/** Below KV's bound on a value (64 KiB), with room for what V8 adds. */
const MAX_VALUE = 60_000;

export type AuditInput =
  & Pick<AuditEntry, "org" | "by" | "action">
  & Partial<Pick<AuditEntry, "target" | "reason" | "before" | "after" | "changes">>;
export type NewsInput =
  & Pick<News, "org" | "kind" | "event" | "text">
  & Partial<Pick<News, "link" | "details">>;

/** Adds lines to atomic operations of others; stores nothing by itself. */
export interface Journal {
  /** Who changed what; returns the entry that the commit will store. */
  audit(atomic: Deno.AtomicOperation, entry: AuditInput): AuditEntry;
  /** Something for webhooks; they are told after the commit, however often the process restarts. */
  news(atomic: Deno.AtomicOperation, news: NewsInput): News;
  /** Called when news may have been committed, so that nobody waits for the next cron. */
  committed(): void;
}

/**
 * @param onNews told of each commit that may hold news; must not throw
 */
export function openJournal(
  { now, onNews = () => {} }: { now: Clock; onNews?: () => void },
): Journal {
  const ulid = idMaker();
  return {
    audit(atomic, input) {
      const at = now();
      const { changes = [], ...rest } = input;
      const frame = {
        id: ulid(at),
        at: new Date(at).toISOString(),
        target: null,
        reason: null,
        before: null,
        after: null,
        ...rest,
      };
      const kept = fitting(changes, MAX_VALUE - storedBytes(frame));
      const truncated = kept.length < changes.length;
      const entry: AuditEntry = { ...frame, changes: kept, truncated };
      atomic.set(keys.audit(entry.org, entry.id), entry);
      return entry;
    },

    news(atomic, input) {
      const at = now();
      const news: News = {
        id: ulid(at),
        at: new Date(at).toISOString(),
        link: null,
        details: {},
        ...input,
      };
      atomic.set(keys.news(news.org, news.id), news, { expireIn: NEWS_KEPT_MS });
      return news;
    },

    committed: onNews,
  };
}

/** As many of the changes as there is room for. */
function fitting(changes: AuditEntry["changes"], most: number): AuditEntry["changes"] {
  let size = 0;
  const end = changes.findIndex((change) => (size += storedBytes(change)) > most);
  return end < 0 ? changes : changes.slice(0, end);
}

/** What a value of JSON takes in KV at most: V8 keeps a text in bytes as long as all of it is Latin-1. */
export function storedBytes(value: unknown): number {
  const text = JSON.stringify(value) ?? "";
  return text.length * (/[\u0100-\uffff]|\\ud/.test(text) ? 2 : 1);
}
