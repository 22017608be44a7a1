/** The environment, read once and checked. */
import type { Ecosystem } from "../ecosystems/ecosystem.ts";
import { isLoopback } from "../policy/addresses.ts";
import { parseDuration } from "../policy/duration.ts";
import type { RouteSettings, UpstreamSetting } from "./deps.ts";
import { readTrust } from "./forwarded.ts";
import { type OidcSettings, readOidc } from "./oidc_settings.ts";
import { readRegistryTokens } from "./registry_tokens.ts";
import { SettingError } from "./setting_error.ts";

export { SettingError } from "./setting_error.ts";

export interface Settings extends RouteSettings {
  /** Where to listen; undefined on Deno Deploy, which decides that itself. */
  readonly listen: { readonly hostname: string; readonly port: number } | undefined;
  /** Deno's own default where undefined. */
  readonly kvUrl: string | undefined;
  readonly adminToken: string | undefined;
  readonly retentionMs: number;
  readonly cacheBytes: number;
  /** Hosts that webhooks may use besides public https addresses: `127.0.0.1:*`, `*.example.com`. */
  readonly webhookAllow: readonly string[];
  /** Base address of the advisories, ends in `/`; null: turned off. */
  readonly osvUrl: string | null;
  /** Where administrators sign in; null: they use tokens alone. */
  readonly oidc: OidcSettings | null;
}

type Env = (name: string) => string | undefined;

const DEFAULT_OSV = "https://api.osv.dev/";

/** The upstream of each ecosystem whose variable is not set, by its id. */
export async function defaultUpstreams(
  env: Env,
  ecosystems: readonly Ecosystem[],
): Promise<ReadonlyMap<string, string>> {
  const missing = ecosystems.filter((ecosystem) => !env(variableOf(ecosystem)));
  return new Map(
    await Promise.all(
      missing.map(async (it): Promise<[string, string]> => [it.id, await it.defaultUpstream()]),
    ),
  );
}

function variableOf({ id }: Ecosystem): string {
  return `UPSTREAM_${id.toUpperCase()}`;
}

/**
 * Throws SettingError on the first variable that is wrong.
 * @param defaults see `defaultUpstreams`
 */
export function readSettings(
  env: Env,
  ecosystems: readonly Ecosystem[],
  defaults: ReadonlyMap<string, string>,
): Settings {
  const listen = readListen(env);
  const publicUrl = readPublicUrl(env);
  const upstreams = ecosystems.map((ecosystem): [string, UpstreamSetting] => {
    const setting = readUpstream(env, ecosystem, defaults);
    refuseLoop(variableOf(ecosystem), setting.url, { listen, publicUrl });
    return [ecosystem.id, setting];
  });
  return {
    listen,
    kvUrl: readKvUrl(env),
    adminToken: readAdminToken(env),
    publicUrl,
    baseDomain: readBaseDomain(env),
    orgs: readOrgs(env),
    upstreams: new Map(upstreams),
    registryToken: readRegistryTokens(env),
    retentionMs: readRetention(env),
    cacheBytes: readInteger(env, "CACHE_MEMORY_MB", { fallback: 128, min: 1, max: 1_048_576 }) *
      1024 * 1024,
    webhookAllow: readHostPatterns(env, "WEBHOOK_ALLOW"),
    osvUrl: readOsvUrl(env),
    issuerAllow: readHostPatterns(env, "ISSUER_ALLOW"),
    registryAllow: [
      ...readHostPatterns(env, "REGISTRY_ALLOW"),
      ...ecosystems.flatMap((ecosystem) => ownHost(env, ecosystem)),
    ],
    trustProxy: readTrust(env("TRUST_PROXY")),
    oidc: readOidc(env),
  };
}

function readListen(env: Env): Settings["listen"] {
  if (env("DENO_DEPLOY") || env("DENO_DEPLOYMENT_ID")) return undefined;
  const hostname = env("HOST") || "127.0.0.1";
  if (!/^[A-Za-z0-9.:_-]{1,253}$/.test(hostname)) {
    throw new SettingError("HOST", hostname, "an IP address or a host name is accepted");
  }
  return { hostname, port: readInteger(env, "PORT", { fallback: 8000, min: 0, max: 65535 }) };
}

/** A developer's npm may be pointed at this very proxy, and our default is what npm would use. */
function refuseLoop(
  name: string,
  url: string,
  { listen, publicUrl }: Pick<Settings, "listen" | "publicUrl">,
): void {
  const { origin, hostname, port, protocol } = new URL(url);
  const own = listen !== undefined && protocol === "http:" &&
    Number(port || 80) === listen.port &&
    (isLoopback(hostname) || hostname === hostnameOf(listen.hostname));
  if (own || (publicUrl !== undefined && new URL(publicUrl).origin === origin)) {
    throw new SettingError(
      name,
      url,
      "that is this proxy itself; the address of another registry is accepted" +
        (name === "UPSTREAM_NPM" ? " (without UPSTREAM_NPM, npm's own configuration decides)" : ""),
    );
  }
}

/** As `URL` writes a host that is listened on. */
function hostnameOf(host: string): string | undefined {
  return URL.parse(`http://${host.includes(":") ? `[${host}]` : host}/`)?.hostname;
}

