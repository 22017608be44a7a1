/** What is read from a lockfile, an SBOM or a list of PURLs, whatever its format. */
import { purl } from "../../policy/purl.ts";
import { SCHEMES } from "../mod.ts";

export interface Locked {
  /** For people: `package-lock.json 3`, `CycloneDX 1.6`. */
  readonly format: string;
  /** In the order of the file, each PURL once. */
  readonly entries: readonly LockedEntry[];
  /** What comes from no registry or has no version, so that nobody can judge it. */
  readonly skipped: readonly Skipped[];
}

/** One version of one package. */
export interface LockedEntry {
  /** Id of the ecosystem, or the PURL's type where no ecosystem of ours has it (`golang`). */
  readonly ecosystem: string;
  /**
   * As its registry is asked for it: PyPI's normalised; cargo's as written, since
   * its index has one spelling only.
   */
  readonly name: string;
  /** As written: PyPI's `1.0` may be the index's `1.0.0`. */
  readonly version: string;
  readonly purl: string;
  /** Where the file names it first, counted from 1; null: not known. */
  readonly location: { readonly line: number } | null;
  /** Digests as the file writes them (`sha512-…`, `sha256:…`). */
  readonly integrity?: string;
}

export interface Skipped {
  readonly name: string;
  /** A phrase that follows the name: `is from git (github.com/a/b)`. */
  readonly reason: string;
}

/** The file is none that we know, or broken. */
export class LockfileInvalid extends Error {
  override readonly name = "LockfileInvalid";
  /** The format that it was taken for; null: none. */
  readonly format: string | null;
  /** Counted from 1; null: not known. */
  readonly line: number | null;
  /** Whether it is no format that we know. */
  readonly unknown: boolean;

  constructor(
    message: string,
    options: ErrorOptions & { format?: string; line?: number | null; unknown?: boolean } = {},
  ) {
    super(message, options);
    this.unknown = options.unknown ?? false;
    this.format = options.format ?? null;
    this.line = options.line ?? null;
  }
}

export interface Found {
  /** Type of its PURL. */
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly line?: number | null;
  readonly integrity?: string;
}

/** More than any project has; a file of a few bytes an entry would fill the memory. */
const MAX_ENTRIES = 200_000;
const TYPE = /^[a-z][a-z0-9.+-]*$/;
/** Characters of a version; no registry has a longer one. */
const MAX_VERSION = 256;
const SCHEME_BY_TYPE = new Map([...SCHEMES.values()].map((scheme) => [scheme.purlType, scheme]));

/** Gathers entries: checks and normalises names, merges what is named twice. */
export class Collector {
  readonly #entries = new Map<string, LockedEntry>();
  /** All that is stated of an entry: one that is named again may be other bytes there. */
  readonly #integrity = new Map<string, Set<string>>();
  readonly #skipped = new Map<string, Skipped>();

  add({ type, name, version: stated, line = null, integrity }: Found): void {
    const scheme = SCHEME_BY_TYPE.get(type);
    const normal = scheme === undefined ? name : scheme.normalizeName(name);
    if (normal === null || !TYPE.test(type) || name === "") {
      return this.skip(name, `cannot be the name of a package in ${type}`);
    }
    // Clients leave out blanks around it; whatever else it is, they may find something for it.
    const version = shown(stated.trim(), MAX_VERSION);
    if (version === "") return this.skip(name, "has no version");
    const ecosystem = scheme?.ecosystem ?? type;
    const key = `${type} ${normal} ${version}`;
    if (this.#entries.has(key)) return this.#state(key, integrity);
    this.#bound();
    const asked = ecosystem === "cargo" ? name : normal;
    const named = written(type, asked, version);
    if (named === null) return this.skip(name, `cannot be written as a PURL of ${type}`);
    this.#entries.set(key, {
      ecosystem,
      name: asked,
      version,
      purl: named,
      location: line === null ? null : { line },
    });
    this.#state(key, integrity);
  }

  /** @param reason follows the name */
  skip(name: string, reason: string): void {
    this.#bound();
    const skipped = { name: shown(name, 200), reason };
    this.#skipped.set(`${skipped.name} ${reason}`, skipped);
  }

  locked(format: string): Locked {
    const entries = [...this.#entries].map(([key, entry]) => {
      const stated = this.#integrity.get(key);
      return stated === undefined ? entry : { ...entry, integrity: [...stated].join(" ") };
    });
    return { format, entries, skipped: [...this.#skipped.values()] };
  }

  #state(key: string, integrity: string | undefined): void {
    if (integrity === undefined || integrity === "") return;
    const stated = this.#integrity.get(key);
    if (stated === undefined) this.#integrity.set(key, new Set([integrity]));
    else stated.add(integrity);
  }

  #bound(): void {
    if (this.#entries.size + this.#skipped.size < MAX_ENTRIES) return;
    throw new LockfileInvalid(`It has more than ${MAX_ENTRIES.toLocaleString("en")} entries`);
  }
}

/** Null: its type asks for more than a name and a version. */
function written(type: string, name: string, version: string): string | null {
  try {
    return purl(type, name, version);
  } catch {
    return null;
  }
}

/** A piece of the file, short and without control characters and halves of others, for people. */
export function shown(text: string, length = 80): string {
  const short = text.length > length ? `${text.slice(0, length)}…` : text;
  return short.replace(/[\p{Cc}\p{Cs}]/gu, "\ufffd");
}

/** An address for a message: without user, password, query and fragment. */
export function shownAddress(text: string): string {
  const plain = text.replace(/^git\+/, "").replace(/[?#].*$/s, "");
  try {
    const { host, pathname } = new URL(plain);
    return shown(`${host}${pathname}`.replace(/\/$/, ""), 120);
  } catch {
    return shown(plain.replace(/^[^/]*@/, ""), 120);
  }
}
