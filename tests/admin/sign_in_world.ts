/** A proxy that people sign in to, at a provider in process. */
import { readOidc } from "../../routes/oidc_settings.ts";
import { type TestProxy, testProxy } from "../proxy.ts";
import { Browser, HERE } from "./browser.ts";
import { type Account, accountHeader, CLIENT, startProvider } from "./provider.ts";

export const ALLOWED = "alice@acme.example=acme:editor, @acme.example=acme:viewer, " +
  "@acme.example=beta:viewer, group:platform=*:admin";

const { issuer: ISSUER } = await startProvider(`${HERE}/admin/callback`);

export interface SignInWorld {
  readonly proxy: TestProxy;
  readonly provider: {
    readonly issuer: string;
    readonly accounts: Map<string, Account>;
    /** Who sits at the browsers. */
    who: string;
  };
  browser(): Browser;
  /** Somebody signed in, with their browser. */
  signedIn(who: string): Promise<Browser>;
}

export async function inSignInWorld(
  work: (world: SignInWorld) => Promise<void>,
  { issuer = ISSUER, publicUrl = HERE }: { issuer?: string; publicUrl?: string | null } = {},
): Promise<void> {
  const provider = { issuer, accounts: new Map<string, Account>(), who: "" };
  const person = (name: string, more = {}) =>
    provider.accounts.set(name, {
      email: `${name}@acme.example`,
      email_verified: true,
      groups: [],
      ...more,
    });
  for (const name of ["alice", "bob"]) person(name);
  person("root", { groups: ["all", "platform"] });
  person("eve", { email: "eve@evil.example" });
  await using proxy = await testProxy({
    settings: {
      ...(publicUrl === null ? {} : { publicUrl }),
      oidc: oidcSettings(issuer, ALLOWED),
    },
  });
  const browser = () =>
    new Browser(proxy, () => accountHeader(provider.accounts.get(provider.who) ?? {}));
  await work({
    proxy,
    provider,
    browser,
    async signedIn(who) {
      const mine = browser();
      provider.who = who;
      await mine.go("/admin/sign-in");
      return mine;
    },
  });
}

export function oidcSettings(issuer: string, allowed: string) {
  const variables = new Map([
    ["OIDC_ISSUER", issuer],
    ["OIDC_CLIENT_ID", CLIENT.id],
    ["OIDC_CLIENT_SECRET", CLIENT.secret],
    ["OIDC_ALLOWED", allowed],
  ]);
  return readOidc((name) => variables.get(name));
}

/** The session's `csrf`, as a form of its page has it. */
export async function csrfOf(browser: Browser): Promise<string> {
  const { text } = await browser.ask("/admin/");
  return /name="csrf" value="([\w-]{43})"/.exec(text)?.[1] ?? "none";
}

export const OURS = { "sec-fetch-site": "same-origin", origin: HERE };

/** How many sessions somebody has. */
export async function sessionsOf({ proxy }: SignInWorld, user: string): Promise<number> {
  const query = new URLSearchParams({ user });
  const response = await proxy.fetch(`/admin/v1/sessions?${query}`, {
    headers: { authorization: `Bearer ${proxy.rootToken}` },
  });
  return (await response.json()).items.length;
}
