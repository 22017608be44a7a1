/** One npm package's index: releases to judge, files to find, answers to cut out. */
import { purl } from "../../policy/purl.ts";
import type { Release, ReleaseFile, Trust } from "../../policy/types.ts";
import type { Document, Index, Located, Rendered, Source, View, Withheld } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { abbreviate } from "./abbreviate.ts";
import { stringAt } from "./json_scan.ts";
import { type Layout, PackedLayout, type Packument, readPackument } from "./layout.ts";
import type { VersionFacts } from "./manifest.ts";
import { ABBREVIATED, DIST_TAGS, FULL, MANIFEST } from "./paths.ts";
import { type Cut, renderLayout, renderManifest, renderTags, type Tarballs } from "./render.ts";
import { type ManifestPlace, readDependencies, readDeprecated, readLicense } from "./stated.ts";
import { conventionalTarball, digestOf, readTarball, type Tarball } from "./tarball.ts";
import { npmVersions } from "./versions.ts";

const JSON_TYPE = "application/json";
const CORGI_TYPE = "application/vnd.npm.install-v1+json";

/** Reads a packument. Throws InvalidMetadata. */
export function readPackageIndex(document: Document, name: string, source: Source): Index {
  const usual = `${source.url}${name}/-/`;
  const packument = readPackument(document.bytes, usual);
  const { name: stated, layout } = packument;
  if (stated !== null && stated !== name) {
    throw new InvalidMetadata(`Cannot read the index of ${name}: it says it is of ${stated}`);
  }
  const { packed } = document;
  return new PackageIndex(name, {
    packument,
    layout: packed === undefined ? layout : new PackedLayout(layout, packed),
    source,
    size: packed?.size ?? null,
  });
}

/** A version of the package; what few ask for is read out of the document when they do. */
class NpmRelease implements Release, ManifestPlace {
  readonly ecosystem = "npm";
  readonly yanked = false;
  /** Where its manifest begins. */
  readonly at: number;
  readonly #layout: Layout;
  readonly #fileOf: () => ReleaseFile | null;

  constructor(
    readonly name: string,
    readonly version: string,
    { publishedAt, trust, installScripts, file, layout, at }: {
      publishedAt: number | null;
      trust: Trust;
      installScripts: boolean;
      file: () => ReleaseFile | null;
      layout: Layout;
      at: number;
    },
  ) {
    this.#layout = layout;
    this.at = at;
    this.publishedAt = publishedAt;
    this.trust = trust;
    this.installScripts = installScripts;
    this.#fileOf = file;
  }

  readonly publishedAt: number | null;
  readonly trust: Trust;
  readonly installScripts: boolean;

  get bytes(): Uint8Array {
    return this.#layout.bytes;
  }

  get deprecated(): string | false {
    return readDeprecated(this);
  }

  get license(): string | null {
    return readLicense(this);
  }

  get dependencies(): readonly string[] {
    return readDependencies(this);
  }

  get files(): readonly ReleaseFile[] {
    const file = this.#fileOf();
    return file === null ? [] : [file];
  }
}

class PackageIndex implements Index {
  readonly releases: readonly Release[];
  readonly #full: Layout;
  readonly #facts: readonly VersionFacts[];
  readonly #source: Source;
  readonly #byVersion: ReadonlyMap<string, number>;
  readonly #modified: string | null;
  /** Files by their path behind `<name>/-/`; made when one is asked for by another than its usual name. */
  #byTail: Map<string, number> | null = null;
  /** Files that were asked for, so that the document need not be unpacked for the next one who does. */
  readonly #located = new Map<string, Located>();
  #abbreviated: Layout | null = null;
  /** Bytes of the document where it is held packed. */
  readonly #packedSize: number | null;

  constructor(
    readonly name: string,
    { packument: { facts, published, positions, modified }, layout, source, size }: {
      packument: Packument;
      /** Its own, packed or not. */
      layout: Layout;
      source: Source;
      /** Bytes it holds packed; null: it is not. */
      size: number | null;
    },
  ) {
    this.#packedSize = size;
    this.#full = layout;
    this.#facts = facts;
    this.#byVersion = positions;
    this.#modified = modified;
    this.#source = source;
    this.releases = layout.versions.map(({ version, value }, position) => {
      const { trust, installScripts } = facts[position];
      return new NpmRelease(name, version, {
        publishedAt: published[position],
        trust,
        installScripts,
        file: () => this.#file(position),
        layout,
        at: value,
      });
    });
  }

