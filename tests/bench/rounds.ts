/** Fairness: contenders take turns, forwards and backwards, and the median of the rounds counts. */

/** Rounds that are made even if there is no time for them. */
const LEAST = 3;

/**
 * Measures each contender once a round, in the order A B C, C B A, ...
 * @param budgetMs no further round begins after this
 */
export async function inTurns<Name extends string, T>(
  contenders: readonly Name[],
  rounds: number,
  measure: (contender: Name, round: number) => Promise<T>,
  budgetMs = Infinity,
): Promise<Map<Name, T[]>> {
  const begin = performance.now();
  const results = new Map(contenders.map((contender): [Name, T[]] => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    if (round >= LEAST && performance.now() - begin > budgetMs) break;
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) results.get(contender)!.push(await measure(contender, round));
  }
  return results;
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
