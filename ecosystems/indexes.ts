/** Packages' indexes, loaded through one cache for all ecosystems. */
import type {
  DocumentAddress,
  Ecosystem,
  Index,
  ParseContext,
  Reading,
  Source,
} from "./ecosystem.ts";
import type { Kept, Made, RevalidatedCache, Wanted } from "./revalidated.ts";

/**
 * Why the index is wanted: for an answer, upstream is asked again unless it
 * allowed otherwise; to judge a file, one that was just read will do, or an
 * install of 1,000 files would read 1,000 documents twice. Where something is
 * missed in it, which another process may have from a newer one, upstream is
 * asked again unless it confirmed the index a moment ago.
 */
export type Purpose = "answer" | "file" | "missed";

/** A secondary document, and what is wanted of it. */
interface Read<T> {
  readonly address: DocumentAddress;
  readonly reading: Reading<T>;
}

const GRACE_MS = { answer: 0, file: 30_000, missed: 0, document: 60_000 } as const;
/** Whoever asks for what there is not makes one request to upstream in so long. */
const MISSED_MS = 5_000;
/** What indexes are read with is looked at so often at most: it changes once in years. */
const BASIS_MS = 60_000;

export class Indexes {
  readonly #cache: RevalidatedCache;
  readonly #documents: RevalidatedCache;

  /** @param documents holds the secondary documents, so that they do not push indexes out */
  constructor(cache: RevalidatedCache, documents: RevalidatedCache) {
    this.#cache = cache;
    this.#documents = documents;
  }

  /** What `load` would give without asking upstream; undefined: it would ask. */
  peek(
    ecosystem: Ecosystem,
    name: string,
    { source, purpose }: { source: Source; purpose: Purpose },
  ): Kept<Index> | undefined {
    const key = `${keyOf(source)}\n${indexName(ecosystem, name)}`;
    return this.#cache.peek(key, GRACE_MS[purpose]);
  }

  /** null: upstream has no such package. Throws UpstreamError, InvalidMetadata. */
  load(
    ecosystem: Ecosystem,
    spelled: string,
    { source, purpose }: { source: Source; purpose: Purpose },
  ): Promise<Kept<Index> | null> {
    const name = indexName(ecosystem, spelled);
    return this.#cache.load<Index>({
      key: `${keyOf(source)}\n${name}`,
      source,
      address: () => ecosystem.indexAddress(name),
      graceMs: GRACE_MS[purpose],
      withinMs: purpose === "missed" ? MISSED_MS : undefined,
      basis: async () => await ecosystem.indexBasis?.(this.#context(source, [], BASIS_MS)) ?? "",
      make: async (document) =>
        await ecosystem.parse(document, name, await this.context(ecosystem, source)),
      weigh: (index) => index.weight,
      isProvisional: (index) => index.provisional === true,
    });
  }

  /** What is read of a secondary document. null: upstream has none. Throws UpstreamError, InvalidMetadata. */
  async document<T>(
    ecosystem: Ecosystem,
    source: Source,
    { address, reading }: Read<T>,
  ): Promise<Kept<T> | null> {
    const origins = await this.origins(ecosystem, source);
    return await this.#documents.load(this.#wanted(source, { address, reading, origins }));
  }

  /**
   * The same for whoever needs it only where nothing was made of it yet.
   * @param find what was made of the document with this id
   */
  async documentUnlessMade<T, M>(
    ecosystem: Ecosystem,
    source: Source,
    { address, reading, find }: Read<T> & { readonly find: (id: string) => M | undefined },
  ): Promise<Made<T, M> | null> {
    const origins = await this.origins(ecosystem, source);
    const wanted = this.#wanted(source, { address, reading, origins });
    return await this.#documents.loadUnlessMade(wanted, find);
  }

  /** Origins besides the source's that upstream names itself. Throws UpstreamError, InvalidMetadata. */
  async origins(ecosystem: Ecosystem, source: Source): Promise<readonly string[]> {
    if (ecosystem.origins === undefined) return [];
    return await ecosystem.origins(this.#context(source, []));
  }

  /** What a parser may ask for. */
  async context(ecosystem: Ecosystem, source: Source): Promise<ParseContext> {
    return this.#context(source, await this.origins(ecosystem, source));
  }

  #context(source: Source, origins: readonly string[], withinMs?: number): ParseContext {
    return {
      source,
      document: async (address, reading) => {
        const wanted = { ...this.#wanted(source, { address, reading, origins }), withinMs };
        return (await this.#documents.load(wanted))?.value ?? null;
      },
    };
  }

  #wanted<T>(
    source: Source,
    { address, reading, origins }: Read<T> & { readonly origins: readonly string[] },
  ): Wanted<T> {
    return {
      key: `${keyOf(source)}\n${address.url}\n${address.accept}\n${reading.id}`,
      source,
      address: () => address,
      origins,
      graceMs: GRACE_MS.document,
      make: reading.read,
      weigh: reading.weigh,
    };
  }
}

/** An index to judge something by: one that lacks it is looked at anew. Throws what `load` throws. */
export async function loadWith(
  indexes: Pick<Indexes, "load">,
  { ecosystem, name, source, has }: {
    ecosystem: Ecosystem;
    name: string;
    source: Source;
    has: (index: Index) => boolean;
  },
): Promise<Kept<Index> | null> {
  const kept = await indexes.load(ecosystem, name, { source, purpose: "file" });
  if (kept === null || has(kept.value)) return kept;
  return await indexes.load(ecosystem, name, { source, purpose: "missed" });
}

/** One name for all spellings that are answered from one index. */
export function indexName(ecosystem: Ecosystem, name: string): string {
  return ecosystem.indexName?.(name) ?? name;
}

function keyOf({ ecosystem, url, partition }: Source): string {
  return `${ecosystem}\n${url}\n${partition}`;
}
