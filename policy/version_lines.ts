import type { PatternIndex, VersionTest } from "./pattern.ts";
import type { Release, VersionScheme } from "./types.ts";

/** A line of a list, for some versions of one package. */
export interface VersionLine {
  readonly includes: VersionTest;
  /** The one version it is for, where its text is canonical; else null. */
  readonly only: string | null;
  /** Whether it is for some versions, and not for a single one or for all. */
  readonly isRange: boolean;
}

/**
 * Finds the first line for a version. An index of thousands of versions meets a
 * list of hundreds for its package: lines for one version are looked up.
 */
export class VersionLines<T extends VersionLine> {
  readonly #lines: readonly T[];
  readonly #scheme: VersionScheme;
  /** Positions of the first line for a version. */
  readonly #only = new Map<string, number>();
  /** Positions of all other lines. */
  readonly #others: number[] = [];
  /** Positions found, of versions that lines had to be asked about: each is one of several files. */
  readonly #found = new Map<string, number>();

  constructor(lines: readonly T[], scheme: VersionScheme) {
    this.#lines = lines;
    this.#scheme = scheme;
    for (const [position, { only }] of lines.entries()) {
      if (only === null) this.#others.push(position);
      else if (!this.#only.has(only)) this.#only.set(only, position);
    }
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
    if (!this.#scheme.isCanonical(version)) {
      const position = lines.findIndex((line) => line.includes(version));
      if (position < 0 && !this.#scheme.reads(version) && lines.some(({ isRange }) => isRange)) {
        throw new RangeError(`Cannot read ${JSON.stringify(version.slice(0, 100))} as a version`);
      }
      return position;
    }
    const only = this.#only.get(version) ?? -1;
    for (const position of this.#others) {
      if (only >= 0 && position > only) break;
      if (lines[position].includes(version)) return position;
    }
    return only;
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
