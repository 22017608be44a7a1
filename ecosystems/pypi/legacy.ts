/**
 * PyPI's older JSON API, under the verdicts of the simple index. Poetry reads
 * it; so do scripts that ask for the newest version.
 */
import type { Release } from "../../policy/types.ts";
import type { Document, Rendered, View, Withheld } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { isRecord } from "../json.ts";
import type { Entry } from "./entry.ts";
import { parseJson } from "./read.ts";
import { pypiVersions } from "./versions.ts";
import { withheldReason } from "./withheld.ts";

export interface LegacyContext {
  readonly releases: readonly Release[];
  /** Parallel to the releases. */
  readonly entries: readonly Entry[];
  readonly document: Document | undefined;
}

/** @param version `""`: the whole project. Throws InvalidMetadata. */
export function renderLegacy(
  version: string,
  view: View,
  { releases, entries, document }: LegacyContext,
): Rendered | Withheld | null {
  const files = new JudgedFiles(releases, entries, view);
  if (version !== "") {
    const withheld = files.withheld(version);
    if (withheld !== null) return { withheld };
  }
  if (document === undefined) return null;
  const { page, info } = readLegacy(version, document);
  const stated = info.version;
  const result: Record<string, unknown> = { ...page };
  if (page.urls !== undefined) result.urls = filterFiles(page.urls, files);
  const unjudged = typeof stated === "string" && hasFiles(page, stated) && !files.lists(stated);
  if (version !== "" && unjudged) return null;
  if (page.releases !== undefined) {
    if (!isRecord(page.releases)) throw new InvalidMetadata(`Cannot read ${document.url}`);
    result.releases = Object.fromEntries(
      Object.entries(page.releases).map(([key, value]) => [key, filterFiles(value, files)]),
    );
  }
  if (version === "") {
    const shown = typeof stated === "string" ? stated : "";
    const withheld = files.withheld(shown);
    if (withheld !== null || unjudged) {
      const replacement = files.highest();
      if (replacement === null) return files.refused(withheld);
      Object.assign(result, presenting(result, info, replacement));
    }
  }
  return { body: JSON.stringify(result), type: "application/json" };
}

/** @param version `""`: the whole project. Throws InvalidMetadata. */
export function readLegacy(version: string, document: Document) {
  const page = parseJson(document);
  const { info } = page;
  if (!isRecord(info)) throw new InvalidMetadata(`Cannot read ${document.url}: it has no info`);
  const stated = info.version;
  if (version !== "" && (typeof stated !== "string" || !same(stated, version))) {
    throw new InvalidMetadata(`Cannot read ${document.url} as version ${version}`);
  }
  return { page, info };
}

/** The files of one index with their verdicts, by name and by version. */
class JudgedFiles {
  /** By name; of several of one name, the withheld one. */
  readonly #positions = new Map<string, number>();

  constructor(
    readonly releases: readonly Release[],
    readonly entries: readonly Entry[],
    readonly view: View,
  ) {
    entries.forEach(({ filename }, position) => {
      const known = this.#positions.get(filename);
      if (known === undefined || (this.reason(known) === null && this.reason(position) !== null)) {
        this.#positions.set(filename, position);
      }
    });
  }

  reason(position: number): string | null {
    return withheldReason(this.view.judgement.verdicts[position]);
  }

  /** The position of a file in the index; of several of one name, the withheld one. */
  find(filename: string): number | null {
    return this.#positions.get(filename) ?? null;
  }

  /** Whether the index has files of a version. */
  lists(version: string): boolean {
    return this.releases.some((release) => same(release.version, version));
  }

  /** Position of a file of a version of which every file is withheld; null: one is not, or there is none. */
  withheld(version: string): number | null {
    const positions = this.releases.flatMap((release, position) =>
      same(release.version, version) ? [position] : []
    );
    if (positions.some((position) => this.reason(position) === null)) return null;
    return positions[0] ?? null;
  }

  /** The answer where nothing may be shown; `preferred` is the release to speak of. */
  refused(preferred: number | null): Withheld | null {
    return this.releases.length === 0 ? null : { withheld: preferred ?? 0 };
  }

  /** The version that a client gets by default: a final one before a pre-release, a yanked one last. */
  highest(): string | null {
    const rank = ({ version, yanked }: Release) =>
      yanked !== false ? 0 : pypiVersions.isPrerelease(version) ? 1 : 2;
    const visible = this.releases.filter((_, position) => this.reason(position) === null);
    visible.sort((a, b) => rank(b) - rank(a) || pypiVersions.compare(b.version, a.version));
    return visible[0]?.version ?? null;
  }
}

/** Whether a document has files of the version it is about. */
function hasFiles({ urls, releases }: Record<string, unknown>, version: string): boolean {
  const listed = isRecord(releases) ? releases[version] : undefined;
  return [urls, listed].some((files) => Array.isArray(files) && files.length > 0);
}

/** A file that the index does not list is newer than our copy of it: unjudged, so left out. */
function filterFiles(value: unknown, files: JudgedFiles): unknown[] {
  if (!Array.isArray(value)) throw new InvalidMetadata("Cannot read the files of a JSON page");
  return value.flatMap((file: unknown) => {
    if (!isRecord(file) || typeof file.filename !== "string") {
      throw new InvalidMetadata("Cannot read a file of a JSON page");
    }
    const position = files.find(file.filename);
    if (position === null) return [];
    const { view, entries } = files;
    const reason = files.reason(position);
    const url = view.direct ? entries[position].url : view.mount + entries[position].served;
    return [{ ...file, url, ...(reason !== null && { yanked: true, yanked_reason: reason }) }];
  });
}

/** Speaks of another version; what only the first one's metadata says is left out. */
function presenting(
  page: Record<string, unknown>,
  info: Record<string, unknown>,
  version: string,
): Record<string, unknown> {
  const releases = isRecord(page.releases) ? page.releases : {};
  const key = Object.keys(releases).find((candidate) => same(candidate, version));
  const listed = key === undefined ? [] : releases[key];
  const urls = Array.isArray(listed) ? listed.filter(isRecord) : [];
  const open = urls.find((file) => file.yanked !== true) ?? urls[0];
  const changed: Record<string, unknown> = {
    version,
    yanked: urls.length > 0 && urls.every((file) => file.yanked === true),
    yanked_reason: open?.yanked === true ? open.yanked_reason ?? null : null,
    requires_python: open?.requires_python ?? null,
    requires_dist: null,
    provides_extra: null,
    release_url: releaseUrl(info, version),
  };
  const kept = Object.fromEntries(Object.entries(changed).filter(([name]) => name in info));
  return {
    info: { ...info, ...kept, version },
    ...("urls" in page && { urls }),
    // those of the other version; none at all would say that this one has none
    vulnerabilities: undefined,
  };
}

function releaseUrl({ release_url, version }: Record<string, unknown>, replacement: string) {
  if (typeof release_url !== "string" || typeof version !== "string") return null;
  return release_url.endsWith(`/${version}/`)
    ? `${release_url.slice(0, -version.length - 1)}${encodeURIComponent(replacement)}/`
    : null;
}

function same(a: string, b: string): boolean {
  return a === b || pypiVersions.compare(a, b) === 0;
}
