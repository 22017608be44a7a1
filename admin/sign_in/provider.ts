/** A provider of identities, whichever protocol it speaks. */
import type * as oauth from "oauth4webapi";
import type { IssuerClient } from "../../ecosystems/issuers/client.ts";
import type { AllowedRule, Person } from "../../policy/grants.ts";

/** Where people sign in, from `OIDC_...`. */
export interface ProviderSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly allowed: readonly AllowedRule[];
  /** `OIDC_ALLOWED` as given. */
  readonly allowedText: string;
}

/** What ties the way to the provider to the way back. */
export interface Secrets {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE. */
  readonly verifier: string;
  readonly redirectUri: string;
}

export interface Provider {
  /** What the page calls it: a host. */
  readonly name: string;
  /** The address to send the browser to. Throws IssuerUnavailable. */
  authorize(secrets: Secrets): Promise<URL>;
  /**
   * Who came back. Throws SignInRefused, IssuerUnavailable.
   * @param callback the query of the way back
   */
  identify(callback: URLSearchParams, secrets: Secrets): Promise<Person>;
}

/** The person cannot be signed in; the message is for them. */
export class SignInRefused extends Error {
  override readonly name = "SignInRefused";
}

/** How `oauth4webapi` sends its requests. */
export type OauthFetch = (
  url: string,
  options: oauth.CustomFetchOptions<string, oauth.ProtectedResourceRequestBody | URLSearchParams>,
) => Promise<Response>;

/** Through the client that guards addresses and bounds answers. */
export function fetchBy(client: IssuerClient): OauthFetch {
  return (url, { method, headers, body }) =>
    client.ask(url, { method, headers, body: body == null ? undefined : String(body) });
}
