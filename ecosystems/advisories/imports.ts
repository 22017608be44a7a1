import { isWithin } from "../../policy/clock.ts";
import type { AdvisoryStore, Imported } from "../../policy/store/advisories.ts";

/** How long it is not asked again whether anything was imported, where nothing was. */
const NOTHING_MS = 5_000;

/** What was imported in bulk, as far as KV can say. */
export class Imports {
  /** Ecosystems of which nothing was imported, as KV last said; by Unix ms when it did. */
  readonly #nothing = new Map<string, number>();

  constructor(readonly store: AdvisoryStore, readonly now: () => number) {}

  /**
   * A package's part; null: nothing was imported for its ecosystem; undefined:
   * KV cannot say, and something may be there. Throws nothing.
   */
  async find(
    { ecosystem, name }: { readonly ecosystem: string; readonly name: string },
  ): Promise<Imported | null | undefined> {
    const saidAt = this.#nothing.get(ecosystem);
    if (saidAt !== undefined && isWithin(saidAt, this.now(), NOTHING_MS)) return null;
    try {
      const found = await this.store.imported(ecosystem, name);
      if (found === null) this.#nothing.set(ecosystem, this.now());
      else this.#nothing.delete(ecosystem);
      return found;
    } catch {
      // As it is known now: another package may have found an import meanwhile.
      return this.#nothing.has(ecosystem) ? null : undefined;
    }
  }
}
