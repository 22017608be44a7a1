/** A project's page in the simple index, read: one shape for both forms it comes in. */
import type { Document } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { isRecord } from "../json.ts";
import { MEDIA_TYPES } from "./accept.ts";
import { fileAddress } from "./addresses.ts";
import { readHtmlPage } from "./page_html.ts";
import { checkMeta, parseJson } from "./read.ts";
import { pypiVersions } from "./versions.ts";

export interface ProjectPage {
  /** PEP 691's document with all its keys; the value of `files` is not to be used. */
  readonly document: Record<string, unknown>;
  readonly files: readonly PageFile[];
  /** Whether this index would say so if a file had provenance (PEP 740: api-version 1.3). */
  readonly statesProvenance: boolean;
}

export interface PageFile {
  /** As PEP 691 has them, unknown ones included. */
  readonly fields: Record<string, unknown>;
  readonly filename: string;
  /** Absolute, without fragment. */
  readonly url: string;
  readonly yanked: boolean | string;
  readonly provenance: string | null;
  /** Attributes of an HTML page that PEP 691 knows nothing of, as HTML text. */
  readonly attributes: string;
}

/** Twice what file systems take; reading a name takes longer than its length. */
const MAX_FILENAME = 512;

/** @param project normalised name. Throws InvalidMetadata. */
export function readPage(document: Document, project: string): ProjectPage {
  switch (document.type) {
    case MEDIA_TYPES.json:
      return readJsonPage(document, project);
    case MEDIA_TYPES["v1+html"]:
    case MEDIA_TYPES.html: {
      const page = readHtmlPage(document, project);
      return {
        document: page.document,
        files: page.files.map(({ fields, attributes }) =>
          readFile(fields, { base: document.url, attributes })
        ),
        statesProvenance: page.minor !== null && page.minor >= 3,
      };
    }
    default:
      throw new InvalidMetadata(`Cannot read ${document.type || "no type"} as a simple index`);
  }
}

function readJsonPage(document: Document, project: string): ProjectPage {
  const page = parseJson(document);
  const minor = checkMeta(page);
  if (
    page.name !== undefined &&
    (typeof page.name !== "string" || pypiVersions.normalizeName(page.name) !== project)
  ) {
    throw new InvalidMetadata(
      `Cannot read the index of ${JSON.stringify(page.name)} as ${project}`,
    );
  }
  if (!Array.isArray(page.files)) throw new InvalidMetadata(`The index of ${project} has no files`);
  const files = page.files.map((fields: unknown) => {
    if (isRecord(fields)) return readFile(fields, { base: document.url, attributes: "" });
    throw new InvalidMetadata(`Cannot read a file in the index of ${project}`);
  });
  return { document: page, files, statesProvenance: minor >= 3 };
}

function readFile(
  fields: Record<string, unknown>,
  { base, attributes }: { base: string; attributes: string },
): PageFile {
  const { filename, url, yanked = false, provenance = null } = fields;
  if (!isFilename(filename)) {
    const stated = String(JSON.stringify(filename)).slice(0, MAX_FILENAME);
    throw new InvalidMetadata(`Cannot read ${stated} as a file name`);
  }
  const address = typeof url === "string" && url !== "" ? fileAddress(url, base) : null;
  if (address === null) throw new InvalidMetadata(`Cannot read the address of ${filename}`);
  if (typeof yanked !== "boolean" && typeof yanked !== "string") {
    throw new InvalidMetadata(`Cannot read whether ${filename} is yanked`);
  }
  if (provenance !== null && typeof provenance !== "string") {
    throw new InvalidMetadata(`Cannot read the provenance of ${filename}`);
  }
  return { fields, filename, url: address, yanked, provenance, attributes };
}

function isFilename(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_FILENAME && value.isWellFormed() &&
    // deno-lint-ignore no-control-regex
    /^(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]+$/.test(value);
}
