/** The documents of the crates web API (https://crates.io/api/openapi.json), as far as they are read here. */
import type { Trust } from "../../policy/types.ts";
import type { Document, ParseContext, Reading, Rendered } from "../ecosystem.ts";
import { InvalidMetadata, UpstreamError } from "../errors.ts";
import { crateDocument, type RegistryConfig } from "./config.ts";
import { isRecord, readJson } from "../json.ts";
import { cargoVersions } from "./versions.ts";

/** What the API knows of a version, and the index may not. */
export interface VersionFacts {
  /** Unix ms; null: not stated. */
  readonly createdAt: number | null;
  /** null: the API does not speak of trusted publishing. */
  readonly trust: Trust | null;
}

export interface CrateFacts {
  readonly versions: ReadonlyMap<string, VersionFacts>;
  /** The API did not answer properly: asking again may help. */
  readonly failed: boolean;
}

const CREATED_AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * All versions of a crate in one request. An API that is down, absent or
 * garbled leaves the facts unknown; the index itself is still sound.
 */
export async function askFacts(
  config: RegistryConfig,
  name: string,
  context: ParseContext,
): Promise<CrateFacts> {
  const address = crateDocument(config, name);
  if (address === null) return { versions: new Map(), failed: false };
  try {
    const versions = await context.document(address, factsOf(name));
    return { versions: versions ?? new Map(), failed: false };
  } catch (error) {
    if (!(error instanceof UpstreamError || error instanceof InvalidMetadata)) throw error;
    return { versions: new Map(), failed: true };
  }
}

/** Memory of the facts of one version, roughly. */
const FACTS_WEIGHT = 200;

function factsOf(name: string): Reading<ReadonlyMap<string, VersionFacts>> {
  return {
    id: "facts",
    read: (document) => readFacts(document, name),
    weigh: ({ size }) => FACTS_WEIGHT * (1 + size),
  };
}

function readFacts(document: Document, name: string): Map<string, VersionFacts> {
  const facts = new Map<string, VersionFacts>();
  for (const entry of readCrate(document, name).versions) {
    if (typeof entry.num !== "string") continue;
    const { created_at: created, trustpub_data: publisher } = entry;
    const time = typeof created === "string" && CREATED_AT.test(created)
      ? Date.parse(created)
      : NaN;
    facts.set(entry.num, {
      createdAt: Number.isNaN(time) ? null : time,
      trust: publisher === undefined ? null : publisher === null ? "none" : "trusted_publisher",
    });
  }
  return facts;
}

/** Throws InvalidMetadata. */
export function readCrate(document: Document, name: string) {
  const page = readJson(document.bytes, `the API's page of ${name}`);
  const crate = isRecord(page) ? page.crate : undefined;
  const versions = isRecord(page) ? page.versions : undefined;
  if (
    !isRecord(page) || !isRecord(crate) || !Array.isArray(versions) || !versions.every(isRecord)
  ) {
    throw new InvalidMetadata(`The API's page of ${name} lacks its crate or versions`);
  }
  requireName(crate.name, name);
  return { page, crate, versions };
}

function requireName(found: unknown, name: string): void {
  const same = typeof found === "string" &&
    cargoVersions.normalizeName(found) === cargoVersions.normalizeName(name);
  if (!same) throw new InvalidMetadata(`The API's page of ${name} speaks of ${String(found)}`);
}

/** A version that is let through. */
export interface Shown {
  readonly version: string;
  readonly publishedAt: number | null;
  readonly yanked: boolean;
}

/**
 * The page of a crate: whatever is not shown counts as yanked, and no field
 * names it as the version to take. Throws InvalidMetadata.
 */
export function renderCrate(document: Document, name: string, shown: readonly Shown[]): Rendered {
  const { page, crate, versions } = readCrate(document, name);
  const visible = new Set(shown.map((each) => each.version));
  const isHidden = (value: unknown) => typeof value === "string" && !visible.has(value);

  const hidden = new Set(
    versions.filter((entry) => isHidden(entry.num) && entry.yanked !== true),
  );
  const best = bestOf(shown);
  const fields = Object.entries(best).filter(([key]) => isHidden(crate[key]));
  const allYanked = "yanked" in crate && crate.yanked !== true && !shown.some((v) => !v.yanked);
  if (hidden.size === 0 && fields.length === 0 && !allYanked) {
    return { body: document.bytes, type: "application/json" };
  }
  const changed = {
    ...page,
    crate: { ...crate, ...Object.fromEntries(fields), ...(allYanked && { yanked: true }) },
    versions: versions.map((entry) => hidden.has(entry) ? { ...entry, yanked: true } : entry),
  };
  return { body: JSON.stringify(changed), type: "application/json" };
}

/** crates.io's own choices among the versions that are not yanked, else among all; "0.0.0" if there is none. */
function bestOf(shown: readonly Shown[]): Record<string, string | null> {
  const live = shown.filter((each) => !each.yanked);
  const candidates = live.length > 0 ? live : shown;
  const sorted = candidates.map((each) => each.version).sort(cargoVersions.compare);
  const stable = sorted.findLast((version) => !cargoVersions.isPrerelease(version)) ?? null;
  const highest = sorted.at(-1) ?? "0.0.0";
  const newest = candidates.toSorted((a, b) => (a.publishedAt ?? 0) - (b.publishedAt ?? 0)).at(-1);
  return {
    max_version: highest,
    max_stable_version: stable,
    newest_version: newest?.version ?? "0.0.0",
    default_version: stable ?? highest,
  };
}

/** The page of one version, as it is, once it is known to be that. Throws InvalidMetadata. */
export function renderVersion(document: Document, name: string, version: string): Rendered {
  checkVersion(document, name, version);
  return { body: document.bytes, type: "application/json" };
}

/** Throws InvalidMetadata. */
export function checkVersion(document: Document, name: string, version: string): void {
  const page = readJson(document.bytes, `the API's page of ${name} ${version}`);
  const entry = isRecord(page) ? page.version : undefined;
  if (!isRecord(entry) || entry.num !== version) {
    throw new InvalidMetadata(`The API's page of ${name} ${version} is of something else`);
  }
  requireName(entry.crate, name);
}
