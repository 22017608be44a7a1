/** The environment, read once and checked. */
import type { Ecosystem } from "../ecosystems/ecosystem.ts";
import { parseDuration } from "../policy/duration.ts";
import type { RouteSettings, UpstreamSetting } from "./deps.ts";

export interface Settings extends RouteSettings {
  readonly host: string;
  readonly port: number;
  /** Deno's own default where undefined. */
  readonly kvUrl: string | undefined;
  readonly adminToken: string | undefined;
  readonly retentionMs: number;
  readonly cacheBytes: number;
}

/** A variable that cannot be used: one line for the terminal. */
export class SettingError extends Error {
  override readonly name = "SettingError";

  constructor(variable: string, value: string, accepted: string) {
    super(`Cannot use ${variable}=${JSON.stringify(value)}: ${accepted}`);
  }
}

type Env = (name: string) => string | undefined;

/** Throws SettingError on the first variable that is wrong. */
export function readSettings(env: Env, ecosystems: readonly Ecosystem[]): Settings {
  return {
    host: env("HOST") || "127.0.0.1",
    port: readInteger(env, "PORT", { fallback: 8000, min: 0, max: 65535 }),
    kvUrl: readKvUrl(env),
    adminToken: readAdminToken(env),
    publicUrl: readPublicUrl(env),
    baseDomain: readBaseDomain(env),
    orgs: readOrgs(env),
    upstreams: new Map(ecosystems.map((ecosystem) => [ecosystem.id, readUpstream(env, ecosystem)])),
    registryToken: (name) => name.startsWith("REGISTRY_TOKEN_") ? env(name) : undefined,
    retentionMs: readRetention(env),
    cacheBytes: readInteger(env, "CACHE_MEMORY_MB", { fallback: 128, min: 1, max: 1_048_576 }) *
      1024 * 1024,
  };
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
  if (/^http:/i.test(text) && !/^http:\/\/(?:localhost|127\.|\[::1\])/i.test(text)) {
    throw new SettingError(
      "KV_URL",
      text,
      "a file path, :memory: or an https:// address is accepted",
    );
  }
  return text;
}

function readAdminToken(env: Env): string | undefined {
  const text = env("ADMIN_TOKEN");
  if (text === undefined || text === "") return undefined;
  if (!/^[\x21-\x7e]{16,512}$/.test(text)) {
    throw new SettingError("ADMIN_TOKEN", "…", "16 to 512 printable characters are accepted");
  }
  return text;
}

function readPublicUrl(env: Env): string | undefined {
  const text = env("PUBLIC_URL");
  if (text === undefined || text === "") return undefined;
  const url = readUrl("PUBLIC_URL", text);
  if (url.search !== "" || url.hash !== "") {
    throw new SettingError("PUBLIC_URL", text, "an address without query is accepted");
  }
  return url.href.replace(/\/+$/, "");
}

function readUrl(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
    throw new SettingError(
      name,
      text,
      "an http:// or https:// address without credentials is accepted",
    );
  }
  return url;
}

function readBaseDomain(env: Env): string | undefined {
  const text = env("BASE_DOMAIN");
  if (text === undefined || text === "") return undefined;
  if (!/^(?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}(?::\d{1,5})?$/i.test(text)) {
    throw new SettingError("BASE_DOMAIN", text, "a domain such as packages.example is accepted");
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

function readUpstream(env: Env, ecosystem: Ecosystem): UpstreamSetting {
  const name = `UPSTREAM_${ecosystem.id.toUpperCase()}`;
  const given = env(name);
  const url = readUrl(name, given || ecosystem.defaultUpstream());
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const { defaultFileOrigins } = ecosystem;
  if (defaultFileOrigins === undefined) return { url: url.href, fileOrigins: [] };
  const files = env(`${name}_FILES`);
  const fileOrigins = files
    ? files.split(",").map((text) => readUrl(`${name}_FILES`, text.trim()).origin)
    : defaultFileOrigins;
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
