/** Fairness: contenders take turns, forwards and backwards, and the median of the rounds counts. */
import { stolenMs } from "./machine.ts";

/** Rounds that are made even if there is no time for them. */
const LEAST = 3;
/** A round is disturbed from this share of its time on, of one core, that the host gave to others. */
const DISTURBED = 0.1;

/** Milliseconds in which a point may make disturbed rounds again. */
export class Patience {
  #leftMs: number;
  /** Rounds that were made beyond their number. */
  again = 0;

  constructor(ms: number) {
    this.#leftMs = ms;
  }

  get isOver(): boolean {
    return this.#leftMs <= 0;
  }

  spend(ms: number): void {
    this.#leftMs -= ms;
    this.again++;
  }
}

export interface Turns {
  readonly rounds: number;
  /** No further round begins after this. */
  readonly budgetMs?: number;
  /** For rounds that the host disturbed: those it disturbed least are the ones that count. None: whatever comes. */
  readonly patience?: Patience;
}

/** Measures each contender once a round, in the order A B C, C B A, ... */
export async function inTurns<Name extends string, T>(
  contenders: readonly Name[],
  { rounds, budgetMs = Infinity, patience }: Turns,
  measure: (contender: Name, round: number) => Promise<T>,
): Promise<Map<Name, T[]>> {
  const begin = performance.now();
  const made: { readonly stolen: number; readonly results: ReadonlyMap<Name, T> }[] = [];
  let calm = 0;
  while (calm < rounds) {
    const isLate = performance.now() - begin > budgetMs;
    const isAgain = made.length >= rounds;
    if (isAgain && (isLate || patience === undefined || patience.isOver)) break;
    if (made.length >= LEAST && isLate) break;
    const order = made.length % 2 === 0 ? contenders : contenders.toReversed();
    const results = new Map<Name, T>();
    const [since, before] = [performance.now(), stolenMs()];
    for (const contender of order) results.set(contender, await measure(contender, made.length));
    const ms = performance.now() - since;
    const stolen = ms > 0 ? (stolenMs() - before) / ms : 0;
    if (stolen < DISTURBED) calm++;
    if (isAgain) patience?.spend(ms);
    made.push({ stolen, results });
  }
  const counted = made.toSorted((a, b) => a.stolen - b.stolen).slice(0, rounds);
  return new Map(
    contenders.map((name) => [name, counted.map(({ results }) => results.get(name)!)]),
  );
}

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median by contender of what `value` picks. */
export function medians<Name extends string, T>(
  results: ReadonlyMap<Name, readonly T[]>,
  value: (result: T) => number,
): Record<Name, number> {
  return Object.fromEntries(
    results.entries().map(([contender, list]) => [contender, median(list.map(value))]),
  ) as Record<Name, number>;
}
