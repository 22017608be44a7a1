/** Advisories of packages: from memory, from KV, from OSV, or from an import. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type AdvisoryAnswer, type RecordVersion } from "../../policy/store/advisory_pack.ts";
import type { AdvisoryStore, BulkHead } from "../../policy/store/advisories.ts";
import { advisoryFor, AdvisoryUnreadable } from "../../policy/advisories/record.ts";
import type { Advisory, AdvisoryState, Facts, PackageAdvisories } from "../../policy/types.ts";
import type { Ecosystem, Index } from "../ecosystem.ts";
import {
  type AdvisorySource,
  type AdvisoryStatus,
  atMost,
  NOTHING_ASKED,
  WAIT_MS,
} from "../facts.ts";
import { Batcher, Turns } from "./batcher.ts";
import { AdvisoriesUnavailable, MAX_BATCH, type OsvClient } from "./client.ts";

/** From this age an answer is asked for again, beside the request that uses it. */
const REFRESH_MS = 15 * 60_000;
/** From this age a request waits for the newer one. */
const FRESH_MS = 60 * 60_000;
/** How long an answer is used while the database fails. */
const STALE_MS = 24 * 3600_000;
/** How long a failing database is left alone. */
const RETRY_MS = 30_000;
/** From then on a request waits for a failing database once more. */
const FAILED_MS = 60_000;
/** How often KV learns that the database answers. */
const NOTE_MS = 60_000;
/** How long clients do not wait for a database that has never answered and kept one waiting. */
const IMPATIENT_MS = 10_000;
/** What KV alone may take. */
const BRIEFLY_MS = 100;
const MAX_PACKAGES = 20_000;
const RECORDS_AT_ONCE = 8;

interface Parts {
  /** null: only what was imported. */
  readonly client: OsvClient | null;
  readonly store: AdvisoryStore;
  readonly ecosystems: readonly Ecosystem[];
  /** Unix ms. */
  readonly now: () => number;
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
}

interface Package {
  readonly key: string;
  /** Our id of the ecosystem. */
  readonly ecosystem: string;
  /** Normalised. */
  readonly name: string;
  readonly query: { readonly ecosystem: string; readonly name: string };
  isNamed(name: string): boolean;
}

type Failure = "unreachable" | "unreadable";

interface Held {
  readonly answer: AdvisoryAnswer | null;
  readonly facts: Facts;
  /** Unix ms; asked again beside a request from then on. */
  readonly refreshAt: number;
  /** Unix ms; waited for from then on. */
  readonly until: number;
}

