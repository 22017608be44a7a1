import { createHash } from "node:crypto";
import { IssuerClient } from "../../ecosystems/issuers/client.ts";
import type { Resolve } from "../../ecosystems/guarded_lookup.ts";
import type { Journal } from "../../policy/store/journal.ts";
import { openSessions } from "../../policy/store/sessions.ts";
import { type ProviderSettings, SignIn } from "./mod.ts";

export interface OpenSignIn {
  readonly settings: ProviderSettings;
  /** `PUBLIC_URL`, without trailing slash. */
  readonly publicUrl?: string;
  /** Hosts besides the provider's own that may be private, and http. */
  readonly issuerAllow: readonly string[];
  /** Unix ms. */
  readonly now: () => number;
  readonly journal: Journal;
  /** The machine's own resolver by default. */
  readonly resolve?: Resolve;
}

/** Signing in at the provider of the settings, with its sessions in KV. */
export function openSignIn(kv: Deno.Kv, options: OpenSignIn): SignIn {
  const { settings, publicUrl, issuerAllow, now, journal, resolve } = options;
  const { issuer, clientId, allowedText } = settings;
  const rules = createHash("sha256")
    .update(JSON.stringify([issuer, clientId, allowedText])).digest("hex");
  return new SignIn({
    settings,
    publicUrl,
    now,
    sessions: openSessions(kv, { now, journal, rules }),
    // Who has set the provider's address means it, wherever it is.
    client: new IssuerClient({ allow: [hostOf(issuer), ...issuerAllow], resolve }),
  });
}

function hostOf(issuer: string): string {
  const { hostname, port, protocol } = new URL(issuer);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}
