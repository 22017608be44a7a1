/**
 * Everything the fake registry has. A name says what it is, so that nothing has
 * to be announced: `doc-650000-3` is the third document of 650 KB,
 * `versions-2000-0` one of 2,000 versions, `file-10000000-0` a package whose
 * file has 10 MB.
 */
import { createHash } from "node:crypto";
import { packument, shapeOf, tarballAddress } from "./packument.ts";
import { randomOf } from "./random.ts";

export interface Place {
  /** Ends in `/`. */
  readonly base: string;
  /** Unix ms. */
  readonly now: number;
}

/** null: there is no such package. */
export function npmDocument(name: string, { base, now }: Place): Record<string, unknown> | null {
  const match = /^(doc|versions|file)-(\d{1,9})-\w+$/.exec(name);
  if (match === null) return null;
  const size = Number(match[2]);
  switch (match[1]) {
    case "doc":
      return packument({ name, base, now, ...shapeOf(size) });
    case "versions": {
      const young = Math.ceil(size * 0.05);
      return packument({ name, base, now, versions: size, bytesPerVersion: 500, young });
    }
    default:
      return filePackage(name, { base, now });
  }
}

/** A few versions that share one file. */
function filePackage(name: string, { base, now }: Place): Record<string, unknown> {
  const bytes = fileOf(name);
  const sha512 = createHash("sha512").update(bytes).digest("base64");
  const shasum = createHash("sha1").update(bytes).digest("hex");
  return packument({
    name,
    base,
    now,
    versions: 12,
    young: 1,
    bytesPerVersion: 1_200,
    version: (position) => `1.0.${position}`,
    dist: (version) => ({
      integrity: `sha512-${sha512}`,
      shasum,
      tarball: tarballAddress(base, name, version),
      fileCount: 10,
      unpackedSize: bytes.length,
    }),
  });
}

/** The bytes of the file of a `file-<bytes>-<n>`, in npm and in PyPI alike. */
export function fileOf(name: string): Uint8Array<ArrayBuffer> {
  const size = Number(/^file-(\d{1,9})-/.exec(name)?.[1]);
  return randomOf(name).bytes(size);
}

/** PEP 691's page of a `file-<bytes>-<n>`; null: there is no such project. */
export function pypiPage(name: string, { base, now }: Place): Record<string, unknown> | null {
  if (!/^file-\d{1,9}-\w+$/.test(name)) return null;
  const bytes = fileOf(name);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const files = Array.from({ length: 12 }, (_, position) => {
    const filename = `${name.replaceAll("-", "_")}-1.0.${position}-py3-none-any.whl`;
    return {
      filename,
      url: `${base}packages/ab/cd/${sha256.slice(0, 60)}/${filename}`,
      hashes: { sha256 },
      "requires-python": ">=3.9",
      size: bytes.length,
      "upload-time": new Date(now - (position === 11 ? 1 : 100 + position) * 24 * 3600_000)
        .toISOString(),
      yanked: false,
    };
  });
  return {
    meta: { "api-version": "1.1", "_last-serial": 1 },
    name,
    versions: files.map((_, position) => `1.0.${position}`),
    files,
  };
}
