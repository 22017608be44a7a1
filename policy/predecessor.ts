/** What a release is compared with by rules that mind what is new in it. */

/** How long a version has to have been public before another to vouch for it: most bad ones are found by then. */
export const SETTLED = 10 * 86_400_000;

interface Dated {
  readonly version: string;
  /** Unix ms; null: not known. */
  readonly publishedAt: number | null;
}

/**
 * Finds the highest lower version that had been public for `settled` (ms) before
 * another, so that two bad ones in a row do not vouch for each other; else the
 * oldest of the lower ones. Without dates it is the highest lower one.
 * @param compare as `VersionScheme.compare`
 */
export function predecessors<V extends Dated>(
  versions: Iterable<V>,
  compare: (a: string, b: string) => number,
  settled = SETTLED,
): (version: V) => V | null {
  const sorted = [...versions].sort((a, b) => compare(a.version, b.version));
  const positions = new Map(sorted.map((version, position) => [version, position]));
  const oldest = oldestBelow(sorted);
  return (version) => {
    const position = positions.get(version) ?? 0;
    const first = oldest[position];
    const settledAt = version.publishedAt === null ? NaN : version.publishedAt - settled;
    if (Number.isNaN(settledAt) || first === null) return sorted[position - 1] ?? null;
    for (let i = position - 1; i >= 0 && dateOf(first) <= settledAt; i--) {
      if (dateOf(sorted[i]) <= settledAt) return sorted[i];
    }
    return first;
  };
}

/** For each position, what was published first of all before it; null: none has a date. */
function oldestBelow<V extends Dated>(sorted: readonly V[]): (V | null)[] {
  const oldest: (V | null)[] = [null];
  for (const version of sorted) {
    const first = oldest[oldest.length - 1];
    const older = version.publishedAt !== null &&
      (first === null || version.publishedAt < dateOf(first));
    oldest.push(older ? version : first);
  }
  return oldest;
}

function dateOf({ publishedAt }: Dated): number {
  return publishedAt ?? Infinity;
}
