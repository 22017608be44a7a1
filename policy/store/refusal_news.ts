/** Refusals and warnings as news for webhooks: each matter once an hour, and never in a request's way. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { recent } from "../recent.ts";
import type { Policy, RecordInput } from "../types.ts";
import { wants } from "../webhooks.ts";
import { committed } from "./committed.ts";
import type { Journal } from "./journal.ts";
import { keys } from "./keys.ts";
import { guarded, STORE_TIMEOUT_MS } from "./timeout.ts";
import type { Clock, RefusalNews } from "./types.ts";

const HOUR_MS = 3600_000;
const REMEMBERED = 10_000;
/** Of one policy in an hour: where anybody may name any org, somebody could make news without end. */
const MAX_AN_HOUR = 1_000;

const MAX_REASON = 1_000;

export interface RefusalNewsOptions {
  readonly now: Clock;
  readonly journal: Journal;
  /** Told of what was not passed on: one structured line. */
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
  /** How long KV is waited for; 5 s by default. */
  readonly timeoutMs?: number;
}

export function openRefusalNews(kv: Deno.Kv, options: RefusalNewsOptions): RefusalNews {
  const { now, journal, log, timeoutMs = STORE_TIMEOUT_MS } = options;
  /** When a matter was last told (Unix ms), as far as this process knows. */
  const told = recent<string, number>(REMEMBERED);
  const spent = recent<string, { since: number; count: number }>(REMEMBERED);
  const underWay = new Set<Promise<void>>();

  function tell(policy: Policy, record: RecordInput, link: string | null): void {
    const kind = record.verdict === "deny" ? "refusal" : "warning";
    if (!policy.webhooks.some((webhook) => wants(webhook, kind))) return;
    const what = hash(`${record.code} ${record.purl}`);
    const matter = `${record.org} ${what}`;
    const last = told.get(matter);
    if (last !== undefined && isLately(last, now())) return;
    told.set(matter, now());
    if (!spend(policy.org)) return;
    const work = store(what, { record, link, kind }).catch((error) => {
      told.delete(matter);
      log({ event: "webhook_lost", org: record.org, purl: record.purl, error: String(error) });
    });
    underWay.add(work);
    work.finally(() => underWay.delete(work));
  }

  /** False: this policy's webhooks have been told enough. */
  function spend(org: string): boolean {
    const before = spent.get(org);
    const { since, count } = before !== undefined && isLately(before.since, now())
      ? before
      : { since: now(), count: 0 };
    spent.set(org, { since, count: count + 1 });
    if (count === MAX_AN_HOUR) log({ event: "webhook_flood", org, limit: MAX_AN_HOUR });
    return count < MAX_AN_HOUR;
  }

  async function store(
    what: string,
    { record, link, kind }: {
      record: RecordInput;
      link: string | null;
      kind: "refusal" | "warning";
    },
  ): Promise<void> {
    const key = keys.toldRefusal(record.org, what);
    const before = await guarded("read what was told", timeoutMs, () => kv.get<unknown>(key));
    const last = v.safeParse(v.number(), before.value);
    if (last.success && isLately(last.output, now())) return;
    const atomic = kv.atomic().check(before).set(key, now(), { expireIn: HOUR_MS });
    const { org, code, purl, user } = record;
    // Some of it may be a stranger's words.
    const reason = record.reason?.slice(0, MAX_REASON);
    journal.news(atomic, {
      org,
      kind,
      event: kind,
      text: `${kind === "refusal" ? "Refused" : "Handed out with a warning:"} ${purl} to ${
        user || "somebody without a name"
      } (${code}): ${reason}`,
      link,
      details: {
        ecosystem: record.ecosystem,
        package: record.package,
        version: record.version,
        filename: record.filename,
        purl,
        user,
        code,
        reason,
        policy: record.policy,
      },
    });
    // Not ok: another instance was told of it just now.
    const { ok } = await committed("store news", timeoutMs, () => atomic.commit());
    if (ok) journal.committed();
  }

  return {
    tell,
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

/** Within the last hour; what lies ahead is a clock that was set back. */
function isLately(at: number, now: number): boolean {
  return at <= now && now - at < HOUR_MS;
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}
