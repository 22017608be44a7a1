import type { Advisory, AdvisoryEvent, Release, VersionScheme, VersionSchemes } from "../types.ts";
import { border, compareToBorder } from "./borders.ts";

/**
 * Which advisories affect which releases of one index, worked out at the first
 * question: `versions` and `ranges` as OSV evaluates them
 * (https://ossf.github.io/osv-schema/#evaluation).
 */
export function advisoryMatcher(
  releases: readonly Release[],
  list: readonly Advisory[],
  schemes: VersionSchemes,
): (position: number) => readonly Advisory[] {
  if (list.length === 0 || releases.length === 0) return () => NONE;
  let byVersion: ReadonlyMap<string, readonly Advisory[]> | null = null;
  return (position) => {
    byVersion ??= match(releases, list, schemes);
    return byVersion.get(releases[position].version) ?? NONE;
  };
}

const NONE: readonly Advisory[] = Object.freeze([]);

function match(
  releases: readonly Release[],
  list: readonly Advisory[],
  schemes: VersionSchemes,
): Map<string, readonly Advisory[]> {
  const scheme = schemes.get(releases[0].ecosystem);
  if (scheme === undefined) {
    throw new RangeError(`Cannot order versions of ${releases[0].ecosystem}`);
  }
  const line = new VersionLine(releases.map(({ version }) => version), scheme);
  const affecting = line.versions.map((): Advisory[] => []);
  for (const advisory of list) {
    affectedBy(advisory, line).forEach((hit, rank) => {
      if (hit === 1) affecting[rank].push(advisory);
    });
  }
  return new Map(line.versions.map((version, rank) => [version, affecting[rank]]));
}

/** 1 at the rank of each version that is affected. */
function affectedBy({ versions, ranges }: Advisory, line: VersionLine): Uint8Array {
  const hits = new Uint8Array(line.versions.length);
  for (const version of versions) line.markEqual(version, hits);
  // Nobody can say of those whether they lie in a range.
  if (ranges.length > 0) hits.fill(1, 0, line.unreadable);
  for (const { events } of ranges) {
    const inRange = new Uint8Array(hits.length);
    for (const event of inOrder(events, line)) apply(event, line, inRange);
    const end = limit(events, line);
    for (let rank = 0; rank < end; rank++) hits[rank] |= inRange[rank];
  }
  return hits;
}

/**
 * At equal versions a `fixed` ends what came before, so that a range which begins
 * there counts, and a `last_affected` ends what begins there.
 */
const ORDER = { fixed: 0, introduced: 1, last_affected: 2, limit: 3 } as const;

function inOrder(events: readonly AdvisoryEvent[], line: VersionLine): AdvisoryEvent[] {
  const isStart = ({ kind, version }: AdvisoryEvent) =>
    kind === "introduced" && (version === "0" || !line.reads(version));
  return events.toSorted((a, b) => {
    if (isStart(a) || isStart(b)) return Number(isStart(b)) - Number(isStart(a));
    return line.compare(a.version, b.version) || ORDER[a.kind] - ORDER[b.kind];
  });
}

/** A border that cannot be read ends nothing, and begins at the beginning. */
function apply({ kind, version }: AdvisoryEvent, line: VersionLine, inRange: Uint8Array): void {
  if (kind === "introduced") {
    inRange.fill(1, version === "0" || !line.reads(version) ? 0 : line.atLeast(version));
  } else if (kind !== "limit" && line.reads(version)) {
    inRange.fill(0, kind === "fixed" ? line.atLeast(version) : line.above(version));
  }
}

/** Rank of the first version at or behind every limit. */
function limit(events: readonly AdvisoryEvent[], line: VersionLine): number {
  const limits = events.filter(({ kind }) => kind === "limit");
  const readable = limits.filter(({ version }) => version !== "*" && line.reads(version));
  if (readable.length === 0 || readable.length < limits.length) return line.versions.length;
  return Math.max(...readable.map(({ version }) => line.atLeast(version)));
}

/** The versions of an index in their order, each once. */
class VersionLine {
  readonly versions: readonly string[];
  /** How many of them, the first, cannot be ordered. */
  readonly unreadable: number;
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #scheme: VersionScheme;

  constructor(versions: readonly string[], scheme: VersionScheme) {
    this.#scheme = scheme;
    this.versions = [...new Set(versions)].sort((a, b) => scheme.compare(a, b));
    const first = this.versions.findIndex((version) => scheme.reads(version));
    this.unreadable = first < 0 ? this.versions.length : first;
    this.#ranks = new Map(this.versions.map((version, rank) => [version, rank]));
  }

  /** Whether the ecosystem can order it. */
  reads(version: string): boolean {
    return this.#scheme.reads(border(version, this.#scheme));
  }

  /** Of two versions that an advisory names. */
  compare(a: string, b: string): number {
    return this.#scheme.compare(border(a, this.#scheme), border(b, this.#scheme));
  }

  /** Rank of the first that is not below a version. */
  atLeast(version: string): number {
    return this.#first((order) => order >= 0, version);
  }

  /** Rank of the first that is above it. */
  above(version: string): number {
    return this.#first((order) => order > 0, version);
  }

  /** Marks the version itself, however it is spelled and built. */
  markEqual(version: string, hits: Uint8Array): void {
    const rank = this.#ranks.get(version);
    if (rank === undefined) {
      if (this.reads(version)) hits.fill(1, this.atLeast(version), this.above(version));
      return;
    }
    hits[rank] = 1;
    for (let i = rank - 1; this.#means(version, i); i--) hits[i] = 1;
    for (let i = rank + 1; this.#means(version, i); i++) hits[i] = 1;
  }

  /** Whether the release of a rank, spelled in another way, is of this version. */
  #means(version: string, rank: number): boolean {
    const scheme = this.#scheme;
    if (rank < 0 || rank >= this.versions.length) return false;
    if (scheme.isCanonical(version) && scheme.isCanonical(this.versions[rank])) return false;
    return compareToBorder(this.versions[rank], border(version, scheme), scheme) === 0;
  }

  #first(holds: (order: number) => boolean, version: string): number {
    const named = border(version, this.#scheme);
    let low = 0;
    let high = this.versions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(compareToBorder(this.versions[middle], named, this.#scheme))) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
