/** Advisories of packages: from memory, from KV, from OSV, or from an import. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { isWithin } from "../../policy/clock.ts";
import { recent } from "../../policy/recent.ts";
import type { AdvisoryAnswer } from "../../policy/store/advisory_pack.ts";
import type { AdvisoryStore, Imported } from "../../policy/store/advisories.ts";
import type { Advisory, AdvisoryState, Facts, PackageAdvisories } from "../../policy/types.ts";
import type { Ecosystem, Index } from "../ecosystem.ts";
import {
  type AdvisorySource,
  type AdvisoryStatus,
  atMost,
  NOTHING_ASKED,
  WAIT_MS,
} from "../facts.ts";
import { type AskedPackage, Asking } from "./asking.ts";
import { AdvisoriesUnavailable, type OsvClient } from "./client.ts";
import { Imports } from "./imports.ts";
import { LastAnswer, STALE_MS } from "./last_answer.ts";

/** From this age an answer is asked for again, beside the request that uses it. */
const REFRESH_MS = 15 * 60_000;
/** From this age a request waits for the newer one. */
const FRESH_MS = 60 * 60_000;
/** How long a failing database is left alone. */
const RETRY_MS = 30_000;
/** From then on a request waits for a failing database once more. */
const FAILED_MS = 60_000;
/** How long clients do not wait for a database that has never answered and kept one waiting. */
const IMPATIENT_MS = 10_000;
/** What KV alone may take. */
const BRIEFLY_MS = 100;
const MAX_PACKAGES = 20_000;
/** How long what was asked ahead of an index waits for it. */
const AHEAD_MS = 30_000;
const MAX_AHEAD = 1_000;

interface Parts {
  /** null: only what was imported. */
  readonly client: OsvClient | null;
  readonly store: AdvisoryStore;
  readonly ecosystems: readonly Ecosystem[];
  /** Unix ms. */
  readonly now: () => number;
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
}

interface Package extends AskedPackage {
  readonly key: string;
  /** Our id of the ecosystem. */
  readonly ecosystem: string;
  /** Normalised. */
  readonly name: string;
}

type Failure = "unreachable" | "unreadable";

/** A package's last answer; undefined: KV cannot say, and may hold one. */
type Before = AdvisoryAnswer | null | undefined;

/** A package's last answer, and the one that OSV is asked for. */
interface Asked {
  readonly before: Before;
  /** "fresh": the last answer will do; "resting": the database failed a moment ago. */
  readonly newer: Promise<AdvisoryAnswer> | "fresh" | "resting";
}

/** What was asked before the index was there. */
interface Ahead {
  /** As OSV was asked for it. */
  readonly name: string;
  readonly asked: Promise<Asked>;
}

interface Held {
  readonly answer: AdvisoryAnswer | null;
  readonly facts: Facts;
  /** Unix ms; before then the clock was wrong. */
  readonly since: number;
  /** Unix ms; asked again beside a request from then on. */
  readonly refreshAt: number;
  /** Unix ms; waited for from then on. */
  readonly until: number;
}

