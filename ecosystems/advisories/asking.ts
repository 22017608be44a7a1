/** What OSV is asked so that one package's advisories are known: what arrives together goes together. */
import type { AdvisoryAnswer, RecordVersion } from "../../policy/store/advisory_pack.ts";
import { advisoryFor, AdvisoryUnreadable, type OsvRecord } from "../../policy/advisories/record.ts";
import type { Advisory } from "../../policy/types.ts";
import { Slots } from "../slots.ts";
import { Batcher } from "./batcher.ts";
import type { OsvClient, OsvQuery } from "./client.ts";

const RECORDS_AT_ONCE = 8;
/** UTF-16 units. OSV looks names up by 1,500 bytes at most, and fails a whole batch that has a longer one. */
const MAX_NAME = 500;

export interface AskedPackage {
  readonly query: OsvQuery;
  /** Whether a record's name is this package's. */
  isNamed(name: string): boolean;
}

export class Asking {
  readonly #client: OsvClient;
  readonly #now: () => number;
  readonly #batcher: Batcher;
  readonly #slots = new Slots(RECORDS_AT_ONCE);

  /** @param now Unix ms */
  constructor(client: OsvClient, now: () => number) {
    this.#client = client;
    this.#now = now;
    this.#batcher = new Batcher((packages) => client.batch(packages));
  }

  /** Throws AdvisoriesUnavailable, AdvisoryUnreadable. */
  async newer(one: AskedPackage, before: AdvisoryAnswer | null): Promise<AdvisoryAnswer> {
    if (one.query.name.length > MAX_NAME) {
      throw new AdvisoryUnreadable("OSV cannot be asked about so long a name");
    }
    const ids = await this.#batcher.ask(one.query);
    const list = await this.#read(one, { ids, before });
    return { at: this.#now(), ids, list };
  }

  /** What the records say: those known by their `modified` are not asked for again. */
  async #read(
    one: AskedPackage,
    { ids, before }: { ids: readonly RecordVersion[]; before: AdvisoryAnswer | null },
  ): Promise<Advisory[]> {
    const known = new Map(before?.ids.map(({ id, modified }) => [id, modified]));
    const said = new Map(before?.list.map((advisory) => [advisory.id, advisory]));
    const unknown = ids.filter(({ id, modified }) => known.get(id) !== modified);
    const asOsv = { ecosystem: one.query.ecosystem, isNamed: one.isNamed };
    for (const record of await this.#records(one, unknown)) {
      const advisory = advisoryFor(record, asOsv);
      if (advisory === null) said.delete(record.id);
      else said.set(record.id, advisory);
    }
    return [...new Set(ids.map(({ id }) => id))].flatMap((id) => said.get(id) ?? []);
  }

  async #records(
    one: AskedPackage,
    unknown: readonly RecordVersion[],
  ): Promise<readonly OsvRecord[]> {
    const client = this.#client;
    try {
      const wanted = new Set(unknown.map(({ id }) => id));
      const found = wanted.size > 1
        ? (await this.#slots.run(() => client.query(one.query))).filter(({ id }) => wanted.has(id))
        : [];
      const missing = wanted.difference(new Set(found.map(({ id }) => id)));
      const rest = [...missing].map((id) => this.#slots.run(() => client.record(id)));
      return [...found, ...await Promise.all(rest)];
    } catch (cause) {
      // Named as malware, and nobody can say which versions are meant.
      if (!unknown.some(({ id }) => id.startsWith("MAL-"))) throw cause;
      throw new AdvisoryUnreadable("OSV names malware whose record cannot be had", { cause });
    }
  }
}
