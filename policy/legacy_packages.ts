import { isVersion } from "./pattern.ts";
import { purl } from "./purl.ts";
import type { Fault } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";
import type { VersionScheme, VersionSchemes } from "./types.ts";

/** `blocklist` and `allowlist` of thinkst/package-proxy. */

export interface LegacyPackage {
  readonly purl: string;
  /** Range of one version; null: all. */
  readonly versions: string | null;
}

interface ListContext {
  /** Which list, for pointers. */
  readonly key: string;
  readonly schemes: VersionSchemes;
  readonly faults: Fault[];
}

/** A name without an ecosystem means all of these. */
const UNPREFIXED = ["npm", "pypi", "cargo"];
const OTHER_NAMES: Readonly<Record<string, string>> = { "cargo-rs": "cargo" };

/**
 * Reads a list: an object from names to `"ALL"`, a version or several, or an
 * array of names. Faults go to `faults`.
 */
export function readPackageList(list: unknown, context: ListContext): LegacyPackage[] {
  if (list === undefined || list === null) return [];
  if (Array.isArray(list)) {
    return list.flatMap((name, i) =>
      readPackage(name, "ALL", { ...context, path: [context.key, String(i)] })
    );
  }
  if (typeof list !== "object") {
    const detail = "expected an object from names to versions, or a list of names";
    context.faults.push({ pointer: pointerOf([context.key]), detail });
    return [];
  }
  return Object.entries(list).flatMap(([name, versions]) =>
    readPackage(name, versions, { ...context, path: [context.key, name] })
  );
}

function readPackage(
  text: unknown,
  versions: unknown,
  { schemes, faults, path }: ListContext & { path: readonly string[] },
): LegacyPackage[] {
  const fault = (detail: string): LegacyPackage[] => {
    faults.push({ pointer: pointerOf(path), detail });
    return [];
  };
  if (typeof text !== "string") return fault("expected the name of a package");
  const asked = readVersions(versions);
  if (asked === null) return fault('expected "ALL", a version or a list of versions');
  const { ecosystem, name, version } = splitKey(text, schemes);
  if (version !== null && asked !== "ALL" && asked.some((other) => other !== version)) {
    return fault("names one version in the key and others in the value");
  }
  const wanted = version === null ? asked : [version];
  const all = ecosystem === null ? UNPREFIXED : [ecosystem];
  const candidates = all.map((id) => schemes.get(id)).filter((scheme) => scheme !== undefined);
  const fitting = candidates.filter((scheme) => scheme.normalizeName(name) !== null);
  if (fitting.length === 0) return fault("no package can be called that");
  if (wanted === "ALL") {
    return fitting.map((scheme) => ({ purl: purl(scheme.purlType, name), versions: null }));
  }
  return wanted.flatMap((one) => {
    // What no ecosystem can order is one's own, so somebody has to say whose.
    const found = fitting.filter((scheme) =>
      isVersion(one, scheme) && (ecosystem !== null || scheme.major(one) !== one)
    );
    if (found.length === 0) return fault(`${JSON.stringify(one.slice(0, 100))} is no version`);
    return found.map((scheme) => ofVersion(scheme, name, one));
  });
}

function ofVersion(scheme: VersionScheme, name: string, version: string): LegacyPackage {
  return { purl: purl(scheme.purlType, name), versions: scheme.exact(version) };
}

function readVersions(value: unknown): "ALL" | string[] | null {
  if (value === "ALL" || value === "*") return "ALL";
  if (typeof value === "string") return [value];
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) return null;
  return value.includes("ALL") || value.includes("*") ? "ALL" : value;
}

/** `npm/axios`, `npm:axios`, `pkg:npm/axios` or `axios`, with `==1.2.3` or `@1.2.3` behind it. */
function splitKey(text: string, schemes: VersionSchemes) {
  const match = /^(?:pkg:)?([a-z][a-z0-9+.-]*)[/:](.+)$/s.exec(text);
  const id = match ? OTHER_NAMES[match[1]] ?? match[1] : null;
  const known = id !== null && schemes.has(id);
  const rest = decode(known && match ? match[2] : text);
  const equals = rest.indexOf("==");
  if (equals > 0) {
    return {
      ecosystem: known ? id : null,
      name: rest.slice(0, equals),
      version: rest.slice(equals + 2),
    };
  }
  const at = rest.lastIndexOf("@");
  const name = at > 0 ? rest.slice(0, at) : rest;
  return { ecosystem: known ? id : null, name, version: at > 0 ? rest.slice(at + 1) : null };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
