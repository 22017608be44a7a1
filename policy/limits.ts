/** How many requests an org's clients may send: what a policy's `limits` says. */
import * as v from "valibot";
import { strict } from "./shape.ts";
import type { Policy, RequestRate } from "./types.ts";

/**
 * An install of 2,000 packages is 4,000 requests within seconds, so fifteen a
 * minute for one developer, and those of 150 developers or jobs behind one address.
 */
const DEFAULTS = { token: "60000/m", user: "60000/m", address: "600000/m" } as const;

const MAX_COUNT = 100_000_000;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads `6000/m`; `off` is null. Throws SyntaxError. */
export function parseRate(text: string): RequestRate | null {
  if (text === "off") return null;
  const [, digits, unit] = /^(\d{1,9})\/([smh])$/.exec(text) ?? [];
  const count = Number(digits);
  if (!(count >= 1 && count <= MAX_COUNT)) {
    throw new SyntaxError(
      `expected a number of requests from 1 to ${MAX_COUNT} in a second, minute or hour, ` +
        'such as "6000/m", or "off"',
    );
  }
  return { count, ms: UNITS[unit] };
}

const rateSchema = v.pipe(
  v.string('expected a rate such as "6000/m", or "off"'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      parseRate(dataset.value);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      addIssue({ message: error.message });
    }
  }),
);

/** The member `limits` of a policy. */
export function limitsSchema() {
  return strict({
    per_token: v.optional(rateSchema, DEFAULTS.token),
    per_user: v.optional(rateSchema, DEFAULTS.user),
    per_address: v.optional(rateSchema, DEFAULTS.address),
  });
}

/** @param given as `limitsSchema` has returned it */
export function compileLimits(
  given: { readonly per_token: string; readonly per_user: string; readonly per_address: string },
): Policy["limits"] {
  return {
    token: parseRate(given.per_token),
    user: parseRate(given.per_user),
    address: parseRate(given.per_address),
  };
}

/** What holds while an org's policy is not known. */
export const DEFAULT_LIMITS: Policy["limits"] = {
  token: parseRate(DEFAULTS.token),
  user: parseRate(DEFAULTS.user),
  address: parseRate(DEFAULTS.address),
};
