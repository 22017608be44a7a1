/**
 * Where the parts of a packument are in its bytes, so that an answer is cut out
 * of it. Both forms, full and abbreviated, have a layout of their own and are
 * rendered by the same code.
 */
import type { Packed } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { isRecord } from "../json.ts";
import {
  isCutOff,
  KeyTable,
  Members,
  parseSlice,
  skipSpace,
  skipValue,
  stringAt,
} from "./json_scan.ts";
import { readManifest, type VersionFacts } from "./manifest.ts";
import { readTimes, scanTimes, type TimeMember, type Times, type TimeSpan } from "./times.ts";

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
  /**
   * Where the file's name begins in an address of the usual form
   * (`<registry>/<name>/-/<file>`, nothing escaped); 0: it has another form.
   */
  readonly tailStart: number;
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
  /** None where the form has none (abbreviated). */
  readonly times: readonly TimeSpan[];
}

/** A layout over bytes that are there as long as memory is plentiful, and else made anew. */
export class PackedLayout implements Layout {
  readonly members: Layout["members"];
  readonly versions: Layout["versions"];
  readonly tags: Layout["tags"];
  readonly times: Layout["times"];
  readonly #packed: Packed;
  #known: WeakRef<Uint8Array<ArrayBuffer>>;

  constructor({ bytes, members, versions, tags, times }: Layout, packed: Packed) {
    this.members = members;
    this.versions = versions;
    this.tags = tags;
    this.times = times;
    this.#packed = packed;
    this.#known = new WeakRef(bytes);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    const held = this.#known.deref();
    if (held !== undefined) return held;
    const made = this.#packed.unpack();
    this.#known = new WeakRef(made);
    return made;
  }
}

export interface Packument extends Pick<Times, "published" | "modified"> {
  readonly name: string | null;
  readonly layout: Layout;
  /** Parallel to `layout.versions`. */
  readonly facts: readonly VersionFacts[];
  /** By version, into `layout.versions`. */
  readonly positions: ReadonlyMap<string, number>;
}

const TOP = new KeyTable(["name", "versions", "time", "dist-tags", "policyRestrictions"]);

/**
 * Reads a full packument in one pass over its bytes. Throws InvalidMetadata.
 * @param usual what tarball addresses usually begin with: `<registry>/<name>/-/`
 */
export function readPackument(bytes: Uint8Array<ArrayBuffer>, usual: string): Packument {
  const members: TopMember[] = [];
  const versions: VersionSpan[] = [];
  const facts: VersionFacts[] = [];
  const positions = new Map<string, number>();
  const seen = new Set<string>();
  const prefix = new TextEncoder().encode(usual);
  let name: string | null = null;
  let tags: Record<string, string> = {};
  let found: readonly TimeMember[] = [];
  const top = new Members(bytes, skipSpace(bytes, bom(bytes)));
  if (isCutOff(bytes)) throw new InvalidMetadata("Cannot read JSON: it is cut off");
  while (top.next()) {
    const { keyStart: start, keyEnd, value } = top;
    const key = TOP.find(bytes, start, keyEnd);
    if (key !== null && seen.has(key)) throw new InvalidMetadata(`Cannot read ${key} twice`);
    if (key !== null) seen.add(key);
    let end: number;
    if (key === "versions") {
      end = readVersions(bytes, value, { versions, facts, positions, prefix });
    } else if (key === "time") ({ found, end } = scanTimes(bytes, value));
    else end = skipValue(bytes, value);
    if (key === "name") name = stringAt(bytes, value, end);
    if (key === "dist-tags") tags = readTags(parseSlice(bytes, value, end));
    members.push({ key: key === "name" ? null : key, start, value, end });
    top.end = end;
  }
  if (skipSpace(bytes, top.end) !== bytes.length) {
    throw new InvalidMetadata(`Cannot read JSON at byte ${top.end}: expected the end`);
  }
  const { times, published, modified } = readTimes(bytes, found, { versions, positions });
  const layout = { bytes, members, versions, tags, times };
  return { name, layout, facts, positions, published, modified };
}

function bom(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function readVersions(
  bytes: Uint8Array,
  at: number,
  { versions, facts, positions, prefix }: {
    versions: VersionSpan[];
    facts: VersionFacts[];
    positions: Map<string, number>;
    prefix: Uint8Array;
  },
): number {
  const members = new Members(bytes, at);
  while (members.next()) {
    const { keyStart: start, keyEnd, value } = members;
    const version = stringAt(bytes, start, keyEnd);
    if (positions.has(version)) throw new InvalidMetadata(`Cannot read version ${version} twice`);
    if (!version.isWellFormed()) {
      // Half a character, which no address can have.
      throw new InvalidMetadata(`Cannot read ${JSON.stringify(version)} as a version`);
    }
    positions.set(version, versions.length);
    const manifest = readManifest(bytes, value);
    const { end, tarballStart, tarballEnd } = manifest;
    const tailStart = tailOf(bytes, { tarballStart, tarballEnd, prefix });
    versions.push({ version, start, value, end, tarballStart, tarballEnd, tailStart });
    facts.push(manifest);
    members.end = end;
  }
  return members.end;
}

/** Where a plain file name follows the usual prefix and ends the address; 0: it does not. */
function tailOf(
  bytes: Uint8Array,
  { tarballStart, tarballEnd, prefix }: {
    tarballStart: number;
    tarballEnd: number;
    prefix: Uint8Array;
  },
): number {
  const from = tarballStart + 1;
  const tail = from + prefix.length;
  if (tarballEnd - 1 <= tail) return 0;
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[from + i] !== prefix[i]) return 0;
  }
  for (let i = tail; i < tarballEnd - 1; i++) {
    if (!isPlain(bytes[i])) return 0;
  }
  return bytes[tail] === 0x2e ? 0 : tail;
}

/** Letters, digits, `-`, `.`, `_`: the same in a path, percent-encoded or not. */
function isPlain(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x2d && byte <= 0x39 && byte !== 0x2f) ||
    (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f;
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