export class Advisories implements AdvisorySource {
  readonly #parts: Parts;
  readonly #ecosystems: ReadonlyMap<string, Ecosystem>;
  /** null: only what was imported. */
  readonly #asking: Asking | null;
  readonly #packages = new WeakMap<Index, Package>();
  readonly #held = recent<string, Held>(MAX_PACKAGES);
  readonly #flights = new Map<string, Promise<void>>();
  readonly #ahead = new LRUCache<string, Ahead>({ max: MAX_AHEAD, ttl: AHEAD_MS });
  readonly #imports: Imports;
  readonly #last: LastAnswer;
  /** Unix ms. */
  #failedAt = -Infinity;
  /** Unix ms: when it kept a client waiting, and had never answered. */
  #neverAt = -Infinity;
  #failing = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#imports = new Imports(parts.store, parts.now);
    this.#last = new LastAnswer(parts.store);
    this.#ecosystems = new Map(parts.ecosystems.map((ecosystem) => [ecosystem.id, ecosystem]));
    this.#asking = parts.client === null ? null : new Asking(parts.client, parts.now);
  }

  get isRemote(): boolean {
    return this.#asking !== null;
  }

  expect(ecosystem: string, name: string): void {
    const asking = this.#asking;
    const one = this.#packageNamed(ecosystem, name);
    if (one === null || this.#flights.has(one.key) || this.#ahead.has(one.key)) return;
    const held = this.#held.get(one.key);
    if (held !== undefined && isHeld(held, this.#parts.now())) return;
    // What was imported goes by our name of the package, however the registry spells it.
    if (asking === null) return void this.#flight(one);
    const ahead = { name: one.query.name, asked: this.#ask(asking, one) };
    this.#ahead.set(one.key, ahead);
    void this.#forgetFailed(one, ahead);
  }

  /** A failure is for those who wait for it now: whoever comes later asks anew. */
  async #forgetFailed(one: Package, ahead: Ahead): Promise<void> {
    const { newer } = await ahead.asked;
    const failed = newer === "resting" || await orNull(Promise.resolve(newer)) === null;
    if (failed && this.#ahead.peek(one.key) === ahead) this.#ahead.delete(one.key);
  }

  peek(index: Index): Facts | undefined {
    const one = this.#packageOf(index);
    if (one === null) return NOTHING_ASKED;
    const held = this.#held.get(one.key);
    const now = this.#parts.now();
    if (held === undefined || !isHeld(held, now)) return undefined;
    if (now >= held.refreshAt && !this.#rests()) void this.#flight(one);
    return held.facts;
  }

  async find(index: Index): Promise<Facts> {
    const one = this.#packageOf(index);
    if (one === null) return NOTHING_ASKED;
    const { now } = this.#parts;
    const known = this.peek(index);
    if (known !== undefined) return known;
    const flight = this.#flight(one);
    const patient = !isWithin(this.#neverAt, now(), IMPATIENT_MS);
    await atMost(patient ? WAIT_MS : BRIEFLY_MS, flight);
    const late = this.#flights.has(one.key);
    if (late && this.#last.at === null) this.#neverAt = now();
    return this.#held.get(one.key)?.facts ?? this.#unknown();
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
      const now = this.#parts.now();
      const isFresh = held !== undefined && now >= held.since && now < held.refreshAt;
      if (!isFresh) await this.#flight(one);
      return (this.#held.get(one.key)?.facts ?? this.#unknown()).advisories;
    }));
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#flights.size > 0) await Promise.all(this.#flights.values());
  }

  status(): AdvisoryStatus {
    const last = this.#last.at ?? null;
    return {
      source: this.#asking === null ? "import" : "osv",
      state: this.#asking === null || (last !== null && !this.#failing)
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
    const { store } = this.#parts;
    const asking = this.#asking;
    if (asking === null) return await this.#fallBack(one, { answer: null, failure: "unreachable" });
    const { before, newer } = await this.#askedAhead(asking, one);
    if (newer === "fresh") return this.#hold(one, { answer: before ?? null });
    if (newer === "resting") {
      return await this.#fallBack(one, { answer: before, failure: "unreachable" });
    }
    try {
      const answer = await newer;
      this.#hold(one, { answer });
      await this.#answered(answer.at);
      await orNull(store.write(one.ecosystem, one.name, answer));
    } catch (error) {
      await this.#fallBack(one, { answer: before, failure: this.#failed(error) });
    }
  }

  /** Without an answer of the database, on what was imported. */
  async #fallBack(
    one: Package,
    { answer, failure }: { answer: Before; failure: Failure },
  ): Promise<void> {
    const bulk = await this.#imports.find(one);
    const isSaid = answer === undefined ? Boolean(bulk) : answer !== null || bulk !== undefined;
    if (isSaid) return this.#hold(one, { answer: answer ?? null, failure, bulk });
    const before = this.#held.get(one.key);
    if (before === undefined) return this.#hold(one, { answer: null, failure: "unreadable" });
    // While KV fails, what it said before goes on.
    const now = this.#parts.now();
    const times = { since: now, refreshAt: now + RETRY_MS, until: now + FAILED_MS };
    this.#held.set(one.key, { ...before, ...times });
  }

  /** What was asked before the index was there, or what is asked now. */
  #askedAhead(asking: Asking, one: Package): Promise<Asked> {
    const ahead = this.#ahead.get(one.key);
    this.#ahead.delete(one.key);
    // The registry may spell the name in another way than the client did.
    return ahead?.name === one.query.name ? ahead.asked : this.#ask(asking, one);
  }

  async #ask(asking: Asking, one: Package): Promise<Asked> {
    const { store, now } = this.#parts;
    const [before] = await Promise.all([
      this.#held.get(one.key)?.answer ?? store.read(one.ecosystem, one.name).catch(() => undefined),
      this.#last.read(),
    ]);
    if (before && isWithin(before.at, now(), REFRESH_MS)) {
      return { before, newer: "fresh" };
    }
    if (this.#rests()) return { before, newer: "resting" };
    const newer = asking.newer(one, before ?? null);
    newer.catch(() => {}); // it may be that nobody waits for it
    return { before, newer };
  }

  /** Whether the database failed a moment ago. */
  #rests(): boolean {
    return isWithin(this.#failedAt, this.#parts.now(), RETRY_MS);
  }

  #hold(
    one: Package,
    { answer, failure, bulk = null }: {
      answer: AdvisoryAnswer | null;
      failure?: Failure;
      bulk?: Imported | null;
    },
  ): void {
    const now = this.#parts.now();
    const answeredAt = answer === null || answer.at > now ? -Infinity : answer.at;
    const imported = bulk !== null && bulk.head.at > answeredAt;
    const list = (imported ? bulk.answer : answer)?.list ?? [];
    const asOf = imported ? bulk.head.at : answer?.at ?? null;
    const state = failure === undefined
      ? "current"
      : this.#stateOf({ answer, failure, imported, now });
    const fresh = failure === undefined && answer !== null;
    this.#held.set(one.key, {
      answer,
      facts: factsOf({ state, list, asOf }, this.#last.at ?? null),
      since: now,
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
    if (this.#asking === null) return imported ? "current" : "off";
    if (answer !== null && isWithin(answer.at, now, FRESH_MS)) return "current";
    if (answer !== null && isWithin(answer.at, now, STALE_MS)) return "stale";
    if (imported) return "current";
    return this.#unknown().advisories.state;
  }

  /** What is known of a package of which nothing is known. */
  #unknown(): Facts {
    const state = this.#last.stateAt(this.#parts.now());
    return factsOf({ state, list: [], asOf: null }, this.#last.at ?? null);
  }

  async #answered(at: number): Promise<void> {
    this.#failedAt = this.#neverAt = -Infinity;
    if (this.#failing) this.#parts.log({ event: "advisories", state: "ok" });
    this.#failing = false;
    await this.#last.note(at);
  }

  #failed(error: unknown): Failure {
    const unreachable = error instanceof AdvisoriesUnavailable;
    // What it has of one package alone keeps nobody from asking for the others.
    if (unreachable && !error.ofOne) this.#failedAt = this.#parts.now();
    if (!this.#failing || !unreachable) {
      const state = this.#last.at === null ? "never" : "failing";
      this.#parts.log({ event: "advisories", state, error: String(error), note: NOTE[state] });
    }
    this.#failing = true;
    return unreachable ? "unreachable" : "unreadable";
  }
}

function isHeld({ since, until }: Held, now: number): boolean {
  return now >= since && now < until;
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
