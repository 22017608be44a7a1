import type { Digest, Release, ReleaseFile } from "../../policy/types.ts";
import type { Document, Index, Located, Rendered, Source, View } from "../ecosystem.ts";
import { isRecord } from "../json.ts";
import { type Form, MEDIA_TYPES } from "./accept.ts";
import { decodePath, filePaths, integrityBase, mountedProvenance } from "./addresses.ts";
import { type Entry, entryHtml, entryJson, entryWeight, prepareEntry } from "./entry.ts";
import { escapeHtml } from "./html.ts";
import { readLegacy, renderLegacy } from "./legacy.ts";
import { type ProjectPage, readPage } from "./page.ts";
import { companionDigest, readReleases } from "./releases.ts";
import { withheldReason } from "./withheld.ts";

const METADATA = ".metadata";

/** @param project normalised name. Throws InvalidMetadata. */
export function readIndex(document: Document, project: string, source: Source): Index {
  const page = readPage(document, project);
  const releases = readReleases(page, project);
  const integrity = integrityBase(source);
  const paths = page.files.map(({ url, filename }) => filePaths(url, filename, project));
  const entries = page.files.map((file, position) =>
    prepareEntry(file, {
      file: paths[position].listed,
      provenance: file.provenance === null ? null : mountedProvenance(file.provenance, integrity),
    })
  );
  const companions = page.files.map(companionDigest);
  const positions = new Map<string, number>();
  paths.forEach(({ listed, own }, position) => {
    for (const path of own === null || own === listed ? [listed] : [listed, own]) {
      const decoded = decodePath(path);
      if (!positions.has(decoded)) positions.set(decoded, position);
    }
  });
  const frames = { json: jsonFrame(page), html: htmlFrame(page, project) };
  const name = typeof page.document.name === "string" ? page.document.name : project;
  return {
    name,
    releases,
    weight: entries.reduce((sum, entry) => sum + entryWeight(entry), 2000),
    locate: (path) => locate(path, { positions, releases, companions }),
    checkDocument: (form, further) => void readLegacy(form.slice("legacy/".length), further),
    render: (form, view, further) => {
      if (form === "json" || form === "html" || form === "v1+html") {
        return renderPage(form, view, {
          entries,
          frame: form === "json" ? frames.json : frames.html,
        });
      }
      return form === "legacy" || form.startsWith("legacy/")
        ? renderLegacy(form.slice("legacy/".length), view, { releases, entries, document: further })
        : null;
    },
  };
}

interface Lookup {
  readonly positions: ReadonlyMap<string, number>;
  readonly releases: readonly Release[];
  readonly companions: readonly (Digest | null | false)[];
}

function locate(path: string, { positions, releases, companions }: Lookup): Located | null {
  const decoded = decodePath(path);
  const position = positions.get(decoded);
  if (position !== undefined) {
    return { release: position, file: releases[position].files[0], companion: false };
  }
  if (!decoded.endsWith(METADATA)) return null;
  const beside = positions.get(decoded.slice(0, -METADATA.length));
  const digest = beside === undefined ? false : companions[beside];
  if (beside === undefined || digest === false) return null;
  return { release: beside, file: companion(releases[beside].files[0], digest), companion: true };
}

function companion(file: ReleaseFile, digest: Digest | null): ReleaseFile {
  const url = new URL(file.url);
  url.pathname += METADATA;
  return { filename: file.filename + METADATA, url: url.href, digest, size: null };
}

interface Frame {
  readonly before: string;
  readonly between: string;
  readonly after: string;
}

function renderPage(
  form: Form,
  { mount, direct, judgement }: View,
  { entries, frame }: { entries: readonly Entry[]; frame: Frame },
): Rendered {
  const render = form === "json" ? entryJson : entryHtml;
  let body = frame.before;
  entries.forEach((entry, position) => {
    if (position > 0) body += frame.between;
    const reason = withheldReason(judgement.verdicts[position]);
    body += render(entry, { mount, direct, reason });
  });
  body += frame.after;
  const charset = form === "json" ? "" : "; charset=utf-8";
  return { body, type: MEDIA_TYPES[form] + charset };
}

/** The document around its files, keys in their order. */
function jsonFrame({ document }: ProjectPage): Frame {
  const pairs = Object.keys(document).map((key) => ({
    key,
    text: `${JSON.stringify(key)}:${key === "files" ? "[" : JSON.stringify(document[key])}`,
  }));
  const at = pairs.findIndex(({ key }) => key === "files");
  const before = pairs.slice(0, at + 1).map(({ text }) => text).join(",");
  const after = pairs.slice(at + 1).map(({ text }) => `,${text}`).join("");
  return { before: `{${before}`, between: ",", after: `]${after}}` };
}

function htmlFrame({ document }: ProjectPage, project: string): Frame {
  const { meta, "project-status": status, "alternate-locations": locations } = document;
  const version = isRecord(meta) ? meta["api-version"] : undefined;
  const facts: [name: string, value: unknown][] = [["repository-version", version]];
  for (const track of listOf(isRecord(meta) ? meta.tracks : undefined)) {
    facts.push(["tracks", track]);
  }
  for (const location of listOf(locations)) facts.push(["alternate-locations", location]);
  if (isRecord(status)) {
    facts.push(["project-status", status.status], ["project-status-reason", status.reason]);
  }
  const lines = facts.map(([name, value]) =>
    typeof value === "string"
      ? `    <meta name="pypi:${name}" content="${escapeHtml(value)}">\n`
      : ""
  );
  return {
    before: `<!DOCTYPE html>\n<html>\n  <head>\n${lines.join("")}` +
      `    <title>Links for ${project}</title>\n  </head>\n  <body>\n` +
      `    <h1>Links for ${project}</h1>\n`,
    between: "",
    after: "  </body>\n</html>\n",
  };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
