import { block } from "./block.ts";
import { minAge } from "./min_age.ts";
import { publisherDowngrade } from "./publisher_downgrade.ts";
import { yanked } from "./yanked.ts";

/** Every rule, one line each. The first that withholds a release names the reason. */
export const RULES = [
  block,
  yanked,
  publisherDowngrade,
  minAge,
] as const;
