/** One npm package's index: releases to judge, files to find, answers to cut out. */
import { purl } from "../../policy/purl.ts";
import type { Digest, Release, ReleaseFile } from "../../policy/types.ts";
import type { Document, Index, Located, Rendered, Source, View, Withheld } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { abbreviate } from "./abbreviate.ts";
import { type Layout, readPackument, type VersionFacts } from "./layout.ts";
import { ABBREVIATED, DIST_TAGS, encodeName, FULL, MANIFEST } from "./paths.ts";
import { type Cut, renderLayout, renderManifest, renderTags } from "./render.ts";
import { npmVersions } from "./versions.ts";

const JSON_TYPE = "application/json";
const CORGI_TYPE = "application/vnd.npm.install-v1+json";

/** Reads a packument. Throws InvalidMetadata. */
export function readPackageIndex(document: Document, name: string, source: Source): Index {
  const { name: stated, layout, facts } = readPackument(document.bytes);
  if (stated !== null && stated !== name) {
    throw new InvalidMetadata(`Cannot read the index of ${name}: it says it is of ${stated}`);
  }
  return new PackageIndex(name, { layout, facts, source });
}

class PackageIndex implements Index {
  readonly releases: readonly Release[];
  readonly #full: Layout;
  readonly #facts: readonly VersionFacts[];
  /** Path after `<name>/-/` of each release's file. */
  readonly #tails: readonly (string | null)[];
  readonly #byTail = new Map<string, number>();
  readonly #byVersion = new Map<string, number>();
  #abbreviated: Layout | null = null;

