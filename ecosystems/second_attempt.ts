/** Whether and when a request that failed is sent once more: only where that is safe, and may help. */

/** Longer than this a client need not be kept waiting: it is told when to come back. */
const MAX_RETRY_AFTER_S = 3;
const STATUSES = new Set([429, 502, 503, 504]);

export interface Attempt {
  readonly method: string;
  /** Whether a byte of the answer came. */
  readonly began: boolean;
  /** null: it was not answered. */
  readonly answer: { readonly status: number; readonly headers: Headers } | null;
  /** Milliseconds that are left for all of it. */
  readonly leftMs: number;
}

/**
 * Milliseconds until the second attempt; null: there is none.
 * @param jitter 0 to 1
 */
export function secondAttemptIn(
  { method, began, answer, leftMs }: Attempt,
  { retryMs, jitter }: { retryMs: number; jitter: number },
): number | null {
  if (method !== "GET" || (answer === null ? began : !STATUSES.has(answer.status))) return null;
  const pause = retryMs * (0.5 + jitter);
  const stated = answer?.headers.get("retry-after") ?? null;
  if (stated !== null && !/^\d{1,4}$/.test(stated)) return null; // a date is far off, or past
  const wanted = Number(stated ?? 0);
  if (wanted > MAX_RETRY_AFTER_S) return null;
  const delay = wanted * 1000 + pause;
  return delay < leftMs / 2 ? delay : null;
}
