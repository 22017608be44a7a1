/** A registry's `config.json`, and the addresses that follow from it. */
import type {
  Document,
  DocumentAddress,
  MountView,
  ParseContext,
  Reading,
  Rendered,
} from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { isRecord, readJson } from "../json.ts";
import { prefixOf } from "./paths.ts";

export interface RegistryConfig {
  /** Template of a download. */
  readonly dl: string;
  /** Base of the web API, without trailing slash; null: there is none. */
  readonly api: string | null;
}

export const CONFIG: DocumentAddress = { url: "config.json", accept: "application/json" };

export const CONFIG_READING: Reading<RegistryConfig> = {
  id: "config",
  read: readConfig,
  weigh: ({ dl, api }) => 200 + dl.length + (api ?? "").length,
};

/** Of an address, as each version of a crate gets its own from the template. */
const MAX_ADDRESS = 2_000;

const MARKERS = ["{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}"];

/** The upstream's own. Throws InvalidMetadata, UpstreamError. */
export async function loadConfig(context: ParseContext): Promise<RegistryConfig> {
  const config = await context.document(CONFIG, CONFIG_READING);
  if (config === null) throw new InvalidMetadata("The registry has no config.json");
  return config;
}

/** Throws InvalidMetadata. */
function readConfig(document: Document): RegistryConfig {
  const config = readJson(document.bytes, "config.json");
  if (!isRecord(config)) throw new InvalidMetadata("Cannot read config.json: it is no object");
  const dl = webAddress(config.dl, "dl");
  const api = config.api === undefined || config.api === null
    ? null
    : webAddress(config.api, "api").replace(/\/+$/, "");
  return { dl, api };
}

/** Throws InvalidMetadata; a template in the host name is refused, as a crate could choose the host. */
function webAddress(value: unknown, key: string): string {
  const parsed = typeof value === "string" && value.length <= MAX_ADDRESS ? URL.parse(value) : null;
  const usable = parsed && /^https?:$/.test(parsed.protocol) && !parsed.username &&
    !parsed.password && !/[{}]|%7b/i.test(parsed.host);
  if (!usable || typeof value !== "string") {
    throw new InvalidMetadata(
      `Cannot read ${key} of config.json as an http(s) address: current value is ${
        JSON.stringify(value)?.slice(0, MAX_ADDRESS)
      }`,
    );
  }
  return value;
}

export function originsOf(config: RegistryConfig): string[] {
  const addresses = config.api === null ? [config.dl] : [config.dl, config.api];
  return [...new Set(addresses.map((address) => new URL(address).origin))];
}

/** As cargo builds it: https://doc.rust-lang.org/cargo/reference/registry-index.html#index-configuration */
export function downloadUrl(
  config: RegistryConfig,
  crate: { name: string; version: string; checksum: string },
): string {
  const { name, version, checksum } = crate;
  const template = MARKERS.some((marker) => config.dl.includes(marker))
    ? config.dl
    : `${config.dl}/{crate}/{version}/download`;
  const filled = template
    .replaceAll("{crate}", name)
    .replaceAll("{version}", version)
    .replaceAll("{prefix}", prefixOf(name))
    .replaceAll("{lowerprefix}", prefixOf(name.toLowerCase()))
    .replaceAll("{sha256-checksum}", checksum);
  return new URL(filled).href;
}

/** Address of a page of the web API, below `/api/v1/`; null: the registry has no API. */
export function apiUrl(config: RegistryConfig, path: string): string | null {
  return config.api === null ? null : new URL(`${config.api}/api/v1/${path}`).href;
}

/** The page of a crate, or of one version, in the web API. */
export function crateDocument(
  config: RegistryConfig,
  name: string,
  version?: string,
): DocumentAddress | null {
  const path = version === undefined ? name : `${name}/${encodeURIComponent(version)}`;
  const url = apiUrl(config, `crates/${path}`);
  return url === null ? null : { url, accept: "application/json" };
}

/**
 * The config.json that a client of ours gets. With `downloads: "direct"` its
 * `dl` is the upstream's, except where some crates come from elsewhere: there
 * is only one `dl` for all.
 */
export function renderConfig(upstream: RegistryConfig, { mount, policy }: MountView): Rendered {
  const single = !policy.registries.some((registry) => registry.ecosystem === "cargo");
  const direct = policy.downloads === "direct" && single;
  const config = {
    dl: direct ? upstream.dl : new URL("crates", mount).href,
    api: mount.replace(/\/$/, ""),
    ...(asksForToken({ mount, policy }) && { "auth-required": true }),
  };
  return { body: JSON.stringify(config), type: "application/json" };
}

const NAMES_USER = /\/o-[^/]+\/u-[^/]+\//;

/** cargo shows its token nowhere else, and without one nothing but the address says who it is. */
function asksForToken({ mount, policy }: MountView): boolean {
  return policy.auth === "token" || (policy.auth === "identify" && !NAMES_USER.test(mount));
}
