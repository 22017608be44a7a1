import { globMatcher, normalizePattern } from "../pattern.ts";
import type { VersionScheme, VersionSchemes } from "../types.ts";
import type { Facts } from "./record_entry.ts";
import type { RecordQuery } from "./types.ts";

/** A query, read once. */
export interface Filter {
  readonly org: string;
  readonly user: string | null;
  /** The one package it asks for, by ecosystem, with the normalised name; null: not one alone. */
  readonly packages: readonly { readonly ecosystem: string; readonly name: string }[] | null;
  readonly ecosystem: string | null;
  readonly since: number | null;
  readonly until: number | null;
  /** Everything but the time. */
  matches(facts: Facts): boolean;
}

/** Throws SyntaxError where `version` is no range. */
export function compileQuery(query: RecordQuery, schemes: VersionSchemes): Filter {
  const inRange = versionTest(query, schemes);
  const named = nameTest(query, schemes);
  return {
    org: query.org,
    user: query.user ?? null,
    packages: exactPackages(query, schemes),
    ecosystem: query.ecosystem ?? null,
    since: query.since ?? null,
    until: query.until ?? null,
    matches: (facts) =>
      (query.ecosystem === undefined || facts.ecosystem === query.ecosystem) &&
      (query.user === undefined || facts.user === query.user) &&
      (query.code === undefined || facts.code === query.code) &&
      named(facts) && inRange(facts),
  };
}

function exactPackages(query: RecordQuery, schemes: VersionSchemes): Filter["packages"] {
  const { package: wanted, ecosystem } = query;
  if (wanted === undefined || wanted.includes("*")) return null;
  const ids = ecosystem === undefined ? [...schemes.keys()] : [ecosystem];
  return ids.flatMap((id) => {
    const scheme = schemes.get(id);
    const name = scheme === undefined ? wanted : scheme.normalizeName(wanted);
    return name === null ? [] : [{ ecosystem: id, name }];
  });
}

function nameTest(query: RecordQuery, schemes: VersionSchemes): (facts: Facts) => boolean {
  const wanted = query.package;
  if (wanted === undefined) return () => true;
  return byEcosystem((ecosystem) => {
    const scheme = schemes.get(ecosystem);
    if (wanted.includes("*")) {
      const pattern = scheme === undefined ? null : normalizePattern(wanted, scheme);
      return globMatcher(pattern ?? wanted);
    }
    const name = scheme === undefined ? wanted : scheme.normalizeName(wanted);
    return (candidate) => candidate === name;
  }, (facts) => facts.name);
}

function versionTest(query: RecordQuery, schemes: VersionSchemes): (facts: Facts) => boolean {
  const text = query.version;
  if (text === undefined) return () => true;
  const ids = query.ecosystem === undefined ? [...schemes.keys()] : [query.ecosystem];
  const ranges = new Map(ids.map((id) => [id, readRange(text, schemes.get(id))]));
  if ([...ranges.values()].every((range) => range === null)) {
    throw new SyntaxError(
      `Cannot read ${JSON.stringify(text)} as a range of versions of ${ids.join(", ")}`,
    );
  }
  return (facts) => ranges.get(facts.ecosystem)?.(facts.version) ?? false;
}

/** One version as somebody writes it, be it none that parses (`2004d` on PyPI); no `1.x`, which is a range. */
const ONE_VERSION = /^v?\d(?!.*\.x(?:\.|$))[\w.+!-]*$/i;

/**
 * A single version counts as a range too, where the syntax has no such range
 * (`2.31.0` in PEP 440), and nothing else: what is mistyped is no version that
 * nobody has.
 */
function readRange(
  text: string,
  scheme: VersionScheme | undefined,
): ((version: string) => boolean) | null {
  if (scheme === undefined) return (version) => text === "*" || version === text;
  for (const range of ONE_VERSION.test(text.trim()) ? [text, scheme.exact(text)] : [text]) {
    try {
      return scheme.range(range);
    } catch {
      // Not a range; the next form may be one.
    }
  }
  return null;
}

/** Makes a test once for each ecosystem that it meets. */
function byEcosystem(
  make: (ecosystem: string) => (text: string) => boolean,
  text: (facts: Facts) => string,
): (facts: Facts) => boolean {
  const tests = new Map<string, (text: string) => boolean>();
  return (facts) => {
    let test = tests.get(facts.ecosystem);
    if (test === undefined) tests.set(facts.ecosystem, test = make(facts.ecosystem));
    return test(text(facts));
  };
}
