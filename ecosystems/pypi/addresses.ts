/**
 * Every address of a PyPI upstream, and where its files appear under the mount.
 *
 * An upstream's base is its simple index (`https://pypi.org/simple/`, devpi's
 * `.../+simple/`): the only part every index has. PyPI's other interfaces lie
 * beside it, so they are addressed from there.
 */
import type { Source } from "../ecosystem.ts";
import { projectsOf } from "./filename.ts";

export const DEFAULT_INDEX = "https://pypi.org/simple/";
export const DEFAULT_FILES = "https://files.pythonhosted.org";

/** A host alone stands for the simple index it has at the usual place. */
export function simpleIndex(url: URL): URL {
  return url.pathname === "/" ? new URL("simple/", url) : url;
}

/** Addresses relative to the base. Names are normalised; other parts are decoded. */
export const upstreamAddresses = {
  projects: () => "./",
  project: (name: string) => `${name}/`,
  legacy: (name: string) => `../pypi/${name}/json`,
  legacyVersion: (name: string, version: string) =>
    `../pypi/${name}/${encodeURIComponent(version)}/json`,
  integrity: (name: string, version: string, filename: string) =>
    `../integrity/${name}/${encodeURIComponent(version)}/` +
    `${encodeURIComponent(filename)}/provenance`,
};

/** Where an upstream's provenance addresses begin. */
export function integrityBase(source: Source): string {
  return new URL("../integrity/", source.url).href;
}

/** Path below the mount of a provenance address; null: it is not at this upstream. */
export function mountedProvenance(address: string, base: string): string | null {
  if (!address.startsWith(base)) return null;
  const rest = address.slice(base.length);
  return /^[^?#]+$/.test(rest) ? `integrity/${rest}` : null;
}

/** An address that `new URL` would leave as it is; reading 5,000 of them with it costs 30 ms. */
const PLAIN = /^https?:\/\/[a-z0-9.-]+(?::\d+)?(?:\/[A-Za-z0-9_+~!-][A-Za-z0-9._+~!-]*)+$/;

/** Of a file's address; `PLAIN` would run out of stack on one of some megabytes. */
const MAX_ADDRESS = 8_000;

/** Absolute form of a file's address without fragment, or null if it is none of http(s) or too long. */
export function fileAddress(address: string, base: string): string | null {
  if (address.length > MAX_ADDRESS) return null;
  if (PLAIN.test(address)) return address;
  const url = URL.parse(address, base);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return null;
  url.hash = "";
  return url.href;
}

export interface FilePaths {
  /** What an index says, percent-encoding as upstream has it. */
  readonly listed: string;
  /** Upstream's own, which lockfiles may have; null: no path below the mount can be that. */
  readonly own: string | null;
}

/**
 * Paths below the mount at which a file is served. An address keeps its path if
 * that is `/packages/.../<filename>` and leads to the project before any other;
 * clients read the file's name from the end of it.
 */
export function filePaths(address: string, filename: string, project: string): FilePaths {
  const projects = projectsOf(filename);
  const own = projects.includes(project) ? ownPath(address, filename) : null;
  const listed = own !== null && projects[0] === project
    ? own
    : `packages/+/${project}/${encodeURIComponent(filename)}`;
  return { listed, own };
}

function ownPath(address: string, filename: string): string | null {
  const isPlain = PLAIN.test(address);
  const path = isPlain ? address.slice(address.indexOf("/", 8)) : pathWithoutQuery(address);
  if (!path?.startsWith("/packages/")) return null;
  const segments = isPlain ? path.slice(1).split("/") : segmentsOf(path.slice(1));
  const isFile = segments !== null && !segments.includes("") && segments[1] !== "+" &&
    segments.at(-1) === filename;
  return isFile ? path.slice(1) : null;
}

function pathWithoutQuery(address: string): string | null {
  const url = new URL(address);
  return url.search === "" ? url.pathname : null;
}

/** Decoded, or null for a path that no address of an index has. */
export function segmentsOf(path: string): string[] | null {
  const segments: string[] = [];
  for (const raw of path.split("/")) {
    let segment: string;
    try {
      segment = decodeURIComponent(raw);
    } catch {
      return null;
    }
    // deno-lint-ignore no-control-regex
    if (segment === "." || segment === ".." || /[/\\\x00-\x1f\x7f]/.test(segment)) return null;
    segments.push(segment);
  }
  return segments;
}

/** Percent-decoded for comparison; what cannot be decoded stays as it is. */
export function decodePath(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