  get weight(): number {
    // With the abbreviated form, which may be made later.
    const documents = this.#packedSize ?? this.#full.bytes.length * 1.5;
    return documents + this.releases.length * 600;
  }

  locate(path: string): Located | null {
    const known = this.#located.get(path);
    if (known !== undefined) return known;
    const release = this.#usualPosition(path) ?? this.#tails().get(path);
    const file = release === undefined ? null : this.#file(release);
    if (release === undefined || file === null) return null;
    const located = { release, file, companion: false };
    this.#located.set(path, located);
    return located;
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
      const layout = this.#abbreviated ?? abbreviate(this.#full, {
        name: this.name,
        modified: this.#modified,
        facts: this.#facts,
      });
      if (this.#packedSize === null) this.#abbreviated = layout;
      return { body: renderLayout(layout, this.#cut(view)), type: CORGI_TYPE };
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
      const { tags } = this.#full;
      if (!(wanted in tags)) return null;
      if (this.releases.length > 0 && denied === this.releases.length) {
        return { withheld: this.#foremost() };
      }
      const told = renderTags(this.#full, this.#cut(view));
      // A tag that nothing stands in for is refused for the version it names.
      position = this.#byVersion.get(told[wanted] ?? tags[wanted]);
    }
    if (position === undefined) return null;
    if (verdicts[position].action === "deny") return { withheld: position };
    const body = renderManifest(this.#full, position, this.#tarballs(view));
    return { body, type: JSON_TYPE };
  }

  #cut(view: View): Cut {
    const { verdicts, denied } = view.judgement;
    return {
      hidden: denied,
      isKept: (position) => verdicts[position].action !== "deny",
      tarballs: this.#tarballs(view),
      restrictions: () => this.#restrictions(view),
    };
  }

  #tarballs({ direct, mount }: View): Tarballs | null {
    if (direct) return null;
    const before = `${mount}${this.name}/-/`;
    return {
      usual: new TextEncoder().encode(before),
      unusual: (position) => {
        const tarball = this.#tarball(position);
        return tarball === null
          ? null
          : before + tarball.tail.split("/").map(encodeURIComponent).join("/");
      },
    };
  }

  /** The file of a version, as the document states it. */
  #file(position: number): ReleaseFile | null {
    const tarball = this.#tarball(position);
    if (tarball === null) return null;
    const { integrityStart, integrityEnd, shasumStart, shasumEnd } = this.#facts[position];
    const { bytes } = this.#full;
    const text = (start: number, end: number) => end === 0 ? null : stringAt(bytes, start, end);
    return {
      filename: tarball.tail.slice(tarball.tail.lastIndexOf("/") + 1),
      url: tarball.url,
      digest: digestOf(text(integrityStart, integrityEnd), text(shasumStart, shasumEnd)),
      size: null,
    };
  }

  #tarball(position: number): Tarball | null {
    const { version, tarballStart, tarballEnd, tailStart } = this.#full.versions[position];
    if (tarballEnd === 0) return null;
    const address = stringAt(this.#full.bytes, tarballStart, tarballEnd);
    if (tailStart > 0) return { tail: address.slice(tailStart - tarballStart - 1), url: address };
    return readTarball(address, { name: this.name, version, source: this.#source });
  }

  /** By the usual name of a file, if the file of that version has it. */
  #usualPosition(path: string): number | undefined {
    const base = conventionalTarball(this.name, "").slice(0, -".tgz".length);
    if (!path.startsWith(base) || !path.endsWith(".tgz")) return undefined;
    const position = this.#byVersion.get(path.slice(base.length, -".tgz".length));
    return position !== undefined && this.#tarball(position)?.tail === path ? position : undefined;
  }

  #tails(): ReadonlyMap<string, number> {
    if (this.#byTail === null) {
      this.#byTail = new Map();
      for (let position = 0; position < this.releases.length; position++) {
        const tail = this.#tarball(position)?.tail;
        if (tail !== undefined && !this.#byTail.has(tail)) this.#byTail.set(tail, position);
      }
    }
    return this.#byTail;
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
