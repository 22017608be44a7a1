/** Versions and requirements as Rust's `semver` reads them, which is what cargo goes by. */
import { inOrder, listsInOrder, type Numeral, readNumeral } from "../numeral.ts";

export interface CargoVersion {
  /** Major, minor, patch. */
  readonly core: readonly Numeral[];
  /** Identifiers of the pre-release; none: a stable version. */
  readonly channel: readonly Identifier[];
  readonly build: readonly Identifier[];
}

type Identifier = Numeral | string;

type Operator = "=" | ">" | ">=" | "<" | "<=" | "~" | "^";

interface Comparator {
  readonly operator: Operator;
  /** As many numbers as are written, without stars. */
  readonly core: readonly Numeral[];
  readonly channel: readonly Identifier[];
}

const VERSION =
  /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;
const COMPARATOR =
  /^(=|>=|<=|>|<|~|\^)?\s*(\d+|\*)(?:\.(\d+|\*)(?:\.(\d+|\*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?)?)?(?:\+[0-9A-Za-z.-]+)?$/;

/** Cargo keeps numbers in 64 bits, which is up to 20 digits. */
const MAX_NUMBER = 18_446_744_073_709_551_615n;
const MAX_DIGITS = 20;
const MAX_LENGTH = 256;

/** null: cargo cannot read it, or it is longer than any path here may have it. */
export function readVersion(text: string): CargoVersion | null {
  if (text.length > MAX_LENGTH) return null;
  const [, major, minor, patch, channel, build] = VERSION.exec(text) ?? [];
  const core = readCore([major, minor, patch]);
  if (core === null || hasLeadingZero(channel)) return null;
  return { core, channel: identifiers(channel), build: identifiers(build) };
}

/** By precedence, then by build metadata. Negative: `a` comes before `b`. */
export function compareVersions(a: CargoVersion, b: CargoVersion): number {
  return comparePrecedence(a, b) || listsInOrder(a.build, b.build, compareIdentifiers);
}

/**
 * Comparators joined by commas; a bare version is a caret requirement. Two
 * things are otherwise than when cargo resolves: pre-releases are in every
 * range that they lie in, since a policy means them too, and `<1.2` is `<1.2.0`
 * for them as well. Throws SyntaxError.
 */
export function readRequirement(text: string): (version: CargoVersion) => boolean {
  const comparators = text.split(",").map((part) => {
    const comparator = readComparator(part.trim());
    if (comparator !== null) return comparator;
    throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a cargo range`);
  });
  return (version) => comparators.every((comparator) => matches(comparator, version));
}

function readComparator(text: string): Comparator | null {
  const [, operator, major, minor, patch, channel] = COMPARATOR.exec(text) ?? [];
  const written = [major, minor, patch].filter((part) => part !== undefined);
  const numbers = written.filter((part) => part !== "*");
  const isStarred = numbers.length < written.length;
  const core = readCore(numbers);
  if (written.length === 0 || core === null || hasLeadingZero(channel)) return null;
  // A star stands for all that follows, so nothing does.
  if (isStarred && (channel !== undefined || written.indexOf("*") < numbers.length)) return null;
  return {
    operator: isOperator(operator) ? operator : isStarred ? "=" : "^",
    core,
    channel: identifiers(channel),
  };
}

function isOperator(text: string | undefined): text is Operator {
  return text !== undefined;
}

function matches(comparator: Comparator, version: CargoVersion): boolean {
  switch (comparator.operator) {
    case "=":
      return isExact(comparator, version);
    case ">":
      return isGreater(comparator, version);
    case ">=":
      return isExact(comparator, version) || isGreater(comparator, version);
    case "<":
      return isLess(comparator, version);
    case "<=":
      return isExact(comparator, version) || isLess(comparator, version);
    case "~":
      return isCompatible(comparator, version, 2);
    case "^": {
      const first = comparator.core.findIndex((number) => number > 0);
      return isCompatible(comparator, version, first < 0 ? 3 : first + 1);
    }
  }
}

/** All that is written is the same; `1.2` is every 1.2.x. */
function isExact({ core, channel }: Comparator, version: CargoVersion): boolean {
  return core.every((number, i) => number === version.core[i]) &&
    (core.length < 3 || compareChannels(version.channel, channel) === 0);
}

/** Above every version that begins with what is written. */
function isGreater({ core, channel }: Comparator, version: CargoVersion): boolean {
  const order = listsInOrder(version.core.slice(0, core.length), core, inOrder);
  return order > 0 ||
    (order === 0 && core.length === 3 && compareChannels(version.channel, channel) > 0);
}

/** Below what is written, with zeros where nothing is. */
function isLess({ core, channel }: Comparator, version: CargoVersion): boolean {
  const [major = 0, minor = 0, patch = 0] = core;
  return comparePrecedence(version, { core: [major, minor, patch], channel }) < 0;
}

/** Not below, and the same in so many of the numbers that are written. */
function isCompatible(comparator: Comparator, version: CargoVersion, same: number): boolean {
  return comparator.core.slice(0, same).every((number, i) => number === version.core[i]) &&
    (isExact(comparator, version) || isGreater(comparator, version));
}

function comparePrecedence(
  a: Pick<CargoVersion, "core" | "channel">,
  b: Pick<CargoVersion, "core" | "channel">,
): number {
  return listsInOrder(a.core, b.core, inOrder) || compareChannels(a.channel, b.channel);
}

function compareChannels(a: readonly Identifier[], b: readonly Identifier[]): number {
  if (a.length === 0 || b.length === 0) return Number(a.length === 0) - Number(b.length === 0);
  return listsInOrder(a, b, compareIdentifiers);
}

/** Numbers come before words. */
function compareIdentifiers(a: Identifier, b: Identifier): number {
  const isWord = Number(typeof a === "string") - Number(typeof b === "string");
  return isWord || inOrder(a, b);
}

/** null: one is missing, begins with a zero, or is too big. */
function readCore(parts: readonly (string | undefined)[]): Numeral[] | null {
  const core: Numeral[] = [];
  for (const part of parts) {
    if (part === undefined || part.length > MAX_DIGITS || hasLeadingZero(part)) return null;
    const number = readNumeral(part);
    if (number > MAX_NUMBER) return null;
    core.push(number);
  }
  return core;
}

function hasLeadingZero(text = ""): boolean {
  return /(?:^|\.)0\d+(?:\.|$)/.test(text);
}

function identifiers(text = ""): Identifier[] {
  if (text === "") return [];
  return text.split(".").map((part) => /^\d+$/.test(part) ? readNumeral(part) : part);
}
