/** What rules need besides an index: advisories, and when other packages were first published. */
import { isWithin } from "../policy/clock.ts";
import { firstPublished } from "../policy/first_published.ts";
import type { Facts, FirstPublish, Judgement, Policy, Release } from "../policy/types.ts";
import type { Ecosystem, Index, Source } from "./ecosystem.ts";
import type { Indexes } from "./indexes.ts";

/** Longest time a client waits for facts; what happens without them is the policy's say. */
export const WAIT_MS = 2_000;
/** How long the answer on other packages' age is used before it is asked for again. */
const DEPENDENCIES_MS = 600_000;
/** The same where some of them could not be had. */
const INCOMPLETE_MS = 30_000;
/** Dependencies of one index that are looked up: more than one release adds. */
const MAX_DEPENDENCIES = 50;

/** The advisories of a package, as facts that hold nothing else. */
export interface AdvisorySource {
  /** Whether a database elsewhere is asked, which takes longer than what is at hand here. */
  readonly isRemote: boolean;
  /** A package of the public registry is about to be judged: what must be asked is asked now. */
  expect(ecosystem: string, name: string): void;
  /** undefined: it has to be asked for. */
  peek(index: Index): Facts | undefined;
  /** Waits for at most `WAIT_MS`; throws nothing. */
  find(index: Index): Promise<Facts>;
  status(): AdvisoryStatus;
}

/** What `/health` says of advisories. */
export interface AdvisoryStatus {
  readonly source: "osv" | "import";
  /** `never`: OSV has not answered yet, so nothing is known of what was not imported. */
  readonly state: "ok" | "failing" | "never";
  /** RFC 3339; null: never. */
  readonly last_answer: string | null;
}

export const NOTHING_ASKED: Facts = Object.freeze({
  id: "off",
  advisories: Object.freeze({ state: "off", list: Object.freeze([]), asOf: null }),
  dependencies: new Map(),
});

/** Policies an index is remembered for: each instant of the time machine is one of its own. */
const MAX_POLICIES = 64;

interface Parts {
  readonly ecosystems: readonly Ecosystem[];
  /** null: advisories are turned off. */
  readonly advisories: AdvisorySource | null;
  readonly indexes: Pick<Indexes, "load">;
  readonly publicSources: ReadonlyMap<string, Source>;
  /** Unix ms. */
  readonly now: () => number;
}

interface Expected {
  readonly policy: Policy;
  /** Where the index is asked for. */
  readonly source: Source;
}

interface Gathered {
  readonly published: Facts["dependencies"];
  /** Unix ms. */
  readonly at: number;
  /** Milliseconds for which it will do. */
  readonly ms: number;
}

