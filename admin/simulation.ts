/** What another policy would have refused of what was installed. */
import type { Index } from "../ecosystems/ecosystem.ts";
import { pauser } from "../policy/pauser.ts";
import type { Records } from "../policy/store/types.ts";
import type { Facts, Judgement, Policy, Verdict } from "../policy/types.ts";

/** Installs looked at, newest first. */
const MAX_INSTALLS = 50_000;
const MAX_MS = 30_000;
/** Of those, how long records may be read: what is read has to be judged too. */
const READING_MS = 15_000;
/** Indexes loaded at once. */
const AT_ONCE = 16;

/** Packages as the org may ask for them under the policy in force. */
export interface PackageReader {
  /** The index, or why it cannot be had, in a sentence for people. */
  load(asked: {
    readonly org: string;
    readonly policy: Policy;
    readonly ecosystem: string;
    readonly package: string;
  }): Promise<Index | string>;
  /** What the policy's rules need besides. Throws nothing. */
  facts(index: Index, policy: Policy): Promise<Facts>;
}

export interface SimulationAsked {
  readonly org: string;
  readonly policy: Policy;
  /** In force: it says which registries are asked, and which names are nobody else's business. */
  readonly current: Policy;
  /** Unix ms, inclusive. */
  readonly since: number;
  /** Unix ms, exclusive. */
  readonly until: number;
}

/** One file that was handed out. */
export interface Install {
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
  readonly user: string;
  readonly version: string;
  readonly filename: string;
  readonly purl: string;
}

export interface InstalledPackage {
  readonly ecosystem: string;
  readonly package: string;
  /** Oldest first. */
  readonly installs: readonly Install[];
}

/** Parallel to `InstalledPackage.installs`: a verdict, or why there is none. */
export interface JudgedPackage extends InstalledPackage {
  readonly outcomes: readonly (Verdict | string)[];
}

export interface Simulated {
  /** By ecosystem and name. */
  readonly packages: readonly JudgedPackage[];
  /** Installs before then (Unix ms) were not looked at; null: all were. */
  readonly before: number | null;
  /** Installs that time ran out for. */
  readonly late: number;
}

const LATE = "Time ran out before it was judged.";

/**
 * Judges every install of a period as at its own time, with what registries and
 * advisories say today. Throws StoreUnavailable.
 */
export async function simulate(
  deps: { records: Pick<Records, "all">; packages: PackageReader; now: () => number },
  asked: SimulationAsked,
): Promise<Simulated> {
  const start = deps.now();
  const { packages, before } = await read(deps, asked, start + READING_MS);
  const judged: JudgedPackage[] = [];
  const rest = packages.entries();
  const pause = pauser();
  const work = async () => {
    for (const [at, one] of rest) {
      const outcomes = await judgePackage(deps, one, { ...asked, deadline: start + MAX_MS });
      judged[at] = { ...one, outcomes };
      await pause();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const late = judged.flatMap(({ outcomes }) => outcomes).filter((one) => one === LATE).length;
  return { packages: judged, before, late };
}

async function read(
  { records, now }: { records: Pick<Records, "all">; now: () => number },
  { org, since, until }: SimulationAsked,
  deadline: number,
): Promise<{ packages: InstalledPackage[]; before: number | null }> {
  const packages = new Map<string, InstalledPackage & { installs: Install[] }>();
  let count = 0;
  let before: number | null = null;
  let last = until;
  for await (const record of records.all("install", { org, since, until })) {
    if (count >= MAX_INSTALLS || (count % 500 === 499 && now() >= deadline)) {
      before = last;
      break;
    }
    count++;
    last = Date.parse(record.at);
    const { id, user, ecosystem, version, filename, purl } = record;
    const key = `${ecosystem}\n${record.package}`;
    let one = packages.get(key);
    if (one === undefined) {
      packages.set(key, one = { ecosystem, package: record.package, installs: [] });
    }
    one.installs.push({ id, at: last, user, version, filename, purl });
  }
  const sorted = [...packages].sort(([a], [b]) => a < b ? -1 : 1).map(([, one]) => one);
  for (const { installs } of sorted) installs.reverse();
  return { packages: sorted, before };
}

async function judgePackage(
  { packages, now }: { packages: PackageReader; now: () => number },
  one: InstalledPackage,
  asked: SimulationAsked & { readonly deadline: number },
): Promise<(Verdict | string)[]> {
  const { org, current, policy } = asked;
  const { ecosystem, package: name } = one;
  let index: Index | string | undefined;
  let judge: ((install: Install) => Promise<Verdict | string>) | undefined;
  const outcomes: (Verdict | string)[] = [];
  for (const install of one.installs) {
    if (now() >= asked.deadline) {
      outcomes.push(LATE);
      continue;
    }
    const named = policy.judgeName?.(ecosystem, name, install.at);
    // As for a client: such a name is refused before any registry is asked.
    if (named?.action === "deny") {
      outcomes.push(named);
      continue;
    }
    index ??= await packages.load({ org, policy: current, ecosystem, package: name });
    if (typeof index === "string") outcomes.push(index);
    else {
      judge ??= judgeOf(packages, index, asked);
      outcomes.push(await judge(install));
    }
  }
  return outcomes;
}

/** Judges installs of one package, which have to come oldest first. */
function judgeOf(
  packages: PackageReader,
  index: Index,
  asked: SimulationAsked,
): (install: Install) => Promise<Verdict | string> {
  const { releases } = index;
  const positions = positionsOf(index);
  const pause = pauser();
  let judgement: Judgement | undefined;
  let facts: Facts | undefined;
  return async ({ at, version, filename }) => {
    const position = positions.get(`${version}\n${filename}`) ?? positions.get(version);
    if (position === undefined) return "The registry has no such version any more.";
    const { policy } = asked;
    if (judgement === undefined || (judgement.changesAt !== null && at >= judgement.changesAt)) {
      // Which other packages' age counts is a matter of the time.
      if (facts === undefined || policy.needs?.dependencies) {
        facts = policy.needs === null ? undefined : await packages.facts(index, asking(asked, at));
      }
      judgement = policy.judge(releases, at, undefined, facts);
      await pause();
    }
    return judgement.verdicts[position];
  };
}

function positionsOf({ releases }: Index): ReadonlyMap<string, number> {
  const positions = new Map<string, number>();
  releases.forEach(({ version, files }, position) => {
    for (const { filename } of files) positions.set(`${version}\n${filename}`, position);
    if (!positions.has(version)) positions.set(version, position);
  });
  return positions;
}

/**
 * The policy as those see it who are asked for facts: what is private today is
 * told to nobody, whatever the other policy says.
 */
function asking({ policy, current }: SimulationAsked, at: number): Policy {
  const { needs } = policy;
  const dependencies = needs?.dependencies ?? null;
  return {
    ...policy,
    revision: `${policy.revision} at ${at}`,
    registries: [...current.registries, ...policy.registries],
    needs: needs === null ? null : {
      ...needs,
      dependencies: dependencies === null
        ? null
        : (releases) =>
          dependencies(releases, at).filter((name) =>
            current.judgeName?.(releases[0].ecosystem, name, at).action !== "deny"
          ),
    },
  };
}
