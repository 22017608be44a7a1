import type { PatternIndex, VersionTest } from "./pattern.ts";
import type { Release, VersionScheme } from "./types.ts";

/** A line of a list, for some versions of one package. */
export interface VersionLine {
  readonly includes: VersionTest;
  /** `VersionScheme.keyOf` the one version it names; null: it has a range. */
  readonly only: string | null;
  /** Whether it is for some versions, and not for a single one or for all. */
  readonly isRange: boolean;
}

/**
 * Finds the lines for a version. An index of thousands of versions meets a list
 * of thousands for its package: lines for one version are looked up.
 */
export class VersionLines<T extends VersionLine> {
  readonly #lines: readonly T[];
  readonly #scheme: VersionScheme;
  /** Positions of lines for one version, by its key. */
  readonly #only = new Map<string, number[]>();
  /** Positions of all other lines. */
  readonly #others: number[] = [];
  /** Positions found, of versions that lines had to be asked about: each is one of several files. */
  readonly #found = new Map<string, number>();

  constructor(lines: readonly T[], scheme: VersionScheme) {
    this.#lines = lines;
    this.#scheme = scheme;
    for (const [position, { only }] of lines.entries()) {
      const known = only === null ? this.#others : this.#only.get(only);
      if (known) known.push(position);
      else if (only !== null) this.#only.set(only, [position]);
    }
  }

  /** Those for one version first. */
  findAll(version: string): readonly T[] {
    return [...this.#named(version), ...this.#others].map((position) => this.#lines[position])
      .filter((line) => line.includes(version));
  }

  /** Throws RangeError for a version that cannot be read, where it may be in a range of the list. */
  find(version: string): T | undefined {
    let position = this.#found.get(version);
    if (position === undefined) {
      position = this.#positionOf(version);
      this.#found.set(version, position);
    }
    return this.#lines[position];
  }

  /** -1: there is none. Throws RangeError. */
  #positionOf(version: string): number {
    const lines = this.#lines;
    const holds = (position: number) => lines[position].includes(version);
    const only = this.#named(version).find(holds) ?? -1;
    for (const position of this.#others) {
      if (only >= 0 && position > only) break;
      if (holds(position)) return position;
    }
    if (only >= 0 || this.#scheme.isCanonical(version) || this.#scheme.reads(version)) return only;
    if (!this.#others.some((position) => lines[position].isRange)) return only;
    throw new RangeError(`Cannot read ${JSON.stringify(version.slice(0, 100))} as a version`);
  }

  /** Positions of the lines for one version that may be this one. */
  #named(version: string): readonly number[] {
    return this.#only.size === 0 ? [] : this.#only.get(this.#scheme.keyOf(version)) ?? [];
  }
}

/**
 * For the releases of one index: the first line for each. The finder throws
 * RangeError, as `PatternIndex.find` and `VersionLines.find`.
 */
export function lineFinder<T extends VersionLine>(
  index: PatternIndex<T>,
): (release: Release) => T | undefined {
  const find = index.finder();
  let found: readonly T[] = [];
  let lines: VersionLines<T> | null = null;
  return (release) => {
    const asked = find(release);
    if (asked.length === 0) return undefined;
    const scheme = index.schemes.get(release.ecosystem);
    if (scheme === undefined) {
      throw new RangeError(`Cannot compare versions of ${release.ecosystem}`);
    }
    if (lines === null || asked !== found) {
      lines = new VersionLines(asked, scheme);
      found = asked;
    }
    return lines.find(release.version);
  };
}
