import { allowOnly } from "./allow_only.ts";
import { block } from "./block.ts";
import { deprecated } from "./deprecated.ts";
import { freeze } from "./freeze.ts";
import { installScripts } from "./install_scripts.ts";
import { license } from "./license.ts";
import { malware } from "./malware.ts";
import { minAge } from "./min_age.ts";
import { namespace } from "./namespace.ts";
import { newDependency } from "./new_dependency.ts";
import { newPackage } from "./new_package.ts";
import { publisherDowngrade } from "./publisher_downgrade.ts";
import { typosquat } from "./typosquat.ts";
import { vulnerable } from "./vulnerable.ts";
import { yanked } from "./yanked.ts";

/** Every rule, one line each. The first that withholds a release names the reason. */
export const RULES = [
  block,
  malware,
  namespace,
  allowOnly,
  freeze,
  yanked,
  publisherDowngrade,
  typosquat,
  installScripts,
  vulnerable,
  newDependency,
  license,
  deprecated,
  newPackage,
  minAge,
] as const;
