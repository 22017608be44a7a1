/** A PEP 503 page, put into the words of PEP 691. */
import type { Document } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { decodePath } from "./addresses.ts";
import { isDistribution } from "./filename.ts";
import { escapeHtml, readTags } from "./html.ts";
import { parseText } from "./read.ts";

export interface HtmlPage {
  readonly document: Record<string, unknown>;
  readonly files: readonly { fields: Record<string, unknown>; attributes: string }[];
  /** Of the api-version 1.x that the page says it has; null: it says none. */
  readonly minor: number | null;
}

/** Attributes that have a PEP 691 field, or that are the link itself. */
const KNOWN = new Set([
  "href",
  "data-requires-python",
  "data-yanked",
  "data-core-metadata",
  "data-dist-info-metadata",
  "data-gpg-sig",
  "data-provenance",
]);

/**
 * Links that are no distribution (navigation, directory listings) are left out,
 * as pip and uv leave them out. Throws InvalidMetadata.
 */
export function readHtmlPage(document: Document, project: string): HtmlPage {
  const files: { fields: Record<string, unknown>; attributes: string }[] = [];
  const facts = new Map<string, string[]>();
  let base: string | null = null;
  for (const { name, attributes } of readTags(parseText(document))) {
    if (name === "a") {
      const fields = fieldsOf(attributes, base ?? document.url);
      if (fields !== null) files.push({ fields, attributes: furtherAttributes(attributes) });
    } else if (name === "base") {
      base ??= URL.parse(attributes.get("href") ?? "", document.url)?.href ?? null;
    } else if (name === "meta") {
      const key = attributes.get("name") ?? "";
      const contents = facts.get(key);
      const content = attributes.get("content") ?? "";
      if (contents === undefined) facts.set(key, [content]);
      else contents.push(content);
    }
  }
  return { document: documentOf(facts, project), files, minor: minorOf(facts, project) };
}

/** The name is read from the address, where pip and uv read it, not from the text. */
function fieldsOf(
  attributes: ReadonlyMap<string, string>,
  base: string,
): Record<string, unknown> | null {
  const url = URL.parse(attributes.get("href")?.trim() ?? "", base);
  if (!attributes.has("href") || (url?.protocol !== "https:" && url?.protocol !== "http:")) {
    return null;
  }
  const filename = decodePath(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
  if (!isDistribution(filename)) return null;
  const hash = /^#(?:.*&)?(sha512|sha384|sha256|sha1|md5)=([0-9a-f]+)/i.exec(url.hash);
  url.hash = "";
  const fields: Record<string, unknown> = {
    filename,
    url: url.href,
    hashes: hash === null ? {} : { [hash[1].toLowerCase()]: hash[2].toLowerCase() },
  };
  const python = attributes.get("data-requires-python");
  if (python !== undefined && python !== "") fields["requires-python"] = python;
  const metadata = attributes.get("data-core-metadata") ??
    attributes.get("data-dist-info-metadata");
  if (metadata !== undefined) {
    const [, algorithm, digest] = /^(\w+)=([0-9a-f]+)$/i.exec(metadata) ?? [];
    const value = algorithm === undefined ? metadata !== "false" : { [algorithm]: digest };
    fields["core-metadata"] = value;
    fields["data-dist-info-metadata"] = value;
  }
  const signed = attributes.get("data-gpg-sig");
  if (signed !== undefined) fields["gpg-sig"] = signed === "true";
  const yanked = attributes.get("data-yanked");
  if (yanked !== undefined) fields.yanked = yanked === "" ? true : yanked;
  const provenance = attributes.get("data-provenance");
  if (provenance) fields.provenance = provenance;
  return fields;
}

function furtherAttributes(attributes: ReadonlyMap<string, string>): string {
  let text = "";
  for (const [name, value] of attributes) {
    if (!KNOWN.has(name) && (name === "rel" || /^data-[a-z0-9-]+$/.test(name))) {
      text += ` ${name}="${escapeHtml(value)}"`;
    }
  }
  return text;
}

function minorOf(facts: ReadonlyMap<string, string[]>, project: string): number | null {
  const version = facts.get("pypi:repository-version")?.[0];
  if (version === undefined) return null;
  const minor = /^1\.(\d{1,6})$/.exec(version)?.[1];
  if (minor !== undefined) return Number(minor);
  throw new InvalidMetadata(`Cannot read the index of ${project}: repository-version ${version}`);
}

/** Says 1.0: later versions promise `size` and `versions`, which a page has not got. */
function documentOf(
  facts: ReadonlyMap<string, string[]>,
  project: string,
): Record<string, unknown> {
  const tracks = facts.get("pypi:tracks");
  const locations = facts.get("pypi:alternate-locations");
  const status = facts.get("pypi:project-status")?.[0];
  const reason = facts.get("pypi:project-status-reason")?.[0];
  return {
    meta: { "api-version": "1.0", ...(tracks && { tracks }) },
    name: project,
    ...(locations && { "alternate-locations": locations }),
    ...(status && { "project-status": { status, ...(reason && { reason }) } }),
    files: [],
  };
}
