/** What policy sees of a project's page: one release per file. */
import type { Digest, Release, ReleaseFile } from "../../policy/types.ts";
import { InvalidMetadata } from "../errors.ts";
import { isRecord } from "../json.ts";
import { parseFilename } from "./filename.ts";
import type { PageFile, ProjectPage } from "./page.ts";
import { normalForm } from "./pep440.ts";

/** Strongest first. */
const ALGORITHMS = [
  ["sha512", 128],
  ["sha384", 96],
  ["sha256", 64],
  ["sha1", 40],
  ["md5", 32],
] as const;

const INSTANT = /^\d{4}-\d\d-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|\+00:00)$/;

/** Throws InvalidMetadata. */
export function readReleases(page: ProjectPage, project: string): Release[] {
  const name = typeof page.document.name === "string" ? page.document.name : project;
  const spell = spelling(page.document.versions);
  const deprecated = deprecation(page.document);
  return page.files.map((file) => {
    const { version, kind } = parseFilename(file.filename, project);
    return {
      ecosystem: "pypi",
      name,
      version: spell(version),
      publishedAt: instant(file.fields["upload-time"]),
      yanked: file.yanked === true ? "" : file.yanked,
      trust: trustOf(file, page.statesProvenance),
      installScripts: kind === "wheel" ? false : kind === "sdist" ? true : null,
      deprecated,
      files: [releaseFile(file)],
    };
  });
}

/**
 * Digest of the `.metadata` file beside a distribution (PEP 658); null: the
 * index states none, false: there is no such file. Throws InvalidMetadata.
 */
export function companionDigest({ fields, filename }: PageFile): Digest | null | false {
  const stated = fields["core-metadata"] ?? fields["data-dist-info-metadata"] ??
    fields["dist-info-metadata"];
  if (isRecord(stated)) return digestOf(stated, `${filename}.metadata`);
  return stated === true ? null : false;
}

/**
 * PEP 792: the status of the whole project. Archived and quarantined ones get no
 * more releases either. null: this index does not say.
 */
function deprecation(document: Record<string, unknown>): string | false | null {
  const stated = document["project-status"];
  const { status, reason } = isRecord(stated) ? stated : {};
  if (typeof status !== "string") return null;
  if (status === "active") return false;
  return typeof reason === "string" && reason !== "" ? `${status}: ${reason}` : status;
}

function releaseFile({ fields, filename, url }: PageFile): ReleaseFile {
  const { hashes, size } = fields;
  if (hashes !== undefined && !isRecord(hashes)) {
    throw new InvalidMetadata(`Cannot read the digests of ${filename}`);
  }
  const bytes = typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : null;
  return { filename, url, digest: digestOf(hashes ?? {}, filename), size: bytes };
}

/** The strongest that is known. One that is stated but no digest must not pass as none stated. */
function digestOf(hashes: Record<string, unknown>, filename: string): Digest | null {
  for (const [algorithm, length] of ALGORITHMS) {
    const hex = hashes[algorithm];
    if (hex === undefined) continue;
    if (typeof hex !== "string" || hex.length !== length || !/^[0-9a-f]+$/i.test(hex)) {
      throw new InvalidMetadata(`Cannot read the ${algorithm} of ${filename}`);
    }
    return { algorithm, hex: hex.toLowerCase() };
  }
  return null;
}

/**
 * PyPI takes attestations from Trusted Publishers alone (PEP 740), so that there
 * are any says who uploaded the file; no request per version is needed.
 */
function trustOf(file: PageFile, stated: boolean): Release["trust"] {
  if (file.provenance !== null) return "trusted_publisher";
  return stated ? "none" : null;
}

/** Unix ms, or null for what is no instant in UTC. */
function instant(text: unknown): number | null {
  const day = typeof text === "string" ? INSTANT.exec(text)?.[1] : undefined;
  if (typeof text !== "string" || day === undefined) return null;
  const time = Date.parse(text);
  // Date.parse takes 30 February for 1 March
  return Number.isNaN(time) || new Date(time).getUTCDate() !== Number(day) ? null : time;
}

/**
 * File names spell one version in several ways (`1.0-1`, `1.0.post1`); the
 * index's own list of versions, where it has one, settles which is meant.
 */
function spelling(versions: unknown): (version: string) => string {
  const listed = (Array.isArray(versions) ? versions : []).filter((version) =>
    typeof version === "string"
  );
  const known = new Map<string, string>(listed.map((version) => [version, version]));
  // most files spell it as the list does, and normal forms take their time
  let normal: Map<string, string> | undefined;
  return (version) => {
    let spelled = known.get(version);
    if (spelled === undefined) {
      normal ??= new Map(listed.map((version) => [normalForm(version), version]));
      spelled = normal.get(normalForm(version)) ?? version;
      known.set(version, spelled);
    }
    return spelled;
  };
}
