/** The paths of a sparse registry (https://doc.rust-lang.org/cargo/reference/registry-index.html). */
import { cargoVersions } from "./versions.ts";

const VERSION =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/** Whether cargo can read it at all; also keeps all else out of addresses. */
export function isVersion(text: string): boolean {
  return text.length <= 256 && VERSION.test(text);
}

export function isName(text: string): boolean {
  return cargoVersions.normalizeName(text) !== null;
}

/** Folder of a crate in the index, in the name's own case: `1`, `2`, `3/a`, `se/rd`. */
export function prefixOf(name: string): string {
  if (name.length <= 2) return String(name.length);
  if (name.length === 3) return `3/${name[0]}`;
  return `${name.slice(0, 2)}/${name.slice(2, 4)}`;
}

/** Where a crate's index is: always lower case, whatever the case of its name. */
export function indexPath(name: string): string {
  const lower = name.toLowerCase();
  return `${prefixOf(lower)}/${lower}`;
}

/** Decoded segments; null: not an encoding, or a segment that only looks like one. */
export function segmentsOf(path: string): string[] | null {
  try {
    const segments = path.split("/").map(decodeURIComponent);
    return segments.some((segment) => segment.includes("/")) ? null : segments;
  } catch {
    return null;
  }
}

/** The crate whose index is at this place; null: no index can be there. */
export function readIndexPath(segments: readonly string[]): string | null {
  const name = segments.at(-1) ?? "";
  if (!isName(name)) return null;
  return segments.join("/").toLowerCase() === indexPath(name) ? name : null;
}

export interface CrateFile {
  name: string;
  version: string;
}

/** `<crate>/<version>/download` or `<crate>/<crate>-<version>.crate`; null: neither. */
export function readFilePath(segments: readonly string[]): CrateFile | null {
  const [name, second, third] = segments;
  if (name === undefined || second === undefined || !isName(name)) return null;
  if (segments.length === 3) {
    return third === "download" && isVersion(second) ? { name, version: second } : null;
  }
  if (segments.length !== 2) return null;
  if (!second.startsWith(`${name}-`) || !second.endsWith(".crate")) return null;
  const version = second.slice(name.length + 1, -".crate".length);
  return isVersion(version) ? { name, version } : null;
}

/** The one form in which `match` hands a file to `locate`. */
export function filePath({ name, version }: CrateFile): string {
  return `crates/${name}/${encodeURIComponent(version)}/download`;
}
