import * as v from "valibot";
import { parsePurl } from "./purl.ts";
import type { Release, VersionScheme, VersionSchemes } from "./types.ts";

/** Which packages, and which of their versions, a line of a policy speaks of. */

/** A package pattern: a PURL whose name may hold `*`, which stands for any characters, `/` included. */
export interface PackagePattern {
  readonly ecosystem: string;
  /** Normalised, `*` kept. */
  readonly name: string;
  readonly wildcard: boolean;
  /** Of the short form `pkg:npm/axios@0.30.4`; null otherwise. */
  readonly version: string | null;
}

const MAX_LENGTH = 1_000;

/** Reads a package pattern. Throws SyntaxError. */
export function parsePattern(text: string, schemes: VersionSchemes): PackagePattern {
  const pattern = readPattern(text, schemes);
  const { ecosystem, version } = pattern;
  const scheme = schemes.get(ecosystem);
  if (version !== null && (scheme === undefined || !holdsItself(version, scheme))) {
    throw new SyntaxError(`${quote(version)} is no ${ecosystem} version`);
  }
  return pattern;
}

/** As `parsePattern`, for one whose version has been checked: that is what costs. Throws SyntaxError. */
export function readPattern(text: string, schemes: VersionSchemes): PackagePattern {
  if (text.length > MAX_LENGTH) throw new SyntaxError(`longer than ${MAX_LENGTH} characters`);
  if (/[?#]/.test(text)) throw new SyntaxError("qualifiers and subpaths mean nothing here");
  const purl = parsePurl(text);
  const scheme = schemeOfType(purl.type, schemes);
  const name = normalizePattern(purl.name, scheme);
  if (name === null) {
    throw new SyntaxError(`no ${scheme.ecosystem} package can be called ${quote(purl.name)}`);
  }
  const version = purl.version ?? (/@$/.test(text) ? "" : null);
  return { ecosystem: scheme.ecosystem, name, wildcard: name.includes("*"), version };
}

/** Whether a text is one whole version that a registry can have, so that "exactly this version" means one version. */
export function isVersion(text: string, scheme: VersionScheme): boolean {
  return holdsItself(text, scheme) && scheme.readsWhole(scheme.exact(text));
}

/** As much of that as what is stored already has to be. */
function holdsItself(text: string, scheme: VersionScheme): boolean {
  try {
    return text !== "" && scheme.range(scheme.exact(text))(text);
  } catch {
    return false;
  }
}

function schemeOfType(type: string, schemes: VersionSchemes): VersionScheme {
  for (const scheme of schemes.values()) if (scheme.purlType === type) return scheme;
  const known = [...schemes.values()].map((scheme) => scheme.purlType).join(", ");
  throw new SyntaxError(`unknown PURL type ${quote(type)}: known are ${known}`);
}

/**
 * A name that may hold `*` as the ecosystem spells names, `foo-*` for PyPI's
 * `Foo_*`; null: no package can be called so. Its own rules apply with letters
 * in the place of each `*`: letters that do not end as they begin, or a name's
 * own could be taken for part of them.
 */
export function normalizePattern(name: string, scheme: VersionScheme): string | null {
  if (!name.includes("*")) return scheme.normalizeName(name);
  let stand = "zqq";
  while (name.toLowerCase().includes(stand)) stand += "q";
  const normal = scheme.normalizeName(name.replaceAll(/\*+/g, stand));
  return normal?.replaceAll(stand, "*") ?? null;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

/** Whether a name is matched, in time linear in both lengths (a regular expression would backtrack). */
export function globMatcher(glob: string): (name: string) => boolean {
  const parts = glob.split("*");
  const first = parts[0];
  const last = parts[parts.length - 1];
  if (parts.length === 1) return (name) => name === glob;
  const middle = parts.slice(1, -1).filter((part) => part !== "");
  return (name) => {
    if (name.length < first.length + last.length) return false;
    if (!name.startsWith(first) || !name.endsWith(last)) return false;
    const end = name.length - last.length;
    let from = first.length;
    for (const part of middle) {
      const at = name.indexOf(part, from);
      if (at < 0 || at + part.length > end) return false;
      from = at + part.length;
    }
    return true;
  };
}

/** Whether a version is meant; compiled when first asked. */
export type VersionTest = (version: string) => boolean;

const REMEMBERED = 5_000;

/** A pure function of a text that remembers its answers. */
export function remembering<T>(compute: (text: string) => T): (text: string) => T {
  const known = new Map<string, { answer: T }>();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) {
      found = { answer: compute(text) };
      if (known.size >= REMEMBERED) known.clear();
      known.set(text, found);
    }
    return found.answer;
  };
}

/** The test of a range in an ecosystem's own syntax, compiled at the first call. */
export function versionTest(range: string, scheme: VersionScheme): VersionTest {
  // Also versions that do not parse, which no ecosystem's `*` holds.
  if (range.trim() === "*") return () => true;
  let test: VersionTest | null = null;
  return (version) => (test ??= scheme.range(range))(version);
}

/** The test of exactly one version. */
export function exactTest(version: string, scheme: VersionScheme): VersionTest {
  const canonical = scheme.isCanonical(version);
  let test: VersionTest | null = null;
  return (other) => {
    if (other === version) return true;
    // Nearly all: a list names many versions, and an index has thousands.
    if (canonical && scheme.isCanonical(other)) return false;
    return (test ??= scheme.range(scheme.exact(version)))(other);
  };
}

/** Lines of a policy by the packages they speak of: exact names cost one look-up however many there are. */
export class PatternIndex<T> {
  readonly #exact = new Map<string, T[]>();
  readonly #wildcards: { pattern: PackagePattern; test: (name: string) => boolean; value: T }[] =
    [];
  #sorted = true;

  constructor(readonly schemes: VersionSchemes) {}

  get empty(): boolean {
    return this.#exact.size === 0 && this.#wildcards.length === 0;
  }

  add(pattern: PackagePattern, value: T): void {
    if (pattern.wildcard) {
      this.#wildcards.push({ pattern, test: globMatcher(pattern.name), value });
      this.#sorted = false;
      return;
    }
    const key = keyOf(pattern.ecosystem, pattern.name);
    const values = this.#exact.get(key);
    if (values) values.push(value);
    else this.#exact.set(key, [value]);
  }

  /**
   * The lines for a package, most specific first: exact names, then longer
   * wildcards before shorter. Throws RangeError where the name is none that its
   * ecosystem can have, since then nobody can say what is meant for it.
   */
  find(ecosystem: string, name: string): readonly T[] {
    if (this.empty) return [];
    const normal = this.schemes.get(ecosystem)?.normalizeName(name) ?? null;
    if (normal === null) throw new RangeError(`Cannot look up ${quote(name)} in ${ecosystem}`);
    const exact = this.#exact.get(keyOf(ecosystem, normal)) ?? [];
    if (this.#wildcards.length === 0) return exact;
    this.#sort();
    const wild = this.#wildcards.filter(({ pattern, test }) =>
      pattern.ecosystem === ecosystem && test(normal)
    );
    return [...exact, ...wild.map(({ value }) => value)];
  }

  /** As `find`, for the releases of one index: asks again only where the name changes. */
  finder(): (release: Release) => readonly T[] {
    let ecosystem: string | null = null;
    let name: string | null = null;
    let found: readonly T[] = [];
    return (release) => {
      if (release.name !== name || release.ecosystem !== ecosystem) {
        found = this.find(release.ecosystem, release.name);
        ({ ecosystem, name } = release);
      }
      return found;
    };
  }

  #sort(): void {
    if (this.#sorted) return;
    this.#wildcards.sort((a, b) => bySpecificity(a.pattern, b.pattern));
    this.#sorted = true;
  }
}

function keyOf(ecosystem: string, name: string): string {
  return `${ecosystem}\0${name}`;
}

/** Order of patterns, most specific first: exact names, then longer wildcards before shorter. */
export function bySpecificity(a: PackagePattern, b: PackagePattern): number {
  if (a.wildcard !== b.wildcard) return a.wildcard ? 1 : -1;
  return a.wildcard ? literalLength(b) - literalLength(a) : 0;
}

function literalLength(pattern: PackagePattern): number {
  return pattern.name.replaceAll("*", "").length;
}

/** A package pattern within a document; with `versioned`, the short form with a version is allowed. */
export function patternSchema(schemes: VersionSchemes, options: { versioned: boolean }) {
  return v.pipe(
    v.string('expected a package URL such as "pkg:npm/axios"'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const fault = patternFault(dataset.value, schemes, options.versioned);
      if (fault !== null) addIssue({ message: fault });
    }),
  );
}

function patternFault(text: string, schemes: VersionSchemes, versioned: boolean): string | null {
  try {
    const pattern = parsePattern(text, schemes);
    return versioned || pattern.version === null ? null : "a version means nothing here";
  } catch (error) {
    return error instanceof SyntaxError ? error.message : `Cannot read ${quote(text)} as a PURL`;
  }
}