  constructor(
    readonly name: string,
    { layout, facts, source }: {
      layout: Layout;
      facts: readonly VersionFacts[];
      source: Source;
    },
  ) {
    this.#full = layout;
    this.#facts = facts;
    const files = facts.map((fact, i) =>
      fileOf(name, { version: layout.versions[i].version, facts: fact, source })
    );
    this.#tails = files.map((file) => file?.tail ?? null);
    this.releases = layout.versions.map(({ version }, i) => ({
      ecosystem: "npm",
      name,
      version,
      publishedAt: publishTime(layout.time?.[version]),
      yanked: false,
      trust: facts[i].trust,
      installScripts: facts[i].installScripts,
      files: files[i] === null ? [] : [files[i].file],
    }));
    this.releases.forEach(({ version }, i) => {
      this.#byVersion.set(version, i);
      const tail = this.#tails[i];
      if (tail !== null && !this.#byTail.has(tail)) this.#byTail.set(tail, i);
    });
  }

  get weight(): number {
    return this.#full.bytes.length + (this.#abbreviated?.bytes.length ?? 0) +
      this.releases.length * 600;
  }

  locate(path: string): Located | null {
    const release = this.#byTail.get(path);
    if (release === undefined) return null;
    return { release, file: this.releases[release].files[0], companion: false };
  }

  render(form: string, view: View): Rendered | Withheld | null {
    const { judgement } = view;
    if (form.startsWith(MANIFEST)) return this.#manifest(form.slice(MANIFEST.length), view);
    const { length } = this.releases;
    if (length > 0 && judgement.denied === length) return { withheld: this.#foremost() };
    if (form === FULL) {
      return { body: renderLayout(this.#full, this.#cut(view)), type: JSON_TYPE };
    }
    if (form === ABBREVIATED) {
      this.#abbreviated ??= abbreviate(this.#full, this.name, this.#facts);
      return { body: renderLayout(this.#abbreviated, this.#cut(view)), type: CORGI_TYPE };
    }
    if (form === DIST_TAGS) {
      const tags = renderTags(this.#full, this.#cut(view));
      return { body: JSON.stringify(tags), type: JSON_TYPE };
    }
    return null;
  }

  #manifest(wanted: string, view: View): Rendered | Withheld | null {
    const { verdicts, denied } = view.judgement;
    let position = this.#byVersion.get(wanted);
    if (position === undefined) {
      if (!Object.hasOwn(this.#full.tags, wanted) && !(wanted in this.#full.tags)) return null;
      if (this.releases.length > 0 && denied === this.releases.length) {
        return { withheld: this.#foremost() };
      }
      position = this.#byVersion.get(renderTags(this.#full, this.#cut(view))[wanted]);
    }
    if (position === undefined) return null;
    if (verdicts[position].action === "deny") return { withheld: position };
    const tarball = this.#tarball(position, view);
    return { body: renderManifest(this.#full, position, tarball), type: JSON_TYPE };
  }

  #cut(view: View): Cut {
    const { verdicts, denied } = view.judgement;
    return {
      hidden: denied,
      isKept: (position) => verdicts[position].action !== "deny",
      tarball: (position) => this.#tarball(position, view),
      restrictions: () => this.#restrictions(view),
    };
  }

  #tarball(position: number, view: View): string | null {
    const tail = this.#tails[position];
    if (view.direct || tail === null) return null;
    return `${view.mount}${this.name}/-/${tail.split("/").map(encodeURIComponent).join("/")}`;
  }

  /** What npm prints for a version it may not have, and which those are. */
  #restrictions(view: View): { message: string; versions: Record<string, unknown> } {
    const versions: Record<string, unknown> = Object.create(null);
    const withheld: number[] = [];
    view.judgement.verdicts.forEach((verdict, position) => {
      if (verdict.action !== "deny") return;
      const { version } = this.releases[position];
      versions[version] = { name: this.name, version };
      withheld.push(position);
    });
    const named = this.#newestFirst(withheld).slice(0, 3).map((position) => {
      const { code, message } = view.judgement.verdicts[position];
      return `${this.name} ${this.releases[position].version} is withheld (${code}): ${message}.`;
    });
    const more = withheld.length - named.length;
    if (more > 0) named.push(`${more} more version${more > 1 ? "s are" : " is"} withheld.`);
    named.push(`See ${view.why(purl("npm", this.name))}`);
    return { message: named.join("\n"), versions };
  }

  #newestFirst(positions: readonly number[]): number[] {
    return positions.toSorted((a, b) =>
      npmVersions.compare(this.releases[b].version, this.releases[a].version)
    );
  }

  /** The release a refusal of everything speaks of: `latest`, else the highest. */
  #foremost(): number {
    const latest = this.#byVersion.get(this.#full.tags.latest ?? "");
    if (latest !== undefined) return latest;
    return this.#newestFirst(this.releases.map((_, position) => position))[0];
  }
}

/** RFC 3339 only: what else Date.parse takes would be a guess. */
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/;

function publishTime(value: unknown): number | null {
  if (typeof value !== "string" || !TIME.test(value)) return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : time;
}

function fileOf(
  name: string,
  { version, facts, source }: { version: string; facts: VersionFacts; source: Source },
): { file: ReleaseFile; tail: string } | null {
  if (facts.tarball === null) return null;
  const base = name.slice(name.indexOf("/") + 1);
  const conventional = `${base}-${version}.tgz`;
  const stated = upstreamTail(name, facts.tarball, source);
  const tail = stated?.tail ?? conventional;
  const filename = tail.slice(tail.lastIndexOf("/") + 1);
  const url = stated?.url ?? new URL(`${encodeName(name)}/-/${conventional}`, source.url).href;
  return { tail, file: { filename, url, digest: digestOf(facts), size: null } };
}

/**
 * The tarball's path below `<name>/-/`, if it is at the upstream itself. An
 * address elsewhere on the upstream keeps its own URL under the conventional
 * name; one on another host (a mirror that names its origin) is asked of the
 * upstream by convention, and its digest tells whether that is the same file.
 */
function upstreamTail(
  name: string,
  tarball: string,
  source: Source,
): { tail: string | null; url: string } | null {
  if (!URL.canParse(tarball)) return null;
  const url = new URL(tarball);
  const base = new URL(source.url);
  if (url.origin !== base.origin || url.username !== "" || url.password !== "") return null;
  let path: string;
  try {
    path = decodeURIComponent(url.pathname);
  } catch {
    return null;
  }
  const prefix = `${decodeURIComponent(base.pathname)}${name}/-/`;
  const tail = path.startsWith(prefix) ? path.slice(prefix.length) : "";
  return { tail: TAIL.test(tail) ? tail : null, url: url.href };
}

const TAIL = /^(?!\.{1,2}(?:\/|$))[^/\\\p{Cc}]+(?:\/(?!\.{1,2}(?:\/|$))[^/\\\p{Cc}]+)?$/u;

/** The strongest digest stated. One that cannot be read matches nothing, so its file is refused. */
function digestOf({ integrity, shasum }: VersionFacts): Digest | null {
  if (integrity !== null) {
    for (const algorithm of ["sha512", "sha384", "sha256", "sha1"] as const) {
      const match = new RegExp(`(?:^|\\s)${algorithm}-([A-Za-z0-9+/]+={0,2})`).exec(integrity);
      if (match === null) continue;
      return { algorithm, hex: base64ToHex(match[1]) };
    }
  }
  return shasum === null ? null : { algorithm: "sha1", hex: shasum.toLowerCase() };
}

function base64ToHex(text: string): string {
  try {
    return Uint8Array.fromBase64(text).toHex();
  } catch {
    return "unreadable";
  }
}
