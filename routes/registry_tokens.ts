/**
 * Which policy may send which of the operator's registry tokens where. Whoever
 * may write an org's policy chooses an address and a variable: without
 * `REGISTRY_TOKENS` that is a way to the tokens of all orgs.
 */
import { isOrgName } from "../policy/names.ts";
import { isAllowedHost } from "../policy/addresses.ts";
import { SettingError } from "./setting_error.ts";

/** For which org's policy, and to which address. */
export interface TokenUse {
  readonly org: string;
  readonly url: string;
}

/** Value of a `REGISTRY_TOKEN_...` variable; undefined: it is not set, or not for this use. */
export type RegistryToken = (name: string, use: TokenUse) => string | undefined;

interface Grant {
  readonly variable: string;
  /** `*`: any. */
  readonly org: string;
  /** As in `REGISTRY_ALLOW`; `*`: any. */
  readonly host: string;
}

const PREFIX = "REGISTRY_TOKEN_";
const GRANT =
  /^(REGISTRY_TOKEN_\w+)=([^@\s]+)@(\*|(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*(?::(?:\*|\d{1,5}))?)$/;

/** Throws SettingError. */
export function readRegistryTokens(env: (name: string) => string | undefined): RegistryToken {
  const text = env("REGISTRY_TOKENS") ?? "";
  const entries = text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
  const grants = entries.length === 0 ? null : entries.map(readGrant);
  return (name, use) => {
    if (!name.startsWith(PREFIX)) return undefined;
    const granted = grants?.some((grant) => grant.variable === name && fits(grant, use)) ?? true;
    return granted ? env(name) : undefined;
  };
}

function readGrant(entry: string): Grant {
  const [, variable, org, host] = GRANT.exec(entry) ?? [];
  if (variable !== undefined && (org === "*" || isOrgName(org))) return { variable, org, host };
  throw new SettingError(
    "REGISTRY_TOKENS",
    entry,
    "REGISTRY_TOKEN_X=org@host is accepted, comma-separated, where * stands for any org or host",
  );
}

function fits({ org, host }: Grant, use: TokenUse): boolean {
  if (org !== "*" && org !== use.org) return false;
  const url = URL.parse(use.url);
  return host === "*" || (url !== null && isAllowedHost(url, [host]));
}
