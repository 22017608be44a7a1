/** GitHub: OAuth 2 without OpenID Connect, so its API says who signed in. */
import type * as oauth from "oauth4webapi";
import * as v from "valibot";
import type { IssuerClient } from "../../ecosystems/issuers/client.ts";
import { readPersonAddress } from "../../policy/grants.ts";
import { refusing } from "./oauth_error.ts";
import { fetchBy, type Provider, type ProviderSettings, SignInRefused } from "./provider.ts";

export const GITHUB = "https://github.com";
const API = "https://api.github.com/";

const SERVER: oauth.AuthorizationServer = {
  issuer: GITHUB,
  authorization_endpoint: `${GITHUB}/login/oauth/authorize`,
  token_endpoint: `${GITHUB}/login/oauth/access_token`,
};

const emails = v.array(v.looseObject({
  email: v.string(),
  primary: v.boolean(),
  verified: v.boolean(),
}));

const organizations = v.array(v.looseObject({ login: v.string() }));

/** Organizations count as groups, by their names in lower case. */
export function githubProvider(settings: ProviderSettings, client: IssuerClient): Provider {
  const { clientId, clientSecret } = settings;
  const us: oauth.Client = { client_id: clientId };

  /** One of the API's lists. */
  const read = <const S extends v.GenericSchema>(path: string, token: string, schema: S) =>
    client.json(`${API}${path}`, {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
    }).then((list) => v.parse(schema, list));

  return {
    name: "github.com",

    async authorize({ state, verifier, redirectUri }) {
      const { calculatePKCECodeChallenge } = await import("oauth4webapi");
      const url = new URL(`${GITHUB}/login/oauth/authorize`);
      const query = {
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: "code",
        scope: "user:email read:org",
        state,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      };
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      return url;
    },

    async identify(callback, { state, verifier, redirectUri }) {
      const library = await import("oauth4webapi");
      return await refusing(async () => {
        const query = new URLSearchParams(callback);
        // GitHub names itself by more than one address; there is no other provider to mix it up with.
        query.delete("iss");
        const response = await library.authorizationCodeGrantRequest(
          SERVER,
          us,
          library.ClientSecretPost(clientSecret),
          library.validateAuthResponse(SERVER, us, query, state),
          redirectUri,
          verifier,
          { [library.customFetch]: fetchBy(client) },
        );
        const answer = await library.processAuthorizationCodeResponse(SERVER, us, response);
        const token = answer.access_token;
        const [addresses, orgs] = await Promise.all([
          read("user/emails", token, emails),
          read("user/orgs?per_page=100", token, organizations),
        ]);
        const found = addresses.find(({ primary, verified }) => primary && verified);
        const address = readPersonAddress(found?.email ?? "");
        if (address === null) {
          throw new SignInRefused("GitHub has not verified your primary e-mail address.");
        }
        return { email: address, groups: orgs.map(({ login }) => login.toLowerCase()) };
      });
    },
  };
}
