/**
 * What an ecosystem is to the rest of the proxy: how its paths, its index and
 * its refusals look. It decides nothing; decisions come from `policy/` alone.
 */
import type { Judgement, Policy, Release, ReleaseFile, VersionScheme } from "../policy/types.ts";

/** A request below one of an ecosystem's mounts. */
export interface RegistryRequest {
  /** `GET` and `HEAD` arrive as `GET`. */
  readonly method: string;
  /** Which of `Ecosystem.mounts` the path was under; `""` for npm at the root. */
  readonly mount: string;
  /** Path below the mount, still percent-encoded, without leading slash or query. */
  readonly path: string;
  /** With its `?`, or `""`. */
  readonly search: string;
  readonly headers: Headers;
}

/** What a path means. */
export type Target =
  | IndexTarget
  | FileTarget
  | PassTarget
  | PageTarget
  | FixedTarget
  /** To a path below the same mount. */
  | { readonly kind: "redirect"; readonly path: string };

/** A view of one package's index. */
export interface IndexTarget {
  readonly kind: "index";
  /** As the client wrote it, decoded; `Ecosystem.versions.normalizeName` accepts it. */
  readonly name: string;
  /** Which representation; the ecosystem's own word, given back to `Index.render`. */
  readonly form: string;
  /** A second upstream document that this form is made from (PyPI's legacy JSON, a crate's API page). */
  readonly document?: DocumentAddress;
}

/** One file; found through its package's index, never from the path alone. */
export interface FileTarget {
  readonly kind: "file";
  /** Packages whose index may hold it, likeliest first. */
  readonly names: readonly string[];
  /** Given to `Index.locate`. */
  readonly path: string;
}

/** Passed through unjudged to a fixed upstream address. */
export interface PassTarget {
  readonly kind: "pass";
  readonly method: "GET" | "POST";
  /** Relative to the upstream's base address, query included. */
  readonly path: string;
  readonly accept: string;
  /** The answer is npm's advisories: it may lift `min_age`. */
  readonly audit?: boolean;
  /** The package it speaks of: decides which registry is asked. */
  readonly name?: string;
}

/** An answer of the proxy's own. */
export interface FixedTarget {
  readonly kind: "fixed";
  render(view: MountView): Rendered;
}

/** One upstream document, rendered anew without judging (a list of all projects). */
export interface PageTarget<T = unknown> {
  readonly kind: "page";
  readonly document: DocumentAddress;
  readonly reading: Reading<T>;
  /** Equal where `render` gives the same of one document: it may be large, and slow to render. */
  form(view: MountView): string;
  /** @param value what `reading` made */
  render(value: T, view: MountView): Rendered;
}

export interface DocumentAddress {
  /** Relative to the upstream's base address; absolute addresses must be on an allowed origin. */
  readonly url: string;
  readonly accept: string;
}

/** A whole upstream answer, inflated and within the size cap. */
export interface Document {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Media type in lower case, without parameters. */
  readonly type: string;
  /** Where it came from, after redirects. */
  readonly url: string;
  /** Where holding the bytes as they came saves a lot of memory; absent: it does not. */
  readonly packed?: Packed;
}

/** What is made of a document and kept in its place. */
export interface Reading<T> {
  /** Where one document is read in several ways: tells them apart. */
  readonly id: string;
  /** Throws InvalidMetadata: then the last one that could be read is used on. */
  read(document: Document): T;
  /** Bytes of memory that it holds, roughly. */
  weigh(value: T): number;
}

/** A large document in the form it came in. */
export interface Packed {
  /** Bytes it holds. */
  readonly size: number;
  /** The document's bytes anew. */
  unpack(): Uint8Array<ArrayBuffer>;
}

/** Where an index is asked for. */
export interface Source {
  readonly ecosystem: string;
  /** Base address; ends in `/`. */
  readonly url: string;
  /** Value of the Authorization header to send there; null: none. */
  readonly authorization: string | null;
  /** Cache partition: `""` for the public upstream, else unique to org, registry and credential. */
  readonly partition: string;
  /** Further origins that files may be fetched from. */
  readonly fileOrigins: readonly string[];
  /** Whether a policy names it, and not the operator: then its addresses are looked at. */
  readonly namedByPolicy?: boolean;
}

/** The address a client uses for this ecosystem. */
export interface MountView {
  /** Absolute; ends in `/`. */
  readonly mount: string;
  readonly policy: Policy;
}

export interface View extends MountView {
  readonly judgement: Judgement;
  /** `downloads: "direct"`: leave the upstream's addresses in place. */
  readonly direct: boolean;
  /** Address of the page that explains a package (PURL) to a person. */
  why(purl: string): string;
}

export interface Rendered {
  readonly body: Uint8Array<ArrayBuffer> | string;
  /** Content-Type. */
  readonly type: string;
}

/** A release that this form cannot be rendered without, but which is withheld: refuse, and say why. */
export interface Withheld {
  /** Position in `Index.releases`. */
  readonly withheld: number;
}

/** One package's index, read once. */
export interface Index {
  /** As the registry spells it. */
  readonly name: string;
  readonly releases: readonly Release[];
  /** Bytes of memory it holds, roughly. */
  readonly weight: number;
  /** The file at a path, or null. */
  locate(path: string): Located | null;
  /** The second upstream document that a form is made from, where only the index knows its address. */
  documentFor?(form: string): DocumentAddress | null;
  /** Throws InvalidMetadata where no form of that name can be made from a second document. */
  checkDocument?(form: string, document: Document): void;
  /** A document that completes the index could not be had, so it is worth reading again soon. */
  readonly provisional?: boolean;
  /** null: this index has no such form (an unknown version or tag). Throws InvalidMetadata. */
  render(form: string, view: View, document?: Document): Rendered | Withheld | null;
}

