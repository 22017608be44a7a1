/** Python's versions and version specifiers (https://packaging.python.org/specifications/version-specifiers/). */
import { inOrder, listsInOrder, type Numeral, readNumeral } from "../numeral.ts";

/** Its parts as numbers that sort as the versions do. */
export interface PythonVersion {
  readonly epoch: Numeral;
  /** As written; zeros at its end mean nothing. */
  readonly release: readonly Numeral[];
  /** A release that is only `.dev`, then `a`, `b`, `rc`, then what is none of these. */
  readonly stage: number;
  /** Number of the `a`, `b` or `rc`. */
  readonly pre: Numeral;
  /** -1: none. */
  readonly post: Numeral;
  /** Infinity: none. */
  readonly dev: Numeral;
  readonly local: readonly (Numeral | string)[];
}

const DEV_ONLY = -1;
const STAGES: readonly string[] = ["a", "b", "rc"];
const FINAL = STAGES.length;
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ["alpha", "a"],
  ["beta", "b"],
  ["c", "rc"],
  ["pre", "rc"],
  ["preview", "rc"],
]);

const VERSION =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(?:post|rev|r)[-_.]?(\d*))?(?:[-_.]?dev[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;

/** Of what an index says, so that no number in it takes long to read. */
const MAX_LENGTH = 512;

const SPECIFIER = /^(===|~=|==|!=|<=|>=|<|>)\s*(\S+?)(\.\*)?$/;

/** Whether it is a version at all, which costs less than reading it. */
export function isVersion(text: string): boolean {
  return text.length <= MAX_LENGTH && VERSION.test(text);
}

/** null: it is none. */
export function readVersion(text: string): PythonVersion | null {
  const match = text.length <= MAX_LENGTH ? VERSION.exec(text) : null;
  if (match === null) return null;
  const [, epoch = "0", release, letters, pre, implied, named, dev, local = ""] = match;
  const post = implied ?? named;
  const spelled = letters?.toLowerCase() ?? "";
  return {
    epoch: readNumeral(epoch),
    release: release.split(".").map(readNumeral),
    stage: letters !== undefined
      ? STAGES.indexOf(SPELLINGS.get(spelled) ?? spelled)
      : post === undefined && dev !== undefined
      ? DEV_ONLY
      : FINAL,
    pre: readNumeral(pre ?? ""),
    post: post === undefined ? -1 : readNumeral(post),
    dev: dev === undefined ? Infinity : readNumeral(dev),
    local: local === "" ? [] : local.toLowerCase().split(/[-_.]/).map(readSegment),
  };
}

/** Negative: `a` comes before `b`; 0: they are one version. */
export function compareVersions(a: PythonVersion, b: PythonVersion): number {
  return inOrder(a.epoch, b.epoch) || compareReleases(a, b) || inOrder(a.stage, b.stage) ||
    inOrder(a.pre, b.pre) || inOrder(a.post, b.post) || inOrder(a.dev, b.dev) ||
    listsInOrder(a.local, b.local, compareSegments);
}

/** Equal texts for equal versions, without zeros that mean nothing; what is no version stays as it is. */
export function normalForm(text: string): string {
  const version = readVersion(text);
  if (version === null) return text;
  const { epoch, release, stage, pre, post, dev, local } = version;
  const numbers = release.slice(0, release.findLastIndex((number) => number > 0) + 1);
  const parts = [
    epoch > 0 ? `${epoch}!` : "",
    numbers.join(".") || "0",
    stage === FINAL || stage === DEV_ONLY ? "" : `${STAGES[stage]}${pre}`,
    post < 0 ? "" : `.post${post}`,
    dev === Infinity ? "" : `.dev${dev}`,
    local.length === 0 ? "" : `+${local.join(".")}`,
  ];
  return parts.join("");
}

export function isPrerelease({ stage, dev }: PythonVersion): boolean {
  return stage !== FINAL || dev !== Infinity;
}

/** @param version null: the text is no version */
type Test = (text: string, version: PythonVersion | null) => boolean;

/**
 * Specifiers joined by commas. Pre-releases are in every range that they lie in,
 * as for pip's `--pre`. Throws SyntaxError.
 */
export function readSpecifiers(text: string): (version: string) => boolean {
  const tests = text.split(",").map((part) => {
    const test = readSpecifier(part.trim());
    if (test !== null) return test;
    throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as PEP 440 specifiers`);
  });
  return (version) => {
    const parsed = readVersion(version);
    return tests.every((test) => test(version, parsed));
  };
}

/** null: it is none. */
function readSpecifier(text: string): Test | null {
  const [, operator, written, star] = SPECIFIER.exec(text) ?? [];
  if (operator === undefined) return null;
  if (operator === "===") {
    const literal = text.slice(operator.length).trim().toLowerCase();
    return (version) => version.toLowerCase() === literal;
  }
  const bound = readVersion(written);
  if (bound === null) return null;
  if (operator === "==" || operator === "!=") {
    if (star !== undefined && (bound.local.length > 0 || bound.dev !== Infinity)) return null;
    const equals = star === undefined ? isEqual(bound) : beginsWith(bound);
    const wanted = operator === "==";
    return (_, version) => version !== null && equals(version) === wanted;
  }
  const holds = star === undefined && bound.local.length === 0 ? ordered(operator, bound) : null;
  return holds && ((_, version) => version !== null && holds(version));
}

type Comparison = (version: PythonVersion) => boolean;

/** null: there is no such specifier. */
function ordered(operator: string, bound: PythonVersion): Comparison | null {
  switch (operator) {
    case ">=":
      return (version) => comparePublic(version, bound) >= 0;
    case "<=":
      return (version) => comparePublic(version, bound) <= 0;
    case "<":
      return (version) =>
        comparePublic(version, bound) < 0 &&
        (isPrerelease(bound) || !isPrerelease(version) ||
          comparePublic(version, firstDev(bound)) < 0);
    case ">":
      return (version) =>
        comparePublic(version, bound) > 0 &&
        (bound.post >= 0 || version.post < 0 || comparePublic(withoutPost(version), bound) !== 0);
    default: { // ~=
      if (bound.release.length < 2) return null;
      const begins = beginsWithRelease({ ...bound, release: bound.release.slice(0, -1) });
      return (version) => begins(version) && comparePublic(version, bound) >= 0;
    }
  }
}

/** Of all pre-releases of a version that is none itself the first: `1.0.dev0`, `1.0.post1.dev0`. */
function firstDev(bound: PythonVersion): PythonVersion {
  return { ...bound, stage: bound.post < 0 ? DEV_ONLY : bound.stage, dev: 0 };
}

/** What a version is a post-release of. */
function withoutPost(version: PythonVersion): PythonVersion {
  return { ...version, post: -1, dev: Infinity };
}

/** A local part counts only where the specifier has one. */
function isEqual(bound: PythonVersion): Comparison {
  const compare = bound.local.length > 0 ? compareVersions : comparePublic;
  return (version) => compare(version, bound) === 0;
}

/** `1.2.*`, or behind a `rc` or `.post` whatever follows that. */
function beginsWith(bound: PythonVersion): Comparison {
  if (bound.stage === FINAL && bound.post < 0) return beginsWithRelease(bound);
  return (version) =>
    isSameRelease(version, bound) && version.stage === bound.stage && version.pre === bound.pre &&
    (bound.post < 0 || version.post === bound.post);
}

function beginsWithRelease({ epoch, release }: PythonVersion): Comparison {
  return (version) =>
    version.epoch === epoch && release.every((number, i) => number === (version.release[i] ?? 0));
}

function comparePublic(version: PythonVersion, bound: PythonVersion): number {
  return compareVersions({ ...version, local: [] }, { ...bound, local: [] });
}

function isSameRelease(a: PythonVersion, b: PythonVersion): boolean {
  return a.epoch === b.epoch && compareReleases(a, b) === 0;
}

function compareReleases({ release: a }: PythonVersion, { release: b }: PythonVersion): number {
  for (let i = 0; i < a.length || i < b.length; i++) {
    const order = inOrder<Numeral>(a[i] ?? 0, b[i] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}

/** Words come before numbers. */
function compareSegments(a: Numeral | string, b: Numeral | string): number {
  const isNumber = Number(typeof a !== "string") - Number(typeof b !== "string");
  return isNumber || inOrder(a, b);
}

function readSegment(text: string): Numeral | string {
  return /^\d+$/.test(text) ? readNumeral(text) : text;
}
