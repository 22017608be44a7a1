import { block } from "./block.ts";
import { malware } from "./malware.ts";
import { minAge } from "./min_age.ts";
import { newDependency } from "./new_dependency.ts";
import { publisherDowngrade } from "./publisher_downgrade.ts";
import { vulnerable } from "./vulnerable.ts";
import { yanked } from "./yanked.ts";

/** Every rule, one line each. The first that withholds a release names the reason. */
export const RULES = [
  block,
  malware,
  yanked,
  publisherDowngrade,
  vulnerable,
  newDependency,
  minAge,
] as const;
