import type { Index } from "../ecosystems/ecosystem.ts";
import type { Kept } from "../ecosystems/revalidated.ts";
import type { Judgement, Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";

/** Judgements by index, so that they go when it goes; then by policy revision. */
export type Judgements = WeakMap<Index, Map<string, Judgement>>;

const MAX_POLICIES = 2_000;

/**
 * What the policy makes of an index now. Judged once per index, policy revision
 * and coming of age; a client that just ran `npm audit` is judged for itself.
 */
export async function judgeIndex(
  deps: Pick<Deps, "now" | "lifts" | "judgements">,
  { kept, policy, client }: {
    kept: Kept<Index>;
    policy: Policy;
    client: { org: string; user: string; ip: string };
  },
): Promise<Judgement> {
  const now = deps.now();
  const index = kept.value;
  const judgement = judgeShared(deps.judgements, { index, policy, now });
  if (judgement.denied === 0 || !policy.auditOverride) return judgement;
  const lift = await deps.lifts.find(client);
  if (lift === null || !index.releases.some(lift)) return judgement;
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
