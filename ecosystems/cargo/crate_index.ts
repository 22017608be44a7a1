/** One crate's index: releases in, the same lines out, with the withheld ones yanked. */
import type { Release } from "../../policy/types.ts";
import type {
  Document,
  Index,
  Located,
  ParseContext,
  Rendered,
  View,
  Withheld,
} from "../ecosystem.ts";
import {
  askFacts,
  checkVersion,
  type CrateFacts,
  readCrate,
  renderCrate,
  renderVersion,
} from "./api.ts";
import { crateDocument, downloadUrl, loadConfig, type RegistryConfig } from "./config.ts";
import { type IndexLine, readLines } from "./lines.ts";
import { markYanked } from "./mark_yanked.ts";
import { readFilePath, segmentsOf } from "./paths.ts";
import { cargoVersions } from "./versions.ts";

/** Memory of one release and its line beside the file's bytes, roughly. */
const RELEASE_WEIGHT = 800;
const VERSION_FORM = "version:";

/** Form of `Index.render` for the API's page of one version. */
export function versionForm(version: string): string {
  return `${VERSION_FORM}${version}`;
}

/** Throws InvalidMetadata, UpstreamError. */
export async function parseIndex(
  document: Document,
  name: string,
  context: ParseContext,
): Promise<Index> {
  const config = await loadConfig(context);
  const lines = readLines(document.bytes, name);
  const spelled = lines[0]?.name ?? name;
  const facts = lines.some((line) => line.pubtime === null)
    ? await askFacts(config, spelled, context)
    : null;
  const releases = lines.map((line) => toRelease(line, { config, facts }));
  const positions = new Map(lines.map((line, position) => [line.version, position]));

  return {
    name: spelled,
    releases,
    weight: document.bytes.length + RELEASE_WEIGHT * releases.length,
    // The API's page may be a little older than the index, so a missing date may still come.
    provisional: facts !== null &&
      (facts.failed || (facts.versions.size > 0 && releases.some((r) => r.publishedAt === null))),
    locate: (path) => locate(path, { name: spelled, positions, releases }),
    documentFor(form) {
      if (form === "crate") return crateDocument(config, spelled);
      if (!form.startsWith(VERSION_FORM)) return null;
      return crateDocument(config, spelled, form.slice(VERSION_FORM.length));
    },
    checkDocument(form, second) {
      if (form === "crate") readCrate(second, spelled);
      else checkVersion(second, spelled, form.slice(VERSION_FORM.length));
    },
    render(form, view, second) {
      if (form === "index") return renderLines(document.bytes, lines, view);
      return second === undefined
        ? null
        : renderPage(form, view, { second, spelled, releases, positions });
    },
  };
}

function toRelease(
  line: IndexLine,
  { config, facts }: { config: RegistryConfig; facts: CrateFacts | null },
): Release {
  const { name, version, checksum, pubtime, dependencies } = line;
  const known = facts?.versions.get(version);
  return {
    ecosystem: cargoVersions.ecosystem,
    name,
    version,
    publishedAt: pubtime ?? known?.createdAt ?? null,
    yanked: line.yanked ? "" : false,
    trust: known?.trust ?? null,
    installScripts: null,
    dependencies,
    files: [{
      filename: `${name}-${version}.crate`,
      url: downloadUrl(config, { name, version, checksum }),
      digest: { algorithm: "sha256", hex: checksum },
      size: null,
    }],
  };
}

function locate(
  path: string,
  { name, positions, releases }: {
    name: string;
    positions: ReadonlyMap<string, number>;
    releases: readonly Release[];
  },
): Located | null {
  const segments = segmentsOf(path);
  if (segments === null) return null;
  const file = readFilePath(segments[0] === "crates" ? segments.slice(1) : segments);
  const same = file && cargoVersions.normalizeName(file.name) === cargoVersions.normalizeName(name);
  const release = same ? positions.get(file.version) : undefined;
  if (release === undefined) return null;
  return { release, file: releases[release].files[0], companion: false };
}

function isWithheld(view: View, position: number): boolean {
  // A release that nobody judged is not let through either.
  const action = view.judgement.verdicts[position]?.action;
  return action !== "allow" && action !== "warn";
}

function renderLines(
  bytes: Uint8Array<ArrayBuffer>,
  lines: readonly IndexLine[],
  view: View,
): Rendered {
  const type = "text/plain; charset=utf-8";
  const edits = lines.flatMap((line, position) => {
    if (line.yanked || !isWithheld(view, position)) return [];
    const { start, end } = line;
    return [{ start, end, text: markYanked(bytes.subarray(start, end)) }];
  });
  if (edits.length === 0) return { body: bytes, type };
  const growth = edits.reduce((sum, { start, end, text }) => sum + text.length - (end - start), 0);
  const body = new Uint8Array(bytes.length + growth);
  let read = 0;
  let written = 0;
  for (const { start, end, text } of edits) {
    body.set(bytes.subarray(read, start), written);
    written += start - read;
    body.set(text, written);
    written += text.length;
    read = end;
  }
  body.set(bytes.subarray(read), written);
  return { body, type };
}

function renderPage(form: string, view: View, { second, spelled, releases, positions }: {
  second: Document;
  spelled: string;
  releases: readonly Release[];
  positions: ReadonlyMap<string, number>;
}): Rendered | Withheld | null {
  if (form === "crate") {
    const shown = releases
      .filter((_, position) => !isWithheld(view, position))
      .map(({ version, publishedAt, yanked }) => ({
        version,
        publishedAt,
        yanked: yanked !== false,
      }));
    return renderCrate(second, spelled, shown);
  }
  const version = form.startsWith(VERSION_FORM) ? form.slice(VERSION_FORM.length) : "";
  const position = positions.get(version);
  if (position === undefined) return null;
  if (isWithheld(view, position)) return { withheld: position };
  return renderVersion(second, spelled, version);
}
