/** Any OpenID Connect provider: authorization code with PKCE, a verified ID token, its user info. */
import type * as oauth from "oauth4webapi";
import * as v from "valibot";
import { IssuerUnavailable } from "../../ecosystems/errors.ts";
import type { IssuerClient } from "../../ecosystems/issuers/client.ts";
import { type Person, readPersonAddress } from "../../policy/grants.ts";
import { refusing } from "./oauth_error.ts";
import { fetchBy, type Provider, type ProviderSettings, SignInRefused } from "./provider.ts";

const DISCOVERY_MS = 3600_000;
const SKEW_S = 60;

/** Some write `null` for what they leave out, as Go does of an empty list. */
const claim = <const S extends v.GenericSchema>(schema: S) =>
  v.optional(v.pipe(v.nullable(schema), v.transform((value) => value ?? undefined)));

const claimsSchema = v.looseObject({
  email: claim(v.string()),
  email_verified: claim(v.union([v.boolean(), v.string()])),
  // Who is in one group alone is given it as a text by some (AD FS).
  groups: claim(v.union([
    v.array(v.string()),
    v.pipe(v.string(), v.transform((group) => [group])),
  ])),
});

type Claims = v.InferOutput<typeof claimsSchema>;

interface Discovered {
  /** Unix ms. */
  readonly at: number;
  readonly server: Promise<oauth.AuthorizationServer>;
}

/** @param now Unix ms, for how long discovery is remembered */
export function openIdProvider(
  settings: ProviderSettings,
  { client, now }: { client: IssuerClient; now: () => number },
): Provider {
  const { issuer, clientId, clientSecret } = settings;
  let discovered: Discovered | null = null;

  async function load() {
    const library = await import("oauth4webapi");
    const options = {
      [library.customFetch]: fetchBy(client),
      // Only where the operator has chosen so: whichever address is asked is guarded.
      [library.allowInsecureRequests]: issuer.startsWith("http:"),
    };
    const us: oauth.Client = { client_id: clientId, [library.clockTolerance]: SKEW_S };
    return { library, options, us, server: await discover(library, options) };
  }

  function discover(
    library: typeof oauth,
    options: oauth.HttpRequestOptions<"GET">,
  ): Promise<oauth.AuthorizationServer> {
    const at = now();
    const age = discovered === null ? Infinity : at - discovered.at;
    if (discovered !== null && age >= 0 && age < DISCOVERY_MS) return discovered.server;
    const url = new URL(issuer);
    const server = unavailable(async () =>
      await library.processDiscoveryResponse(url, await library.discoveryRequest(url, options))
    );
    const mine = { at, server };
    discovered = mine;
    server.catch(() => {
      if (discovered === mine) discovered = null;
    });
    return server;
  }

  return {
    name: new URL(issuer).host,

    async authorize({ state, nonce, verifier, redirectUri }) {
      const { library, server } = await load();
      if (server.authorization_endpoint === undefined) {
        throw new IssuerUnavailable("The provider has no authorization endpoint");
      }
      const url = new URL(server.authorization_endpoint);
      const scopes = ["openid", "email", "profile"];
      if (server.scopes_supported?.includes("groups")) scopes.push("groups");
      const query = {
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: "code",
        scope: scopes.join(" "),
        state,
        nonce,
        code_challenge: await library.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      };
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      return url;
    },

    async identify(callback, { state, nonce, verifier, redirectUri }) {
      const { library, options, us, server } = await load();
      return await refusing(async () => {
        const parameters = library.validateAuthResponse(server, us, callback, state);
        const response = await library.authorizationCodeGrantRequest(
          server,
          us,
          authentication(library, server),
          parameters,
          redirectUri,
          verifier,
          options,
        );
        const answer = await library.processAuthorizationCodeResponse(server, us, response, {
          expectedNonce: nonce,
          requireIdToken: true,
        });
        await library.validateApplicationLevelSignature(server, response, options);
        const token = library.getValidatedIdTokenClaims(answer);
        if (token === undefined) throw new SignInRefused("The provider does not say who you are.");
        const claims = v.parse(claimsSchema, token);
        if (isComplete(claims) || server.userinfo_endpoint === undefined) return personOf(claims);
        const info = await library.processUserInfoResponse(
          server,
          us,
          token.sub,
          await library.userInfoRequest(server, us, answer.access_token, options),
        );
        return personOf(merged(claims, v.parse(claimsSchema, info)));
      });
    },
  };

  /** The standard's own default, unless the provider takes the other way alone. */
  function authentication(library: typeof oauth, server: oauth.AuthorizationServer) {
    const known = server.token_endpoint_auth_methods_supported;
    const post = known !== undefined && !known.includes("client_secret_basic") &&
      known.includes("client_secret_post");
    return post ? library.ClientSecretPost(clientSecret) : library.ClientSecretBasic(clientSecret);
  }
}

async function unavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof IssuerUnavailable) throw cause;
    throw new IssuerUnavailable("The provider does not describe itself", { cause });
  }
}

function isComplete({ email, email_verified: verified, groups }: Claims): boolean {
  return email !== undefined && verified !== undefined && groups !== undefined;
}

/** An address and whether it is verified come from one place, so that neither vouches for another's. */
function merged(token: Claims, info: Claims): Claims {
  const { email, email_verified } = token.email === undefined ||
      (token.email_verified === undefined && info.email === token.email)
    ? info
    : token;
  return { email, email_verified, groups: token.groups ?? info.groups };
}

/** Throws SignInRefused. */
function personOf({ email, email_verified: verified, groups = [] }: Claims): Person {
  const address = readPersonAddress(email ?? "");
  if (address === null) {
    throw new SignInRefused("Your provider gives no e-mail address that can be used here.");
  }
  // Some write the text "true"; anything else is no confirmation.
  if (verified !== true && verified !== "true") {
    throw new SignInRefused("Your provider has not verified your e-mail address.");
  }
  return { email: address, groups };
}
