/**
 * A whole number of any size: a number as far as those are exact, then a bigint.
 * `<`, `>` and, as none has two forms, `===` hold between both.
 */
export type Numeral = number | bigint;

/** @param digits at least one, leading zeros allowed */
export function readNumeral(digits: string): Numeral {
  const near = Number(digits);
  return Number.isSafeInteger(near) ? near : BigInt(digits);
}

/** Numbers by size, texts by their characters. Negative: `a` comes first. */
export function inOrder<T extends Numeral | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Item by item, then the shorter one first. */
export function listsInOrder<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compare(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
