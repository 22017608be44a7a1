/** The lines of an index file: one JSON object per version. */
import { InvalidMetadata } from "../errors.ts";
import { isRecord } from "../json.ts";
import { isVersion } from "./paths.ts";
import { cargoVersions } from "./versions.ts";

export interface IndexLine {
  /** Span of its text in the file, without the line break. */
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the .crate file, lower-case hex. */
  readonly checksum: string;
  readonly yanked: boolean;
  /** Unix ms; null: not stated, or not in the one form there is. */
  readonly pubtime: number | null;
  /** Crates that are built with it, tests aside; null: not stated as the index's schema has it. */
  readonly dependencies: readonly string[] | null;
}

const LINE_BREAK = 0x0a;
const CHECKSUM = /^[0-9a-f]{64}$/i;
const PUBTIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Every line, in its order. Throws InvalidMetadata. */
export function readLines(bytes: Uint8Array, name: string): IndexLine[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const wanted = cargoVersions.normalizeName(name);
  const seen = new Set<string>();
  const lines: IndexLine[] = [];
  for (let start = 0, end; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(LINE_BREAK, start);
    if (end < 0) end = bytes.length;
    const line = readLine(bytes.subarray(start, end), { decoder, start, number: lines.length + 1 });
    if (line === null) continue;
    if (cargoVersions.normalizeName(line.name) !== wanted) {
      throw new InvalidMetadata(`The index of ${name} has a line of ${line.name}`);
    }
    if (seen.has(line.version)) {
      throw new InvalidMetadata(`The index of ${name} has ${line.version} twice`);
    }
    seen.add(line.version);
    lines.push(line);
  }
  return lines;
}

/** null: a blank line. */
function readLine(
  bytes: Uint8Array,
  { decoder, start, number }: { decoder: TextDecoder; start: number; number: number },
): IndexLine | null {
  let entry: unknown;
  try {
    const text = decoder.decode(bytes);
    if (text.trim() === "") return null;
    entry = JSON.parse(text);
  } catch (cause) {
    throw new InvalidMetadata(`Cannot read line ${number} of the index as JSON`, { cause });
  }
  const { name, vers, cksum, yanked, pubtime, deps } = isRecord(entry) ? entry : {};
  if (typeof name !== "string" || typeof vers !== "string" || typeof cksum !== "string") {
    throw new InvalidMetadata(`Line ${number} of the index lacks its name, vers or cksum`);
  }
  if (!isVersion(vers) || !CHECKSUM.test(cksum)) {
    throw new InvalidMetadata(
      `Line ${number} of the index has no such vers or cksum as cargo reads`,
    );
  }
  if (yanked !== undefined && yanked !== null && typeof yanked !== "boolean") {
    throw new InvalidMetadata(
      `Line ${number} of the index has a yanked that is neither true nor false`,
    );
  }
  return {
    start,
    end: start + bytes.length,
    name,
    version: vers,
    checksum: cksum.toLowerCase(),
    yanked: yanked === true,
    pubtime: typeof pubtime === "string" ? readPubtime(pubtime) : null,
    dependencies: readDependencies(deps),
  };
}

/** `package` is a renamed crate's own name; what comes from another registry is not meant. */
function readDependencies(deps: unknown): readonly string[] | null {
  if (!Array.isArray(deps)) return null;
  const names = new Set<string>();
  for (const entry of deps) {
    if (!isRecord(entry)) return null;
    const name = entry.package ?? entry.name;
    if (typeof name !== "string") return null;
    if (entry.kind !== "dev" && (entry.registry ?? null) === null) names.add(name);
  }
  return [...names];
}

/** `yyyy-mm-ddThh:mm:ssZ`, nothing else (cargo's index schema). */
function readPubtime(text: string): number | null {
  const time = PUBTIME.test(text) ? Date.parse(text) : NaN;
  // Date.parse takes 31 February for March; then the text is not what it says.
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 19) !== text.slice(0, 19)) {
    return null;
  }
  return time;
}
