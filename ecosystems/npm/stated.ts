/** What a version's manifest says besides what every judgement needs: read when a rule asks for it. */
import { isRecord } from "../json.ts";
import { KeyTable, Members, parseSlice, skipValue } from "./json_scan.ts";

const DEPRECATED = new KeyTable(["deprecated"]);
const LICENSE = new KeyTable(["license", "licenses"]);
const DEPENDENCIES = new KeyTable(["dependencies", "optionalDependencies", "peerDependencies"]);

/** Where the manifest of one version begins. */
export interface ManifestPlace {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** npm takes a deprecation back by setting it to `""`. Throws InvalidMetadata. */
export function readDeprecated(place: ManifestPlace): string | false {
  const { deprecated } = members(place, DEPRECATED);
  if (typeof deprecated === "string") return deprecated === "" ? false : deprecated;
  return deprecated === undefined || deprecated === null || deprecated === false ? false : "";
}

/** Old manifests have objects, and lists to choose from. Throws InvalidMetadata. */
export function readLicense(place: ManifestPlace): string | null {
  const { license, licenses } = members(place, LICENSE);
  const texts = [license, licenses].flat().map(licenseText).filter((text) => text !== null);
  if (texts.length <= 1) return texts[0] ?? null;
  return texts.map((text) => `(${text})`).join(" OR ");
}

function licenseText(value: unknown): string | null {
  const text = isRecord(value) ? value.type ?? value.name : value;
  return typeof text === "string" && text.trim() !== "" ? text.trim() : null;
}

/**
 * What `npm install` brings along from a registry: peers too, and those that
 * may fail. `npm:`, in any case, before a range gives another package's name. Throws InvalidMetadata.
 */
export function readDependencies(place: ManifestPlace): readonly string[] {
  const names = new Set<string>();
  for (const value of Object.values(members(place, DEPENDENCIES))) {
    if (!isRecord(value)) continue;
    for (const [name, range] of Object.entries(value)) {
      const text = typeof range === "string" ? range : "";
      const alias = /^npm:((?:@[^/@]+\/)?[^/@]+)(?:@|$)/i.exec(text)?.[1];
      if (alias === undefined && /^(?:[a-z+]+:|[^@/\s]+\/[^/\s]+$)/i.test(text)) continue;
      names.add(alias ?? name);
    }
  }
  return [...names];
}

function members<Key extends string>(
  { bytes, at }: ManifestPlace,
  keys: KeyTable<Key>,
): Partial<Record<Key, unknown>> {
  const found: Partial<Record<Key, unknown>> = {};
  const all = new Members(bytes, at);
  while (all.next()) {
    const { keyStart, keyEnd, value } = all;
    all.end = skipValue(bytes, value);
    const key = keys.find(bytes, keyStart, keyEnd);
    // Of two the last counts, as it does for clients.
    if (key !== null) found[key] = parseSlice(bytes, value, all.end);
  }
  return found;
}