export interface Located {
  /** Position in `Index.releases`: whose verdict counts. */
  readonly release: number;
  /** What is sent. For a companion (`.metadata`), its own address and digest. */
  readonly file: ReleaseFile;
  /** Served beside a file, so not an install of its own. */
  readonly companion: boolean;
}

export interface ParseContext {
  readonly source: Source;
  /**
   * A further document of the same upstream, cached as it was read; null where upstream says
   * 404. Throws UpstreamError, InvalidMetadata.
   */
  document<T>(address: DocumentAddress, reading: Reading<T>): Promise<T | null>;
}

/** A withheld release, as a client is told. */
export interface Refusal {
  readonly ecosystem: string;
  readonly name: string;
  /** null: the package is withheld by its name. */
  readonly version: string | null;
  /** null where the index was refused. */
  readonly filename: string | null;
  readonly purl: string;
  readonly code: string;
  readonly message: string;
  /** Unix ms; null: not known. */
  readonly until: number | null;
  /** Address of the `/why/` page. */
  readonly why: string;
}

/** How far a file may go out before all of it is known to be right. */
export interface HoldBack {
  /** How many bytes of the next piece; what is behind them, and all that follows, is held back. */
  free(piece: Uint8Array<ArrayBuffer>): number;
  /**
   * Whether the oldest of what is held back is of no use by itself: then a byte of it goes out
   * from time to time, so that the client goes on waiting.
   */
  readonly trickles: boolean;
}

export interface OsvNames {
  readonly ecosystem: string;
  /** Its name of a package; absent: as the registry spells it. */
  name?(spelled: string): string;
}

export interface Ecosystem {
  readonly id: string;
  /** For people: `npm`, `PyPI`, `cargo`. */
  readonly title: string;
  readonly versions: VersionScheme;
  /** What OSV calls it (https://ossf.github.io/osv-schema/#affectedpackage-field); absent: it has no advisories. */
  readonly osv?: OsvNames;
  /**
   * User-Agents of clients that refuse a file which is not the one of its index.
   * Whoever claims to be one goes without that check, and harms nobody else.
   */
  readonly verifyingClients: RegExp;
  /** What other clients could use of a file that breaks off at its end; null, or absent: nothing. */
  holdBack?(filename: string): HoldBack | null;
  /** First path segments that belong to it; the first is the one given to clients. */
  readonly mounts: readonly string[];
  /** Default of `UPSTREAM_<ID>`, a base address that ends in `/`. */
  defaultUpstream(): string | Promise<string>;
  /** The base address that an operator's address stands for, where there are several ways to write it. */
  upstreamBase?(url: URL): URL;
  /** Default of `UPSTREAM_<ID>_FILES`. */
  readonly defaultFileOrigins: readonly string[];
  /** What a path means; null: nothing (404). Must be total: any path, no throwing. */
  match(request: RegistryRequest): Target | null;
  /**
   * Origins besides the source's own that the upstream itself names for files and documents
   * (cargo's `dl` and `api`). Throws UpstreamError, InvalidMetadata.
   */
  origins?(context: ParseContext): Promise<readonly string[]>;
  /**
   * Absolute address of a passed-through request, where that is not below the source's address;
   * null: the upstream has no such thing (404). Throws UpstreamError, InvalidMetadata.
   */
  resolvePass?(target: PassTarget, context: ParseContext): Promise<string | null>;
  /** Whether its registries take a token as it is, without a scheme; else it goes after `Bearer`. */
  readonly bareTokens?: true;
  /**
   * What all spellings of a name have in common whose index is one document; absent: each
   * spelling has a document of its own.
   */
  indexName?(name: string): string;
  /**
   * What indexes are read with besides their documents (cargo's `dl` and `api`): where that
   * changed, they are read anew. Absent: nothing. Throws UpstreamError, InvalidMetadata.
   */
  indexBasis?(context: ParseContext): Promise<string>;
  /** Where a package's index is. */
  indexAddress(name: string): DocumentAddress;
  /** Reads the index. Throws InvalidMetadata rather than leave anything out. */
  parse(document: Document, name: string, context: ParseContext): Index | Promise<Index>;
  /** Whether its clients look for errors in JSON (`{"error": ...}`); else they get plain text. */
  readonly errorsAsJson?: true;
  /** A refusal in the client's own dialect; 403, or a redirect to the why page. */
  refuse(refusal: Refusal, request: RegistryRequest): Response;
  /**
   * An audit's request without the packages that the public registry must not hear of.
   * Throws InvalidMetadata where it cannot be read.
   */
  auditWithout?(
    body: Uint8Array,
    isHidden: (name: string) => boolean,
  ): Uint8Array<ArrayBuffer>;
  /** A document of no package, to read before the first client asks for one. */
  sample?(registry: string): { name: string; bytes: Uint8Array<ArrayBuffer> };
  /** Versions that npm's advisory answer lifts `min_age` from. */
  lifts?(answer: Uint8Array): readonly { name: string; vulnerable: readonly string[] }[];
}
