/**
 * Where the parts of a packument are in its bytes, so that an answer is cut out
 * of it. Both forms, full and abbreviated, have a layout of their own and are
 * rendered by the same code.
 */
import { InvalidMetadata } from "../errors.ts";
import { isRecord } from "../json.ts";
import { KeyTable, parseSlice, skipSpace, skipValue, stringAt, walkObject } from "./json_scan.ts";

/** A member of an object: its key with quotes, up to the end of its value. */
export interface Span {
  readonly start: number;
  readonly value: number;
  readonly end: number;
}

export interface VersionSpan extends Span {
  readonly version: string;
  /** The address of the tarball, quotes included; 0, 0 where there is none. */
  readonly tarballStart: number;
  readonly tarballEnd: number;
}

/** A top-level member, in the document's order. */
export interface TopMember extends Span {
  readonly key: "versions" | "time" | "dist-tags" | "policyRestrictions" | null;
}

export interface Layout {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly members: readonly TopMember[];
  readonly versions: readonly VersionSpan[];
  readonly tags: Readonly<Record<string, string>>;
  /** null: the form has none (abbreviated). */
  readonly time: Readonly<Record<string, unknown>> | null;
}

/** What the judge needs to know of one version, as the document states it. */
export interface VersionFacts {
  readonly tarball: string | null;
  readonly integrity: string | null;
  readonly shasum: string | null;
  readonly deprecated: boolean;
  readonly trust: "none" | "provenance" | "trusted_publisher" | "approved";
  readonly installScripts: boolean;
}

export interface Packument {
  readonly name: string | null;
  readonly layout: Layout;
  /** Parallel to `layout.versions`. */
  readonly facts: readonly VersionFacts[];
}

const TOP = new KeyTable(["name", "versions", "time", "dist-tags", "policyRestrictions"]);
const MANIFEST = new KeyTable([
  "dist",
  "_npmUser",
  "scripts",
  "gypfile",
  "hasInstallScript",
  "deprecated",
]);
const DIST = new KeyTable(["tarball", "integrity", "shasum", "attestations"]);
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];

/** Reads a full packument in one pass over its bytes. Throws InvalidMetadata. */
export function readPackument(bytes: Uint8Array<ArrayBuffer>): Packument {
  const members: TopMember[] = [];
  const versions: VersionSpan[] = [];
  const facts: VersionFacts[] = [];
  const seen = new Set<string>();
  let name: string | null = null;
  let tags: Record<string, string> = {};
  let time: Record<string, unknown> = {};
  const end = walkObject(bytes, skipSpace(bytes, bom(bytes)), (start, keyEnd, value) => {
    const key = TOP.find(bytes, start, keyEnd);
    if (key !== null && seen.has(key)) throw new InvalidMetadata(`Cannot read ${key} twice`);
    if (key !== null) seen.add(key);
    const end = key === "versions"
      ? readVersions(bytes, value, versions, facts)
      : skipValue(bytes, value);
    if (key === "name") name = stringAt(bytes, value, end);
    if (key === "dist-tags") tags = readTags(parseSlice(bytes, value, end));
    if (key === "time") time = readRecord(parseSlice(bytes, value, end), "time");
    members.push({ key: key === "name" ? null : key, start, value, end });
    return end;
  });
  if (skipSpace(bytes, end) !== bytes.length) {
    throw new InvalidMetadata(`Cannot read JSON at byte ${end}: expected the end`);
  }
  return { name, layout: { bytes, members, versions, tags, time }, facts };
}

