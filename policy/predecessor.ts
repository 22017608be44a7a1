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
  const found = new Map<V, V | null>();
  // Dated versions below, the oldest first, without those that are younger than a higher one.
  const candidates: V[] = [];
  for (const [position, version] of sorted.entries()) {
    const settledAt = version.publishedAt === null ? NaN : version.publishedAt - settled;
    const below = Number.isNaN(settledAt) || candidates.length === 0
      ? sorted[position - 1]
      : candidates[Math.max(publishedUntil(candidates, settledAt) - 1, 0)];
    found.set(version, below ?? null);
    if (version.publishedAt === null) continue;
    while (candidates.length > 0 && dateOf(candidates[candidates.length - 1]) > dateOf(version)) {
      candidates.pop();
    }
    candidates.push(version);
  }
  return (version) => found.get(version) ?? null;
}

/** How many of these, which are in the order of their dates, were public at an instant. */
function publishedUntil(candidates: readonly Dated[], instant: number): number {
  let low = 0;
  let high = candidates.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (dateOf(candidates[middle]) <= instant) low = middle + 1;
    else high = middle;
  }
  return low;
}

function dateOf({ publishedAt }: Dated): number {
  return publishedAt ?? Infinity;
}
