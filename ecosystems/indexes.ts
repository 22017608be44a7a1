/** Packages' indexes, loaded through one cache for all ecosystems. */
import type {
  Document,
  DocumentAddress,
  Ecosystem,
  Index,
  ParseContext,
  Source,
} from "./ecosystem.ts";
import type { Kept, RevalidatedCache } from "./revalidated.ts";

/**
 * Why the index is wanted: for an answer, upstream is asked again unless it
 * allowed otherwise; to judge a file, one that was just read will do, or an
 * install of 1,000 files would read 1,000 documents twice.
 */
export type Purpose = "answer" | "file";

const GRACE_MS = { answer: 0, file: 30_000, document: 60_000 } as const;

export class Indexes {
  readonly #cache: RevalidatedCache;
  readonly #documents: RevalidatedCache;

  /** @param documents holds the secondary documents, so that they do not push indexes out */
  constructor(cache: RevalidatedCache, documents: RevalidatedCache) {
    this.#cache = cache;
    this.#documents = documents;
  }

  /** null: upstream has no such package. Throws UpstreamError, InvalidMetadata. */
  load(
    ecosystem: Ecosystem,
    name: string,
    { source, purpose }: { source: Source; purpose: Purpose },
  ): Promise<Kept<Index> | null> {
    return this.#cache.load<Index>({
      key: `${keyOf(source)}\n${name}`,
      source,
      address: ecosystem.indexAddress(name),
      graceMs: GRACE_MS[purpose],
      make: (document) => ecosystem.parse(document, name, this.context(source)),
      weigh: (index) => index.weight,
    });
  }

  /** A secondary document. null: upstream has none. Throws UpstreamError. */
  document(
    source: Source,
    address: DocumentAddress,
    origins: readonly string[] = [],
  ): Promise<Kept<Document> | null> {
    return this.#documents.load<Document>({
      key: `${keyOf(source)}\n${address.url}\n${address.accept}`,
      source,
      address,
      origins,
      graceMs: GRACE_MS.document,
      make: (document) => document,
      weigh: (document) => document.bytes.length,
    });
  }

  context(source: Source): ParseContext {
    return {
      source,
      document: async (address, origins) =>
        (await this.document(source, address, origins))?.value ?? null,
    };
  }
}

function keyOf({ ecosystem, url, partition }: Source): string {
  return `${ecosystem}\n${url}\n${partition}`;
}
