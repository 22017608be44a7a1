/** What a measurement comes to: one line of the table. */

export interface Row {
  /** Of the list in tests/bench/main.ts. */
  readonly point: number;
  readonly what: string;
  readonly unit: string;
  /** Medians by contender. */
  readonly values: Readonly<Record<string, number>>;
  /** How many rounds the medians are of, where there was no time for all. */
  readonly rounds?: number;
  /** Where the row is drawn: which panel, and how far to the right. */
  readonly curve?: { readonly panel: string; readonly x: number };
  /** What is compared, in words: `proxy / floor`. */
  readonly compared?: string;
  /** The number that the target is about. */
  readonly ratio?: number;
  /** `≥ 0.8`. */
  readonly target?: string;
  readonly met?: boolean;
}

type Given = Omit<Row, "ratio" | "target" | "met">;
type Limit = { readonly atLeast: number } | { readonly atMost: number } | Record<string, never>;

/** Compares two contenders and holds the ratio against a limit; `{}`: no limit is set. */
export function ratioRow(
  row: Given,
  [a, b]: readonly [string, string],
  limit: Limit,
): Row {
  return limitRow({ ...row, compared: `${a} / ${b}` }, row.values[a] / row.values[b], limit);
}

/** Holds any number of a row against a limit. */
export function limitRow(
  row: Given,
  number: number,
  limit: Limit,
): Row {
  const judged = { ...row, ratio: number };
  if ("atLeast" in limit) {
    return { ...judged, target: `≥ ${limit.atLeast}`, met: number >= limit.atLeast };
  }
  if ("atMost" in limit) {
    return { ...judged, target: `≤ ${limit.atMost}`, met: number <= limit.atMost };
  }
  return judged;
}
