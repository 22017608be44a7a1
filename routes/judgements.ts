import type { Index } from "../ecosystems/ecosystem.ts";
import type { Kept } from "../ecosystems/revalidated.ts";
import type { Judgement, Lift, Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";

/** Judgements by index, so that they go when it goes; then by policy revision. */
export type Judgements = WeakMap<Index, Map<string, Judgement>>;

const MAX_POLICIES = 2_000;

type JudgeDeps = Pick<Deps, "now" | "lifts" | "judgements">;

interface Asked {
  readonly kept: Kept<Index>;
  readonly policy: Policy;
  readonly client: { readonly org: string; readonly user: string; readonly ip: string };
}

/**
 * What the policy makes of an index now. Judged once per index, policy revision
 * and coming of age; a client that just ran `npm audit` is judged for itself.
 */
export async function judgeIndex(deps: JudgeDeps, asked: Asked): Promise<Judgement> {
  return peekJudgement(deps, asked) ??
    judgeLifted(deps, asked, await deps.lifts.find(asked.client));
}

/** The same without waiting; undefined: KV has to be asked for the client's lifts. */
export function peekJudgement(deps: JudgeDeps, asked: Asked): Judgement | undefined {
  const { kept, policy, client } = asked;
  const judgement = judgeShared(deps.judgements, { index: kept.value, policy, now: deps.now() });
  if (judgement.denied === 0 || !policy.auditOverride) return judgement;
  const lift = deps.lifts.peek(client);
  return lift === undefined ? undefined : judgeLifted(deps, asked, lift);
}

function judgeLifted(deps: JudgeDeps, { kept, policy }: Asked, lift: Lift | null): Judgement {
  const index = kept.value;
  const now = deps.now();
  if (lift === null || !index.releases.some(lift)) {
    return judgeShared(deps.judgements, { index, policy, now });
  }
  return policy.judge(index.releases, now, lift);
}

function judgeShared(
  judgements: Judgements,
  { index, policy, now }: { index: Index; policy: Policy; now: number },
): Judgement {
  let byPolicy = judgements.get(index);
  if (byPolicy === undefined) judgements.set(index, byPolicy = new Map());
  const known = byPolicy.get(policy.revision);
  if (known !== undefined && (known.changesAt === null || now < known.changesAt)) return known;
  const judgement = policy.judge(index.releases, now);
  if (byPolicy.size >= MAX_POLICIES) byPolicy.clear();
  byPolicy.set(policy.revision, judgement);
  return judgement;
}
