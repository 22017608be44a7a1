/** Packages for those who ask on behalf of an org rather than of a client: the admin API. */
import type { Index } from "../ecosystems/ecosystem.ts";
import type { Facts, Policy } from "../policy/types.ts";
import type { Deps } from "./deps.ts";
import { problemOf } from "./errors.ts";
import { NameRefused, sourceFor } from "./sources.ts";

export interface AskedPackage {
  readonly org: string;
  /** In force: it says which registry is asked, and which names nobody is asked for. */
  readonly policy: Policy;
  readonly ecosystem: string;
  readonly package: string;
}

/** @param deps made after the admin API is */
export function packageReader(deps: () => Deps) {
  return {
    /** The index, or why it cannot be had, in a sentence for people. */
    async load(asked: AskedPackage): Promise<Index | string> {
      const { org, policy, package: name } = asked;
      const ecosystem = deps().ecosystems.find(({ id }) => id === asked.ecosystem);
      if (ecosystem === undefined) return `This proxy serves no packages of ${asked.ecosystem}.`;
      if (ecosystem.versions.normalizeName(name) === null) {
        return `${ecosystem.title} has no such names.`;
      }
      try {
        // Nobody's own credential is at hand, only those that the policy names.
        const identity = { org, registryCredential: null, basicCredential: null };
        const source = sourceFor(deps(), { ecosystem, name, policy, identity });
        const kept = await deps().indexes.load(ecosystem, name, { source, purpose: "file" });
        return kept?.value ?? `${ecosystem.title} has no such package any more.`;
      } catch (error) {
        if (error instanceof NameRefused) return `The policy in force forbids to ask for it.`;
        return problemOf(error).message;
      }
    },

    /** What the policy's rules need besides. Waits for 2 s at most; throws nothing. */
    facts(index: Index, policy: Policy): Promise<Facts> {
      return deps().facts.gather(index, policy);
    },
  };
}
