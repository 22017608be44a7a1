/** Holds what was handed out against what advisories say by now, and raises alerts. */
import type { PackageName, Policies } from "../policy/store/types.ts";
import type { PackageAdvisories, Policy } from "../policy/types.ts";
import { type Case, type FindingDeps, findings } from "./look_back_findings.ts";

/** Packages asked about at once. */
const BATCH = 100;

export interface LookBackDeps extends FindingDeps {
  readonly policies: Policies;
  readonly advisories: {
    /** null: nobody collects advisories of such packages. */
    known(
      packages: readonly { readonly ecosystem: string; readonly name: string }[],
    ): Promise<(PackageAdvisories | null)[]>;
  };
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
  /** Aborted where somebody else has taken over. */
  readonly signal?: AbortSignal;
}

export interface LookBack {
  readonly orgs: number;
  /** Packages on record that were held against advisories. */
  readonly packages: number;
  readonly raised: number;
  readonly updated: number;
  /** Packages whose advisories could not be had in time; they are asked for again the next time. */
  readonly unasked: number;
  /** Why the rest was left for the next time; null: nothing was. */
  readonly ended: string | null;
}

/**
 * Goes through all that is on record once. However often and wherever it runs,
 * at the same time too, an alert is raised once; what a run leaves out for a
 * failure, the next one finds. Throws StoreUnavailable.
 */
export async function lookBack(deps: LookBackDeps): Promise<LookBack> {
  const sums = { orgs: 0, packages: 0, raised: 0, updated: 0, unasked: 0 };
  let ended: string | null = null;
  // Of all orgs together, so that one package without an answer is rarely a batch of its own.
  for await (const batch of batches(allCases(deps, sums))) {
    if (deps.signal?.aborted) ended = "another instance took over";
    else ended = await lookAt(deps, batch, sums);
    if (ended !== null) break;
  }
  const done = { ...sums, ended };
  deps.log({ event: "look_back", ...done });
  return done;
}

async function* allCases(deps: LookBackDeps, sums: { orgs: number }): AsyncGenerator<Case> {
  for (const org of await deps.records.orgs("install")) {
    sums.orgs++;
    const policy = await policyOf(deps, org);
    if (policy !== null) yield* casesOf(deps, org, policy);
  }
}

/** Why to stop; null: go on. */
async function lookAt(
  deps: LookBackDeps,
  batch: readonly Case[],
  sums: { packages: number; raised: number; updated: number; unasked: number },
): Promise<string | null> {
  const answers = await deps.advisories.known(batch);
  let silent = 0;
  let answered = 0;
  for (const [i, one] of batch.entries()) {
    const known = answers[i];
    if (known === null) continue;
    sums.packages++;
    const isKnown = known.state === "current" || known.state === "off";
    if (!isKnown) sums.unasked++;
    // One answer that cannot be read says nothing about the next.
    if (isKnown || known.state === "unreadable") answered++;
    else silent++;
    for (const found of await findings(deps, one, known.list)) {
      const outcome = await deps.alerts.raise(found, one.normal);
      if (outcome !== "known") sums[outcome]++;
    }
  }
  return silent > 0 && answered === 0 ? "the advisory database does not answer" : null;
}

/** null: it cannot be read, so nobody knows which names are private. */
async function policyOf({ policies, log }: LookBackDeps, org: string): Promise<Policy | null> {
  try {
    return await policies.get(org);
  } catch (error) {
    log({ event: "failure", path: "look_back", org, error: String(error) });
    return null;
  }
}

/** Names that the public registry is not asked for are nobody else's business. */
async function* casesOf(deps: LookBackDeps, org: string, policy: Policy): AsyncGenerator<Case> {
  for await (const { ecosystem, package: name } of deps.records.names(org)) {
    const normal = deps.schemes.get(ecosystem)?.normalizeName(name) ?? null;
    if (normal === null || isOwn(policy, { ecosystem, package: normal }, deps.now())) continue;
    yield { org, policy, ecosystem, name, normal };
  }
}

function isOwn(policy: Policy, { ecosystem, package: name }: PackageName, now: number): boolean {
  return policy.registries.some((one) => one.ecosystem === ecosystem && one.matches(name)) ||
    policy.judgeName?.(ecosystem, name, now).action === "deny";
}

async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