function bom(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function readVersions(
  bytes: Uint8Array,
  at: number,
  versions: VersionSpan[],
  facts: VersionFacts[],
): number {
  const seen = new Set<string>();
  return walkObject(bytes, at, (start, keyEnd, value) => {
    const version = stringAt(bytes, start, keyEnd);
    if (seen.has(version)) throw new InvalidMetadata(`Cannot read version ${version} twice`);
    seen.add(version);
    const manifest = readManifest(bytes, value);
    const { tarballStart, tarballEnd, end } = manifest;
    versions.push({ version, start, value, end, tarballStart, tarballEnd });
    facts.push(manifest.facts);
    return end;
  });
}

function readManifest(bytes: Uint8Array, at: number) {
  const seen = new Set<string>();
  let dist = NO_DIST;
  let publisher: "none" | "trusted_publisher" | "approved" = "none";
  let deprecated = false;
  let installScripts = false;
  const end = walkObject(bytes, at, (start, keyEnd, value) => {
    const key = MANIFEST.find(bytes, start, keyEnd);
    if (key === null) return skipValue(bytes, value);
    if (seen.has(key)) throw new InvalidMetadata(`Cannot read ${key} twice at byte ${start}`);
    seen.add(key);
    if (key === "dist") {
      dist = readDist(bytes, value);
      return dist.end;
    }
    const end = skipValue(bytes, value);
    if (key === "_npmUser") publisher = publisherOf(parseSlice(bytes, value, end));
    else if (key === "deprecated") deprecated = isDeprecated(parseSlice(bytes, value, end));
    else if (key === "scripts") installScripts ||= hasInstallScripts(parseSlice(bytes, value, end));
    else installScripts ||= parseSlice(bytes, value, end) === true;
    return end;
  });
  const trust = publisher !== "none" ? publisher : dist.provenance ? "provenance" : "none";
  const { tarball, integrity, shasum, tarballStart, tarballEnd } = dist;
  const facts: VersionFacts = { tarball, integrity, shasum, deprecated, trust, installScripts };
  return { end, tarballStart, tarballEnd, facts };
}

const NO_DIST = {
  end: 0,
  tarball: null as string | null,
  integrity: null as string | null,
  shasum: null as string | null,
  provenance: false,
  tarballStart: 0,
  tarballEnd: 0,
};

function readDist(bytes: Uint8Array, at: number): typeof NO_DIST {
  const dist = { ...NO_DIST };
  const seen = new Set<string>();
  if (bytes[at] !== 0x7b) return { ...dist, end: skipValue(bytes, at) };
  dist.end = walkObject(bytes, at, (start, keyEnd, value) => {
    const end = skipValue(bytes, value);
    const key = DIST.find(bytes, start, keyEnd);
    if (key === null) return end;
    if (seen.has(key)) throw new InvalidMetadata(`Cannot read ${key} twice at byte ${start}`);
    seen.add(key);
    if (key === "attestations") dist.provenance = hasProvenance(parseSlice(bytes, value, end));
    else if (bytes[value] === 0x22) {
      dist[key] = stringAt(bytes, value, end);
      if (key === "tarball") {
        dist.tarballStart = value;
        dist.tarballEnd = end;
      }
    }
    return end;
  });
  return dist;
}

function publisherOf(user: unknown): "none" | "trusted_publisher" | "approved" {
  if (!isRecord(user)) return "none";
  if (isRecord(user.approver)) return "approved";
  return isRecord(user.trustedPublisher) ? "trusted_publisher" : "none";
}

function hasProvenance(attestations: unknown): boolean {
  return isRecord(attestations) && isRecord(attestations.provenance);
}

/** npm treats `""` and `false` as not deprecated. */
function isDeprecated(value: unknown): boolean {
  return value === true || (typeof value === "string" && value !== "");
}

function hasInstallScripts(scripts: unknown): boolean {
  return isRecord(scripts) &&
    INSTALL_SCRIPTS.some((name) => typeof scripts[name] === "string" && scripts[name] !== "");
}

function readTags(value: unknown): Record<string, string> {
  const tags: Record<string, string> = Object.create(null);
  for (const [tag, version] of Object.entries(readRecord(value, "dist-tags"))) {
    if (typeof version !== "string") {
      throw new InvalidMetadata(`Cannot read the tag ${tag}: it is no version`);
    }
    tags[tag] = version;
  }
  return tags;
}

function readRecord(value: unknown, what: string): Record<string, unknown> {
  if (!isRecord(value)) throw new InvalidMetadata(`Cannot read ${what}: it is no object`);
  return value;
}