function readInteger(
  env: Env,
  name: string,
  { fallback, min, max }: { fallback: number; min: number; max: number },
): number {
  const text = env(name);
  if (text === undefined || text === "") return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw new SettingError(name, text, `a whole number from ${min} to ${max} is accepted`);
  }
  return value;
}

function readKvUrl(env: Env): string | undefined {
  const text = env("KV_URL");
  if (text === undefined || text === "") return undefined;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1].toLowerCase();
  // Unencrypted for a denokv server on this machine alone: its access token goes along.
  const local = scheme === "http" && isLoopback(URL.parse(text)?.hostname ?? "");
  if ((scheme === undefined || local || scheme === "https") && !text.includes("\0")) return text;
  throw new SettingError(
    "KV_URL",
    text,
    "a file path, :memory: or an https:// address is accepted (http:// on this machine alone)",
  );
}

function readAdminToken(env: Env): string | undefined {
  const text = env("ADMIN_TOKEN");
  if (text === undefined || text === "") return undefined;
  if (!/^[\x21-\x7e]{16,512}$/.test(text)) {
    throw new SettingError("ADMIN_TOKEN", "…", "16 to 512 printable characters are accepted");
  }
  // Clients give `<proxy token>:<registry token>` in one.
  if (text.startsWith("pp_") && text.includes(":")) {
    throw new SettingError("ADMIN_TOKEN", "pp_…", "one that begins with pp_ may hold no colon");
  }
  return text;
}

function readPublicUrl(env: Env): string | undefined {
  const text = env("PUBLIC_URL");
  if (text === undefined || text === "") return undefined;
  return readUrl("PUBLIC_URL", text).href.replace(/\/+$/, "");
}

/** What it had behind `?` or `#` would be lost in every address that is made from it. */
function readUrl(name: string, text: string): URL {
  const url = URL.parse(text);
  const plain = url !== null && /^https?:$/.test(url.protocol) &&
    url.username + url.password === "" && !/[?#]/.test(url.href);
  if (plain) return url;
  throw new SettingError(
    name,
    text,
    "an http:// or https:// address without credentials, ? or # is accepted",
  );
}

function readBaseDomain(env: Env): string | undefined {
  const text = env("BASE_DOMAIN");
  if (text === undefined || text === "") return undefined;
  if (!/^(?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$/i.test(text)) {
    throw new SettingError(
      "BASE_DOMAIN",
      text,
      "a domain such as packages.example is accepted, without a port: any port counts",
    );
  }
  return text.toLowerCase();
}

function readOrgs(env: Env): "open" | "closed" {
  const text = env("ORGS") || "open";
  if (text !== "open" && text !== "closed") {
    throw new SettingError("ORGS", text, `"open" and "closed" are accepted`);
  }
  return text;
}

function readUpstream(
  env: Env,
  ecosystem: Ecosystem,
  defaults: ReadonlyMap<string, string>,
): UpstreamSetting {
  const name = variableOf(ecosystem);
  const given = readUrl(name, env(name) || (defaults.get(ecosystem.id) ?? ""));
  if (!given.pathname.endsWith("/")) given.pathname += "/";
  const url = ecosystem.upstreamBase?.(given) ?? given;
  const files = env(`${name}_FILES`);
  const fileOrigins = files
    ? files.split(",").map((text) => readUrl(`${name}_FILES`, text.trim()).origin)
    : ecosystem.defaultFileOrigins;
  return { url: url.href, fileOrigins };
}

function readRetention(env: Env): number {
  const text = env("INSTALL_RETENTION") || "400d";
  let value = 0;
  try {
    value = parseDuration(text);
  } catch {
    // Said below, with the variable's name.
  }
  if (!(value > 0)) {
    throw new SettingError("INSTALL_RETENTION", text, "a duration such as 400d or 52w is accepted");
  }
  return value;
}

/** A server the operator has the proxy ask already is no secret of their network; its host's other ports are. */
function ownHost(env: Env, ecosystem: Ecosystem): string[] {
  const url = URL.parse(env(variableOf(ecosystem)) ?? "");
  if (url === null) return [];
  return [`${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}`];
}

/** `host`, `host:port`, `host:*`; the host may begin with `*.`. In lower case. */
function readHostPatterns(env: Env, name: string): readonly string[] {
  const patterns = (env(name) ?? "").split(",").map((text) => text.trim().toLowerCase());
  return patterns.filter((text) => text !== "").map((text) => {
    if (HOST_PATTERN.test(text)) return text;
    throw new SettingError(
      name,
      text,
      "host patterns such as 127.0.0.1:*, hooks.example or *.example.com:8443 are accepted, comma-separated",
    );
  });
}

const HOST_PATTERN =
  /^(?:(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*|\[[0-9a-f:.]{2,45}\])(?::(?:\*|\d{1,5}))?$/;

function readOsvUrl(env: Env): string | null {
  const text = env("OSV_URL") ?? DEFAULT_OSV;
  if (text.trim() === "") return null;
  const url = readUrl("OSV_URL", text);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}
