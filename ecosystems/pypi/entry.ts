/**
 * The JSON text of one file, prepared when the index is read. Only three things
 * in it depend on who asks: the address, whether it is withheld, and the address
 * of its provenance. Those are slots; rendering 5,000 files is putting strings
 * together. HTML, which few clients still ask for, is made from that text.
 */
import { isRecord } from "../json.ts";
import { escapeHtml } from "./html.ts";
import type { PageFile } from "./page.ts";

const URL_SLOT = 0;
const YANKED_SLOT = 1;
const PROVENANCE_SLOT = 2;
type Part = string | typeof URL_SLOT | typeof YANKED_SLOT | typeof PROVENANCE_SLOT;

export interface Entry {
  readonly filename: string;
  readonly url: string;
  /** Path below the mount. */
  readonly served: string;
  readonly parts: readonly Part[];
  /** Yank as upstream has it, as a JSON pair with its comma; `""`: it says nothing. */
  readonly ownYank: string;
  /** Upstream's address and, if it is this upstream's, the path below the mount. */
  readonly provenance: { readonly url: string; readonly served: string | null } | null;
  /** HTML attributes that have no JSON field. */
  readonly attributes: string;
}

export interface EntryView {
  /** Absolute, ends in `/`. */
  readonly mount: string;
  readonly direct: boolean;
  /** Why the file is withheld; null: it is not. */
  readonly reason: string | null;
}

/** Where a file and its provenance appear below the mount. */
export interface Places {
  readonly file: string;
  readonly provenance: string | null;
}

export function prepareEntry(file: PageFile, places: Places): Entry {
  const { fields, filename, url, provenance, attributes } = file;
  const keys = Object.keys(fields);
  return {
    filename,
    url,
    served: places.file,
    parts: partsOf(file, keys),
    ownYank: fields.yanked === undefined
      ? ""
      : `${keys[0] === "yanked" ? "" : ","}"yanked":${JSON.stringify(file.yanked)}`,
    provenance: provenance === null ? null : { url: provenance, served: places.provenance },
    attributes,
  };
}

export function entryJson(entry: Entry, { mount, direct, reason }: EntryView): string {
  let text = "";
  for (const part of entry.parts) {
    if (typeof part === "string") text += part;
    else if (part === URL_SLOT) text += quoted(direct ? entry.url : mount + entry.served);
    else if (part === PROVENANCE_SLOT) text += quoted(provenanceAddress(entry, mount, direct));
    else if (reason === null) text += entry.ownYank;
    else text += `${entry.ownYank.startsWith('"') ? "" : ","}"yanked":${JSON.stringify(reason)}`;
  }
  return text;
}

export function entryHtml(entry: Entry, view: EntryView): string {
  const fields: unknown = JSON.parse(entryJson(entry, view));
  if (!isRecord(fields)) return "";
  const hashes = digestText(fields.hashes);
  let text = `    <a href="${escapeHtml(String(fields.url))}${hashes && `#${escapeHtml(hashes)}`}"`;
  const add = (name: string, value: unknown) => {
    if (typeof value === "string") text += ` ${name}="${escapeHtml(value)}"`;
  };
  add("data-requires-python", fields["requires-python"]);
  const metadata = fields["core-metadata"] ?? fields["data-dist-info-metadata"] ??
    fields["dist-info-metadata"];
  if (metadata === true || isRecord(metadata)) {
    const stated = digestText(metadata) || "true";
    add("data-dist-info-metadata", stated);
    add("data-core-metadata", stated);
  }
  if (typeof fields["gpg-sig"] === "boolean") add("data-gpg-sig", String(fields["gpg-sig"]));
  add("data-yanked", fields.yanked === true ? "" : fields.yanked);
  add("data-provenance", fields.provenance);
  return `${text}${entry.attributes}>${escapeHtml(entry.filename)}</a><br />\n`;
}

/** Bytes of memory, roughly. */
export function entryWeight({ parts, url, served }: Entry): number {
  return parts.reduce<number>(
    (sum, part) => sum + 24 + (typeof part === "string" ? part.length : 0),
    600 + url.length + served.length,
  );
}

function provenanceAddress({ provenance }: Entry, mount: string, direct: boolean): string {
  if (provenance === null) return "";
  return direct || provenance.served === null ? provenance.url : mount + provenance.served;
}

/** An address as JSON; few have anything to escape. */
function quoted(address: string): string {
  return /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(address)
    ? `"${address}"`
    : JSON.stringify(address);
}

/** Keys between the slots are written by one `JSON.stringify`: it is the costly part. */
function partsOf({ fields, provenance }: PageFile, keys: readonly string[]): Part[] {
  const parts: Part[] = [];
  let text = "{";
  let comma = "";
  let run: Record<string, unknown> | null = null;
  const flush = () => {
    if (run !== null) {
      text += comma + JSON.stringify(run).slice(1, -1);
      comma = ",";
      run = null;
    }
  };
  const cut = (slot: Part) => {
    parts.push(text, slot);
    text = "";
    comma = ",";
  };
  for (const key of keys) {
    if (key === "yanked") {
      flush();
      cut(YANKED_SLOT);
    } else if (key === "url" || (key === "provenance" && provenance !== null)) {
      flush();
      text += `${comma}"${key}":`;
      cut(key === "url" ? URL_SLOT : PROVENANCE_SLOT);
    } else {
      run ??= {};
      run[key] = fields[key];
    }
  }
  flush();
  if (fields.yanked === undefined) cut(YANKED_SLOT);
  parts.push(`${text}}`);
  return parts;
}

/** PEP 503 has room for one digest, and recommends SHA-256. */
function digestText(hashes: unknown): string {
  if (!isRecord(hashes)) return "";
  const name = "sha256" in hashes ? "sha256" : Object.keys(hashes)[0];
  const value = name === undefined ? undefined : hashes[name];
  return typeof value === "string" ? `${name}=${value}` : "";
}
