/** Tells once that an exception ends soon, however many instances look. */
import * as v from "valibot";
import { committed } from "./committed.ts";
import { endsSoon, keptFor, type Notice, noticeSchema } from "./exception_notices.ts";
import { keys } from "./keys.ts";
import { guardedList } from "./timeout.ts";

/** Writes of one commit, well below KV's 1,000. */
const AT_ONCE = 200;

interface Ending {
  /** `entryId`. */
  readonly id: string;
  /** Unix ms. */
  readonly until: number;
}

/**
 * Of an org's exceptions that have an end ahead, tells of those that are near
 * it, be they seen for the first time, and notes of the others since when they
 * are there.
 * @returns how many were told of. Throws StoreUnavailable.
 */
export async function announceEnds<E extends Ending>(
  kv: Deno.Kv,
  org: string,
  { ending, now, timeoutMs }: { ending: readonly E[]; now: number; timeoutMs: number },
  { tell }: { tell: (atomic: Deno.AtomicOperation, ending: E) => void },
): Promise<number> {
  if (ending.length === 0) return 0;
  const notices = new Map<string, { notice: Notice; entry: Deno.AtomicCheck }>();
  const selector = { prefix: keys.exceptionNotices(org) };
  for await (const entry of guardedList(kv, selector, { batchSize: 500 }, timeoutMs)) {
    const notice = v.safeParse(noticeSchema, entry.value);
    if (notice.success) notices.set(String(entry.key[2]), { notice: notice.output, entry });
  }
  const commit = (atomic: Deno.AtomicOperation) =>
    committed("announce the end of exceptions", timeoutMs, () => atomic.commit());

  const first: Notice = { since: now, told: false };
  const isNear = ({ since }: Notice, until: number) => endsSoon({ since, until }, now);
  const unseen = ending.filter(({ id, until }) => !notices.has(id) && !isNear(first, until));
  for (let i = 0; i < unseen.length; i += AT_ONCE) {
    const atomic = kv.atomic();
    for (const { id, until } of unseen.slice(i, i + AT_ONCE)) {
      atomic.set(keys.exceptionNotice(org, id), first, { expireIn: keptFor(until - now) });
    }
    await commit(atomic);
  }

  let told = 0;
  for (const one of ending) {
    const none = { key: keys.exceptionNotice(org, one.id), versionstamp: null };
    const { notice, entry } = notices.get(one.id) ?? { notice: first, entry: none };
    if (notice.told || !isNear(notice, one.until)) continue;
    const atomic = kv.atomic().check(entry)
      .set(entry.key, { ...notice, told: true }, { expireIn: keptFor(one.until - now) });
    tell(atomic, one);
    if ((await commit(atomic)).ok) told++;
  }
  return told;
}
