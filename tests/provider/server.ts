/**
 * A real OpenID Connect provider, with packages of its own so that the proxy
 * has none of them. Whoever sits at the browser says who they are by a header,
 * and a subject says all that is known of its account. Ends with its input.
 */
// deno-lint-ignore-file no-console -- whoever has started it reads its address
import { createServer } from "node:http";

/** Not known to the project's own configuration. */
const PROVIDER = "oidc-provider";
/** Base64url of JSON. */
const ACCOUNT = "x-account";
const SCOPES = ["openid", "email", "profile", "groups"];

interface GrantContext {
  readonly oidc: {
    readonly client: { readonly clientId: string };
    readonly session: { readonly accountId: string };
    readonly provider: {
      readonly Grant: new (of: { clientId: string; accountId: string }) => {
        addOIDCScope(scope: string): void;
        save(): Promise<unknown>;
      };
    };
  };
}

const [clientId, clientSecret, redirectUri] = Deno.args;
const { default: Provider } = await import(PROVIDER);
const { privateKey } = await crypto.subtle.generateKey(
  {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
  true,
  ["sign", "verify"],
);
const jwk = await crypto.subtle.exportKey("jwk", privateKey);

const server = createServer();
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
if (address === null || typeof address === "string") throw new TypeError("no port");
const issuer = `http://127.0.0.1:${address.port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
  jwks: { keys: [{ ...jwk, key_ops: undefined, kid: "k", alg: "RS256", use: "sig" }] },
  cookies: { keys: ["cookies of a test"] },
  scopes: SCOPES,
  claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
  findAccount: (_: unknown, sub: string) => ({
    accountId: sub,
    claims: () => ({ sub, ...accountOf(sub) }),
  }),
  async loadExistingGrant({ oidc }: GrantContext) {
    const grant = new oidc.provider.Grant({
      clientId: oidc.client.clientId,
      accountId: oidc.session.accountId,
    });
    grant.addOIDCScope(SCOPES.join(" "));
    await grant.save();
    return grant;
  },
});

function accountOf(sub: string): Record<string, unknown> {
  const bytes = Uint8Array.fromBase64(sub, { alphabet: "base64url" });
  return JSON.parse(new TextDecoder().decode(bytes));
}

const callback = provider.callback();
server.on("request", (request, response) => {
  if (!request.url?.startsWith("/interaction/")) return callback(request, response);
  const result = { login: { accountId: String(request.headers[ACCOUNT]) } };
  provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
});
console.log(issuer);

for await (const _ of Deno.stdin.readable) {
  // Until nobody is there any more.
}
Deno.exit(0);
