/** Every ecosystem there is, one line each. */
import type { VersionSchemes } from "../policy/types.ts";
import type { Ecosystem } from "./ecosystem.ts";
import { cargo } from "./cargo/mod.ts";
import { npm } from "./npm/mod.ts";
import { pypi } from "./pypi/mod.ts";

export const ECOSYSTEMS: readonly Ecosystem[] = [
  npm,
  pypi,
  cargo,
];

/** How each names packages and orders versions, for the policy engine. */
export const SCHEMES: VersionSchemes = new Map(
  ECOSYSTEMS.map(({ id, versions }) => [id, versions]),
);
