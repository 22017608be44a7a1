import { isDeepStrictEqual } from "node:util";
import type { Index } from "../ecosystems/ecosystem.ts";
import type { Kept } from "../ecosystems/revalidated.ts";
import type { Facts, Judgement, Lift, Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";

/**
 * Judgements by index, so that they go when it goes; then by policy. A policy's next revision takes
 * the place of the one before, or all that there ever were would pile up with a package that does
 * not change.
 */
export type Judgements = WeakMap<Index, Map<string, Judged>>;

/** A judgement, and what it was made with. */
interface Judged {
  /** Of the policy. */
  readonly revision: string;
  readonly judgement: Judgement;
  readonly facts: Facts | undefined;
  /** Unix ms. */
  readonly at: number;
  /** Whether it is of an instant that a client named (`Policy.before`). */
  readonly hasInstant: boolean;
}

const MAX_POLICIES = 2_000;
/** Anybody may ask for any instant, so few are kept. */
const MAX_WITH_INSTANTS = 8;

type JudgeDeps = Pick<Deps, "now" | "lifts" | "judgements" | "facts">;

interface Asked {
  readonly kept: Kept<Index>;
  readonly policy: Policy;
  readonly client: { readonly org: string; readonly user: string; readonly ip: string };
}

/**
 * What the policy makes of an index now. Judged once per index, policy revision,
 * facts and coming of age; a client that just ran `npm audit` is judged for
 * itself. Facts from elsewhere are waited for, but for 2 s at most.
 */
export async function judgeIndex(deps: JudgeDeps, asked: Asked): Promise<Judgement> {
  const facts = await factsFor(deps, asked);
  return peekWith(deps, asked, facts) ??
    judgeLifted(deps, asked, { facts, lift: await deps.lifts.find(asked.client) });
}

/** The same without waiting; undefined: KV has to be asked for the client's lifts, or somebody else for facts. */
export function peekJudgement(deps: JudgeDeps, asked: Asked): Judgement | undefined {
  const { kept, policy } = asked;
  if (policy.needs === null) return peekWith(deps, asked, undefined);
  const facts = deps.facts.peek(kept.value, policy);
  return facts === undefined ? undefined : peekWith(deps, asked, facts);
}

async function factsFor(deps: JudgeDeps, { kept, policy }: Asked): Promise<Facts | undefined> {
  if (policy.needs === null) return undefined;
  return deps.facts.peek(kept.value, policy) ?? await deps.facts.gather(kept.value, policy);
}

function peekWith(
  deps: JudgeDeps,
  asked: Asked,
  facts: Facts | undefined,
): Judgement | undefined {
  const { kept, policy, client } = asked;
  const judgement = judgeShared(deps, { index: kept.value, policy, facts });
  if (judgement.denied === 0 || !policy.auditOverride) return judgement;
  const lift = deps.lifts.peek(client);
  return lift === undefined ? undefined : judgeLifted(deps, asked, { facts, lift });
}

function judgeLifted(
  deps: JudgeDeps,
  { kept, policy }: Asked,
  { facts, lift }: { facts: Facts | undefined; lift: Lift | null },
): Judgement {
  const index = kept.value;
  if (lift === null || !index.releases.some(lift)) {
    return judgeShared(deps, { index, policy, facts });
  }
  return policy.judge(index.releases, deps.now(), lift, facts);
}

function judgeShared(
  { judgements, now: clock }: JudgeDeps,
  { index, policy, facts }: { index: Index; policy: Policy; facts: Facts | undefined },
): Judgement {
  const now = clock();
  let byPolicy = judgements.get(index);
  if (byPolicy === undefined) judgements.set(index, byPolicy = new Map());
  const { revision } = policy;
  const hasInstant = policy.before !== null;
  // No org's name is like the revision of an instant.
  const place = hasInstant ? revision : policy.org;
  const known = byPolicy.get(place);
  if (known?.revision === revision && holds(known, { now, facts })) return known.judgement;
  const judgement = shared(byPolicy, policy.judge(index.releases, now, undefined, facts));
  if (known === undefined) makeRoom(byPolicy, hasInstant);
  byPolicy.set(place, { revision, judgement, facts, at: now, hasInstant });
  return judgement;
}

/** For one more; instants push out nothing but each other. */
function makeRoom(known: Map<string, Judged>, hasInstant: boolean): void {
  const most = hasInstant ? MAX_WITH_INSTANTS : MAX_POLICIES;
  if (known.size < most) return;
  const alike = [...known].filter(([, judged]) => judged.hasInstant === hasInstant);
  if (alike.length < most) return;
  for (const [place] of alike) known.delete(place);
}

/** Before it was made a judgement says nothing: the clock was ahead then. */
function holds(
  { judgement: { changesAt }, facts: before, at }: Judged,
  { now, facts }: { now: number; facts: Facts | undefined },
): boolean {
  return now >= at && (changesAt === null || now < changesAt) &&
    (before === facts || before?.id === facts?.id);
}

/** Orgs with the same rules hold one judgement of a package, not a list of verdicts each. */
function shared(known: ReadonlyMap<string, Judged>, made: Judgement): Judgement {
  const alike = known.values().find(({ judgement }) =>
    judgement.signature === made.signature && judgement.changesAt === made.changesAt
  )?.judgement;
  const same = alike?.verdicts.every((verdict, i) =>
    verdict === made.verdicts[i] || isDeepStrictEqual(verdict, made.verdicts[i])
  );
  return alike !== undefined && same ? alike : made;
}
