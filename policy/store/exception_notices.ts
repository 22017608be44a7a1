/** Since when there is an exception, and whether somebody was told that it ends soon. */
import * as v from "valibot";
import { keys } from "./keys.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;

export const noticeSchema = v.object({
  /** Unix ms. */
  since: v.number(),
  told: v.boolean(),
});

export type Notice = v.InferOutput<typeof noticeSchema>;

/** An exception's end, and how it is told from others. */
export interface Ending {
  /** `entryId`. */
  readonly id: string;
  /** Unix ms. */
  readonly since: number;
  readonly until: number;
}

/**
 * Notes when an exception began.
 * @param told nobody needs to hear of its end
 */
export function firstNotice(
  atomic: Deno.AtomicOperation,
  org: string,
  { id, since, until }: Ending,
  { told = false } = {},
): void {
  const notice: Notice = { since, told };
  atomic.set(keys.exceptionNotice(org, id), notice, { expireIn: keptFor(until - since) });
}

/** A day longer than the exception itself. */
export function keptFor(left: number): number {
  return Math.max(left, 0) + DAY;
}

/**
 * Whether its end is near: a day, or a quarter of its life where that is shorter,
 * but never less than it may take until somebody looks again.
 */
export function endsSoon({ since, until }: Omit<Ending, "id">, now: number): boolean {
  return until - now <= Math.min(DAY, Math.max((until - since) / 4, HOUR));
}
