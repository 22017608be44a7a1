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

/**
 * Path below the mount at which a file is served, percent-encoding as upstream
 * has it. An address keeps its path if that is `/packages/.../<filename>` and
 * leads back to the project; clients read the file's name from the end of it.
 */
export function servedPath(address: string, filename: string, project: string): string {
  const path = PLAIN.test(address)
    ? address.slice(address.indexOf("/", 8))
    : pathWithoutQuery(address);
  if (
    path?.startsWith("/packages/") && !path.startsWith("/packages/+/") &&
    !path.includes("//") && decodePath(path.slice(path.lastIndexOf("/") + 1)) === filename &&
    projectsOf(filename).includes(project)
  ) {
    return path.slice(1);
  }
  return `packages/+/${project}/${encodeURIComponent(filename)}`;
}

function pathWithoutQuery(address: string): string | null {
  const url = new URL(address);
  return url.search === "" ? url.pathname : null;
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
