/** Where a version's file is, and what it must be. */
import type { Digest } from "../../policy/types.ts";
import type { Source } from "../ecosystem.ts";
import { encodeName } from "./paths.ts";

export interface Tarball {
  /** Path behind `<name>/-/`, decoded. */
  readonly tail: string;
  /** Address at the upstream. */
  readonly url: string;
}

/** `pkg-1.0.0.tgz`, as npm names them. */
export function conventionalTarball(name: string, version: string): string {
  return `${name.slice(name.indexOf("/") + 1)}-${version}.tgz`;
}

/**
 * Reads an address that is not of the usual form. One elsewhere on the upstream,
 * or where its files may be, keeps its own URL under the conventional name; one
 * on another host (a mirror that names its origin) is asked of the upstream by
 * convention, and its digest tells whether that is the same file.
 */
export function readTarball(
  address: string,
  { name, version, source }: { name: string; version: string; source: Source },
): Tarball {
  const conventional = conventionalTarball(name, version);
  const stated = atUpstream(name, address, source);
  if (stated !== null) return { tail: stated.tail ?? conventional, url: stated.url };
  const url = new URL(`${encodeName(name)}/-/${encodeURIComponent(conventional)}`, source.url);
  return { tail: conventional, url: url.href };
}

function atUpstream(
  name: string,
  address: string,
  source: Source,
): { tail: string | null; url: string } | null {
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  const base = new URL(source.url);
  const isAllowed = url.origin === base.origin || source.fileOrigins.includes(url.origin);
  if (!isAllowed || url.username !== "" || url.password !== "") return null;
  let path: string;
  let prefix: string;
  try {
    path = decodeURIComponent(url.pathname);
    prefix = `${decodeURIComponent(base.pathname)}${name}/-/`;
  } catch {
    return null;
  }
  const tail = path.startsWith(prefix) ? path.slice(prefix.length) : "";
  return { tail: TAIL.test(tail) ? tail : null, url: url.href };
}

const TAIL = /^(?!\.{1,2}(?:\/|$))[^/\\\p{Cc}]+(?:\/(?!\.{1,2}(?:\/|$))[^/\\\p{Cc}]+)?$/u;

/** The strongest digest stated. One that cannot be read matches nothing, so its file is refused. */
export function digestOf(integrity: string | null, shasum: string | null): Digest | null {
  if (integrity !== null) {
    for (const { algorithm, pattern } of SRI) {
      const match = pattern.exec(integrity);
      if (match !== null) return { algorithm, hex: base64ToHex(match[1]) };
    }
  }
  return shasum === null ? null : { algorithm: "sha1", hex: shasum.toLowerCase() };
}

/** Subresource integrity, strongest first (https://www.w3.org/TR/SRI/). */
const SRI = (["sha512", "sha384", "sha256", "sha1"] as const).map((algorithm) => ({
  algorithm,
  pattern: new RegExp(`(?:^|\\s)${algorithm}-([A-Za-z0-9+/]+={0,2})`),
}));

function base64ToHex(text: string): string {
  try {
    return Uint8Array.fromBase64(text).toHex();
  } catch {
    return "unreadable";
  }
}
