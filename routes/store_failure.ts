/** What goes on while KV fails, for orgs whose policy says so (`on_store_failure: "allow"`). */
import { StoreUnavailable } from "../policy/store/errors.ts";
import type { Lifts, Policies, Tokens } from "../policy/store/types.ts";

/** Tokens that were good within the last hour stay so, for orgs that allow it. */
export function tolerantTokens(
  tokens: Pick<Tokens, "find" | "peek" | "recall">,
  policies: Pick<Policies, "recall" | "failing">,
): Pick<Tokens, "find" | "peek"> {
  const recall = (secret: string) => {
    const token = tokens.recall(secret);
    return token !== null && policies.recall(token.org) !== undefined ? token : null;
  };
  return {
    peek: (secret) => (policies.failing() ? recall(secret) : null) ?? tokens.peek(secret),

    async find(secret) {
      if (policies.failing()) {
        const known = recall(secret);
        if (known !== null) return known;
      }
      try {
        return await tokens.find(secret);
      } catch (error) {
        const known = error instanceof StoreUnavailable ? recall(secret) : null;
        if (known === null) throw error;
        return known;
      }
    },
  };
}

/** Nobody is lifted anything, and nobody waits to hear that. */
export function tolerantLifts(lifts: Lifts, policies: Pick<Policies, "failing">): Lifts {
  return {
    add: (client, lifted) => lifts.add(client, lifted),
    find: (client) => policies.failing() ? Promise.resolve(null) : lifts.find(client),
    peek: (client) => policies.failing() ? null : lifts.peek(client),
  };
}