/** Gathers facts for one index and policy, and remembers them. */
export class FactsSource {
  readonly #parts: Parts;
  readonly #ecosystems: ReadonlyMap<string, Ecosystem>;
  readonly #dependencies = new WeakMap<Index, Map<string, Gathered>>();
  readonly #lookedAhead = new WeakSet<Index>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#ecosystems = new Map(parts.ecosystems.map((ecosystem) => [ecosystem.id, ecosystem]));
  }

  /** An index is asked for, and judged after that: who knows about it is asked meanwhile. */
  expect(ecosystem: Ecosystem, name: string, { policy, source }: Expected): void {
    const { advisories, publicSources } = this.#parts;
    if (advisories === null || policy.needs?.advisories !== true) return;
    if (source === publicSources.get(ecosystem.id)) advisories.expect(ecosystem.id, name);
  }

  /**
   * Whoever installs the newest release asks for its dependencies next, and npm
   * for one after the other: what is known about them is asked together, ahead.
   */
  lookAhead(index: Index, judgement: Judgement, policy: Policy): void {
    if (this.#parts.advisories?.isRemote !== true) return;
    if (this.#lookedAhead.has(index) || !this.#asksAdvisories(index, policy)) return;
    this.#lookedAhead.add(index);
    const newest = newestOf(index.releases, judgement);
    if (newest === null) return;
    const { ecosystem } = newest;
    const { publicSources, now } = this.#parts;
    const [asked, source] = [this.#ecosystems.get(ecosystem), publicSources.get(ecosystem)];
    if (asked === undefined || source === undefined) return;
    for (const name of dependenciesOf(newest).slice(0, MAX_DEPENDENCIES)) {
      if (isPrivate(policy, newest, name, this.#ecosystems)) continue;
      if (policy.judgeName?.(ecosystem, name, now()).action === "deny") continue;
      this.expect(asked, name, { policy, source });
    }
  }

  /** What is at hand; undefined: something has to be asked for. */
  peek(index: Index, policy: Policy): Facts | undefined {
    const { needs } = policy;
    if (needs === null) return NOTHING_ASKED;
    const advisories = this.#asksAdvisories(index, policy)
      ? this.#parts.advisories?.peek(index)
      : NOTHING_ASKED;
    if (advisories === undefined || needs.dependencies === null) return advisories;
    const gathered = this.#dependencies.get(index)?.get(policy.revision);
    if (gathered === undefined) return undefined;
    if (!isWithin(gathered.at, this.#parts.now(), gathered.ms)) return undefined;
    return withDependencies(advisories, gathered.published);
  }

  /** Asks for what is not at hand, for at most `WAIT_MS`. Throws nothing. */
  async gather(index: Index, policy: Policy): Promise<Facts> {
    const [advisories, published] = await Promise.all([
      this.#asksAdvisories(index, policy)
        ? this.#parts.advisories?.find(index) ?? NOTHING_ASKED
        : NOTHING_ASKED,
      this.#firstPublished(index, policy),
    ]);
    return published === null ? advisories : withDependencies(advisories, published);
  }

  /** Names of private packages are nobody else's business. */
  #asksAdvisories(index: Index, policy: Policy): boolean {
    if (this.#parts.advisories === null || policy.needs?.advisories !== true) return false;
    return index.releases.length > 0 &&
      !isPrivate(policy, index.releases[0], index.name, this.#ecosystems);
  }

  async #firstPublished(
    index: Index,
    policy: Policy,
  ): Promise<Facts["dependencies"] | null> {
    const asked = policy.needs?.dependencies ?? null;
    if (asked === null || index.releases.length === 0) return null;
    const now = this.#parts.now();
    const wanted = asked(index.releases, now);
    const isOwn = (name: string) => isPrivate(policy, index.releases[0], name, this.#ecosystems);
    const others = wanted.filter((name) => !isOwn(name));
    const names = others.slice(0, MAX_DEPENDENCIES);
    const published = await this.#ages(index.releases[0].ecosystem, names);
    // Nobody else is asked about them, and nobody else can have made them.
    for (const name of wanted.filter(isOwn)) published.set(name, 0);
    // Whoever adds so many does not hide one among them.
    for (const name of others.slice(MAX_DEPENDENCIES)) published.set(name, "unasked");
    let byPolicy = this.#dependencies.get(index);
    if (byPolicy === undefined) this.#dependencies.set(index, byPolicy = new Map());
    const complete = names.every((name) => typeof published.get(name) === "number");
    const ms = complete ? DEPENDENCIES_MS : INCOMPLETE_MS;
    if (byPolicy.size >= MAX_POLICIES) byPolicy.clear();
    byPolicy.set(policy.revision, { published, at: now, ms });
    return published;
  }

  async #ages(id: string, names: readonly string[]): Promise<Map<string, FirstPublish>> {
    const ages = new Map<string, FirstPublish>();
    const ecosystem = this.#ecosystems.get(id);
    const source = this.#parts.publicSources.get(id);
    if (ecosystem === undefined || source === undefined || names.length === 0) return ages;
    const all = Promise.all(names.map(async (name) => {
      if (ecosystem.versions.normalizeName(name) === null) return;
      try {
        const kept = await this.#parts.indexes.load(ecosystem, name, { source, purpose: "file" });
        ages.set(name, kept === null ? null : firstPublished(kept.value.releases));
      } catch {
        ages.set(name, null);
      }
    }));
    await atMost(WAIT_MS, all);
    // What comes later belongs to a later question.
    return new Map(ages);
  }
}

/** Waits for work, but not for long. */
export async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, milliseconds));
  try {
    await Promise.race([work, patience]);
  } finally {
    clearTimeout(timer);
  }
}

/** Of those that are handed out, the one published last; null: there is none. */
function newestOf(releases: readonly Release[], { verdicts }: Judgement): Release | null {
  let newest: Release | null = null;
  for (const [position, release] of releases.entries()) {
    if (verdicts[position].action === "deny") continue;
    if ((release.publishedAt ?? 0) >= (newest?.publishedAt ?? 0)) newest = release;
  }
  return newest;
}

/** Nothing where they cannot be read: that is for a rule to say. */
function dependenciesOf(release: Release): readonly string[] {
  try {
    return release.dependencies ?? [];
  } catch {
    return [];
  }
}

function isPrivate(
  { registries }: Policy,
  { ecosystem }: Release,
  name: string,
  ecosystems: ReadonlyMap<string, Ecosystem>,
): boolean {
  if (registries.length === 0) return false;
  const normal = ecosystems.get(ecosystem)?.versions.normalizeName(name) ?? null;
  return normal === null ||
    registries.some((registry) => registry.ecosystem === ecosystem && registry.matches(normal));
}

function withDependencies(
  facts: Facts,
  dependencies: Facts["dependencies"],
): Facts {
  if (dependencies.size === 0) return facts;
  const ages = [...dependencies].map(([name, at]) => `${name}=${at}`).sort().join(" ");
  return { id: `${facts.id}\n${ages}`, advisories: facts.advisories, dependencies };
}
