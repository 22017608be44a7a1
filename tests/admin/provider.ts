/** A real OpenID Connect provider in process, whose people sign in without being asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

export const CLIENT = { id: "package-proxy", secret: "a-secret-of-thirty-two-characters" };

export interface Account {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly groups?: readonly string[];
}

export interface TestProvider extends AsyncDisposable {
  readonly issuer: string;
  /** By subject. */
  readonly accounts: Map<string, Account>;
  /** Subject of whoever sits at the browser. */
  who: string;
  /** Whether it answers 503 to everything. */
  down: boolean;
  /** `METHOD /path` of what it was asked. */
  readonly asked: string[];
}

/** It takes its time, so all tests of one file share it. */
let key: ReturnType<typeof makeKey> | undefined;

async function makeKey() {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return await exportJWK(privateKey);
}

export async function startProvider(redirectUris: readonly string[]): Promise<TestProvider> {
  const jwk = await (key ??= makeKey());
  const handle: { now?: (request: IncomingMessage, response: ServerResponse) => void } = {};
  const server = createServer((request, response) => handle.now?.(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  const issuer = `http://127.0.0.1:${address.port}`;
  const test: TestProvider = {
    issuer,
    accounts: new Map(),
    who: "",
    down: false,
    asked: [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const scopes = ["openid", "email", "profile", "groups"];
  const provider = quietly(() =>
    new Provider(issuer, {
      clients: [{
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [...redirectUris],
      }],
      jwks: { keys: [{ ...jwk, kid: "k", alg: "RS256", use: "sig" }] },
      cookies: { keys: ["cookies of a test"] },
      scopes,
      claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
      features: { devInteractions: { enabled: false } },
      pkce: { required: () => true },
      interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
      findAccount: (_: unknown, sub: string) => ({
        accountId: sub,
        claims: () => ({ sub, ...test.accounts.get(sub) }),
      }),
      async loadExistingGrant({ oidc }: GrantContext) {
        const { clientId } = oidc.client;
        const grant = new oidc.provider.Grant({ clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope(scopes.join(" "));
        await grant.save();
        return grant;
      },
    })
  );
  const callback = provider.callback();
  handle.now = (request, response) => {
    test.asked.push(`${request.method} ${request.url?.split("?")[0]}`);
    if (test.down) return void response.writeHead(503).end();
    if (!request.url?.startsWith("/interaction/")) return callback(request, response);
    const result = { login: { accountId: test.who } };
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  };
  return test;
}

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

/** It warns of what is right in a test: memory for a store, a runtime that is not Node. */
function quietly<T>(make: () => T): T {
  const { warn, info } = console;
  Object.assign(console, { warn() {}, info() {} });
  try {
    return make();
  } finally {
    Object.assign(console, { warn, info });
  }
}
