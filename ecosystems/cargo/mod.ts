/** cargo's sparse registries (https://doc.rust-lang.org/cargo/reference/registries.html). */
import type { Ecosystem } from "../ecosystem.ts";
import { refuseAsText } from "../refusal.ts";
import { apiUrl, loadConfig, originsOf } from "./config.ts";
import { parseIndex } from "./crate_index.ts";
import { matchCargo } from "./match.ts";
import { indexPath } from "./paths.ts";
import { cargoVersions } from "./versions.ts";

export const cargo: Ecosystem = {
  id: "cargo",
  title: "cargo",
  versions: cargoVersions,
  osv: { ecosystem: "crates.io" },
  verifyingClients: /^cargo\//,
  bareTokens: true,
  mounts: ["cargo", "cargo-rs", "cargofiles"],
  defaultUpstream: () => "https://index.crates.io/",
  // Besides those that `origins` finds.
  defaultFileOrigins: [],
  match: matchCargo,
  origins: async (context) => originsOf(await loadConfig(context)),
  resolvePass: async (target, context) =>
    apiUrl(await loadConfig(context), target.path.replace(/^api\/v1\//, "")),
  // Not as names are compared: `a-b` and `a_b` are two documents.
  indexName: (name) => name.toLowerCase(),
  indexBasis: async (context) => JSON.stringify(await loadConfig(context)),
  indexAddress: (name) => ({ url: indexPath(name), accept: "text/plain" }),
  parse: parseIndex,
  // cargo prints the first 512 characters of the body, whatever its type.
  refuse: refuseAsText,
};
