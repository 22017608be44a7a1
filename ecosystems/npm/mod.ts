/** npm's registry, as npm, pnpm, yarn, bun and deno speak to it. */
import type { Ecosystem, Refusal, RegistryRequest } from "../ecosystem.ts";
import { redirectToWhy, refuseAsJson } from "../refusal.ts";
import { auditWithout, readLifts } from "./advisories.ts";
import { readPackageIndex } from "./package_index.ts";
import { encodeName, matchNpm } from "./paths.ts";
import { npmVersions } from "./versions.ts";
import { samplePackument } from "./sample.ts";

export const npm: Ecosystem = {
  id: "npm",
  title: "npm",
  versions: npmVersions,
  osv: { ecosystem: "npm" },
  // Not yarn 4: what it downloads first is what it compares with later. Not npm before 5, whose
  // lockfiles have no digests, nor what is only called after a client, as npm-registry-fetch is.
  verifyingClients: /^(?:npm\/(?![0-4]\.)|pnpm\/|yarn\/1\.|Bun\/|Deno\/)/,
  mounts: ["npm", "npmfiles"],
  errorsAsJson: true,
  /** Loaded where it is wanted, to keep cold starts short. */
  defaultUpstream: async () => (await import("registry-url")).default(),
  defaultFileOrigins: [],
  match: matchNpm,
  /** Always the full document: the abbreviated one has no publish times. */
  indexAddress: (name) => ({ url: encodeName(name), accept: "application/json" }),
  parse: (document, name, { source }) => readPackageIndex(document, name, source),
  refuse,
  auditWithout,
  lifts: readLifts,
  sample: samplePackument,
};

/**
 * bun and yarn 4 (whose requests are by `got`) print nothing of a refused file but
 * the addresses they were sent to. pnpm and yarn 1 print the first address only.
 */
const PRINTS_REDIRECT = /^(?:Bun\/|got\b)/;
/** npm 6 prints where it ended up instead of what a file's answer says; of an index it prints that. */
const PRINTS_FILE_REDIRECT = /^npm\/6\./;

function refuse(refusal: Refusal, request: RegistryRequest): Response {
  const agent = request.headers.get("user-agent") ?? "";
  const redirected = PRINTS_REDIRECT.test(agent) ||
    (refusal.filename !== null && PRINTS_FILE_REDIRECT.test(agent));
  return redirected ? redirectToWhy(refusal) : refuseAsJson(refusal);
}