export class Advisories implements AdvisorySource {
  readonly #parts: Parts;
  readonly #ecosystems: ReadonlyMap<string, Ecosystem>;
  readonly #batcher: Batcher;
  readonly #turns = new Turns(RECORDS_AT_ONCE);
  readonly #packages = new WeakMap<Index, Package>();
  readonly #held = new LRUCache<string, Held>({ max: MAX_PACKAGES });
  readonly #flights = new Map<string, Promise<void>>();
  /** Unix ms of the database's last answer; null: never; undefined: KV has not been asked. */
  #last: number | null | undefined;
  #notedAt = -Infinity;
  #retryAt = -Infinity;
  #impatientUntil = -Infinity;
  #failing = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#ecosystems = new Map(parts.ecosystems.map((ecosystem) => [ecosystem.id, ecosystem]));
    this.#batcher = new Batcher((packages) => {
      if (parts.client === null) throw new AdvisoriesUnavailable("Advisories are turned off");
      return parts.client.batch(packages.slice(0, MAX_BATCH));
    });
  }

  peek(index: Index): Facts | undefined {
    const one = this.#packageOf(index);
    if (one === null) return NOTHING_ASKED;
    const held = this.#held.get(one.key);
    const now = this.#parts.now();
    if (held === undefined || now >= held.until) return undefined;
    if (now >= held.refreshAt && now >= this.#retryAt) void this.#flight(one);
    return held.facts;
  }

  async find(index: Index): Promise<Facts> {
    const one = this.#packageOf(index);
    if (one === null) return NOTHING_ASKED;
    const { now } = this.#parts;
    const known = this.peek(index);
    if (known !== undefined) return known;
    const flight = this.#flight(one);
    const patient = now() >= this.#impatientUntil;
    await atMost(patient ? WAIT_MS : BRIEFLY_MS, flight);
    const late = this.#flights.has(one.key);
    if (late && this.#last === null) this.#impatientUntil = now() + IMPATIENT_MS;
    return this.#held.get(one.key)?.facts ?? this.#without(null);
  }

  /**
   * What is known of packages that nobody has just asked for, renewed where it
   * is a quarter of an hour old; null: nobody collects advisories of such
   * packages. For those who can wait: for minutes if the database is slow.
   * Throws nothing.
   */
  async known(
    packages: readonly { readonly ecosystem: string; readonly name: string }[],
  ): Promise<(PackageAdvisories | null)[]> {
    return await Promise.all(packages.map(async ({ ecosystem, name }) => {
      const one = this.#packageNamed(ecosystem, name);
      if (one === null) return null;
      const held = this.#held.get(one.key);
      if (held === undefined || this.#parts.now() >= held.refreshAt) await this.#flight(one);
      return (this.#held.get(one.key)?.facts ?? this.#without(null)).advisories;
    }));
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#flights.size > 0) await Promise.all(this.#flights.values());
  }

  status(): AdvisoryStatus {
    const last = this.#last ?? null;
    return {
      source: this.#parts.client === null ? "import" : "osv",
      state: this.#parts.client === null || (last !== null && !this.#failing)
        ? "ok"
        : last === null
        ? "never"
        : "failing",
      last_answer: last === null ? null : new Date(last).toISOString(),
    };
  }

  #packageOf(index: Index): Package | null {
    const known = this.#packages.get(index);
    if (known !== undefined) return known;
    const id = index.releases[0]?.ecosystem;
    const one = id === undefined ? null : this.#packageNamed(id, index.name);
    if (one !== null) this.#packages.set(index, one);
    return one;
  }

  /** @param spelled the name as the registry spells it */
  #packageNamed(id: string, spelled: string): Package | null {
    const ecosystem = this.#ecosystems.get(id);
    const name = ecosystem?.versions.normalizeName(spelled) ?? null;
    if (ecosystem?.osv === undefined || name === null) return null;
    const { osv, versions } = ecosystem;
    return {
      key: `${id}\n${name}`,
      ecosystem: id,
      name,
      query: { ecosystem: osv.ecosystem, name: osv.name?.(spelled) ?? spelled },
      isNamed: (other) => versions.normalizeName(other) === name,
    };
  }

  /** Asks for a package once, however many wait for it. Throws nothing. */
  #flight(one: Package): Promise<void> {
    let flight = this.#flights.get(one.key);
    if (flight === undefined) {
      flight = this.#refresh(one).finally(() => this.#flights.delete(one.key));
      this.#flights.set(one.key, flight);
    }
    return flight;
  }

  async #refresh(one: Package): Promise<void> {
    const { store, client, now } = this.#parts;
    if (client === null) {
      return this.#hold(one, { answer: null, failure: "unreachable", bulk: await this.#bulk(one) });
    }
    const before = this.#held.get(one.key)?.answer ??
      await orNull(store.read(one.ecosystem, one.name));
    if (this.#last === undefined) this.#last = await orNull(store.lastAnswer());
    if (before !== null && now() - before.at < REFRESH_MS) {
      return this.#hold(one, { answer: before });
    }
    if (now() < this.#retryAt) {
      return this.#hold(one, {
        answer: before,
        failure: "unreachable",
        bulk: await this.#bulk(one),
      });
    }
    try {
      const ids = await this.#batcher.ask(one.query);
      const list = await this.#resolve(client, one, { ids, before });
      const answer: AdvisoryAnswer = { at: now(), ids, list };
      this.#hold(one, { answer });
      await this.#answered(answer.at);
      await orNull(store.write(one.ecosystem, one.name, answer));
    } catch (error) {
      const failure = this.#failed(error);
      this.#hold(one, { answer: before, failure, bulk: await this.#bulk(one) });
    }
  }

  /** What the records say: those known by their `modified` are not asked for again. */
  async #resolve(
    client: OsvClient,
    one: Package,
    { ids, before }: { ids: readonly RecordVersion[]; before: AdvisoryAnswer | null },
  ): Promise<Advisory[]> {
    const known = new Map(before?.ids.map(({ id, modified }) => [id, modified]));
    const said = new Map(before?.list.map((advisory) => [advisory.id, advisory]));
    const unknown = ids.filter(({ id, modified }) => known.get(id) !== modified);
    const asOsv = { ecosystem: one.query.ecosystem, isNamed: one.isNamed };
    for (const record of await this.#records(client, one, unknown)) {
      const advisory = advisoryFor(record, asOsv);
      if (advisory === null) said.delete(record.id);
      else said.set(record.id, advisory);
    }
    return [...new Set(ids.map(({ id }) => id))].flatMap((id) => said.get(id) ?? []);
  }

  async #records(client: OsvClient, one: Package, unknown: readonly RecordVersion[]) {
    try {
      const wanted = new Set(unknown.map(({ id }) => id));
      const found = wanted.size > 1
        ? (await this.#turns.take(() => client.query(one.query))).filter(({ id }) => wanted.has(id))
        : [];
      const missing = wanted.difference(new Set(found.map(({ id }) => id)));
      const rest = [...missing].map((id) => this.#turns.take(() => client.record(id)));
      return [...found, ...await Promise.all(rest)];
    } catch (cause) {
      // Named as malware, and nobody can say which versions are meant.
      if (!unknown.some(({ id }) => id.startsWith("MAL-"))) throw cause;
      throw new AdvisoryUnreadable("OSV names malware whose record cannot be had", { cause });
    }
  }

  async #bulk(one: Package): Promise<{ head: BulkHead; answer: AdvisoryAnswer | null } | null> {
    const { store } = this.#parts;
    const head = await orNull(store.bulk(one.ecosystem));
    if (head === null) return null;
    try {
      return { head, answer: await store.bulkOf(one.ecosystem, head, one.name) };
    } catch {
      return null; // what cannot be read is not "nothing there"
    }
  }

  #hold(
    one: Package,
    { answer, failure, bulk = null }: {
      answer: AdvisoryAnswer | null;
      failure?: Failure;
      bulk?: { head: BulkHead; answer: AdvisoryAnswer | null } | null;
    },
  ): void {
    const now = this.#parts.now();
    const imported = bulk !== null && bulk.head.at > (answer?.at ?? -Infinity);
    const list = (imported ? bulk.answer : answer)?.list ?? [];
    const asOf = imported ? bulk.head.at : answer?.at ?? null;
    const state = failure === undefined
      ? "current"
      : this.#stateOf({ answer, failure, imported, now });
    const fresh = failure === undefined && answer !== null;
    this.#held.set(one.key, {
      answer,
      facts: factsOf({ state, list, asOf }, this.#last ?? null),
      refreshAt: fresh ? answer.at + REFRESH_MS : now + RETRY_MS,
      until: fresh ? answer.at + FRESH_MS : now + FAILED_MS,
    });
  }

  #stateOf(
    { answer, failure, imported, now }: {
      answer: AdvisoryAnswer | null;
      failure: Failure;
      imported: boolean;
      now: number;
    },
  ): AdvisoryState {
    if (failure === "unreadable") return "unreadable";
    if (this.#parts.client === null) return imported ? "current" : "off";
    if (answer !== null && now - answer.at < FRESH_MS) return "current";
    if (answer !== null && now - answer.at < STALE_MS) return "stale";
    if (imported) return "current";
    return this.#without(null).advisories.state;
  }

  /** What is known of a package of which nothing is known. */
  #without(asOf: number | null): Facts {
    const last = this.#last ?? null;
    const state = last === null ? "never" : this.#parts.now() - last < STALE_MS ? "late" : "silent";
    return factsOf({ state, list: [], asOf }, last);
  }

  async #answered(at: number): Promise<void> {
    this.#last = at;
    this.#retryAt = this.#impatientUntil = -Infinity;
    if (this.#failing) this.#parts.log({ event: "advisories", state: "ok" });
    this.#failing = false;
    if (at - this.#notedAt < NOTE_MS) return;
    this.#notedAt = at;
    await orNull(this.#parts.store.noteAnswer(at));
  }

  #failed(error: unknown): Failure {
    const unreachable = error instanceof AdvisoriesUnavailable;
    if (unreachable) this.#retryAt = this.#parts.now() + RETRY_MS;
    if (!this.#failing || !unreachable) {
      const state = this.#last === null ? "never" : "failing";
      this.#parts.log({ event: "advisories", state, error: String(error), note: NOTE[state] });
    }
    this.#failing = true;
    return unreachable ? "unreachable" : "unreadable";
  }
}

const NOTE = {
  never: "OSV has never answered: releases pass unchecked for malware unless the policy's " +
    "on_advisory_failure is deny (OSV_URL, or `deno task advisories import`)",
  failing: "releases are checked against what was known, for a day",
} as const;

function factsOf(
  { state, list, asOf }: { state: AdvisoryState; list: readonly Advisory[]; asOf: number | null },
  last: number | null,
): Facts {
  const content = list.length === 0
    ? ""
    : createHash("sha256").update(JSON.stringify(list)).digest("base64url");
  // A sentence about silence says since when.
  const since = state === "silent" || state === "unreadable" ? last : "";
  return {
    id: `${state} ${content} ${since}`,
    advisories: { state, list, asOf: asOf ?? last },
    dependencies: NOTHING_ASKED.dependencies,
  };
}

/** KV that fails is KV that knows nothing. */
async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch {
    return null;
  }
}
