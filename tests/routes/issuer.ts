/** An issuer of identity tokens in process: discovery, keys, and tokens of every kind. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";

export interface Issuer extends AsyncDisposable {
  /** Its name; ends without a slash. */
  readonly url: string;
  /** Paths asked for. */
  readonly asked: string[];
  /** What is published; change it at will. */
  readonly published: { keys: JWK[]; discovery: Record<string, unknown> | null };
  /** Answers of its own for a path. */
  readonly answers: Map<string, () => Response | Promise<Response>>;
  readonly keys: Readonly<Record<"RS256" | "PS256" | "ES256" | "EdDSA", CryptoKey>>;
  /** A good token, but for what is given. `undefined` leaves a claim out. */
  token(claims?: Record<string, unknown>, options?: TokenOptions): Promise<string>;
}

export interface TokenOptions {
  readonly header?: Record<string, unknown>;
  readonly key?: CryptoKey | Uint8Array;
}

export const AUDIENCE = "https://proxy.example";

/** RSA keys take their time, so all tests of one file share them. */
let made: ReturnType<typeof makeKeys> | undefined;

async function makeKeys() {
  return {
    RS256: await generateKeyPair("RS256"),
    PS256: await generateKeyPair("PS256"),
    ES256: await generateKeyPair("ES256"),
    EdDSA: await generateKeyPair("EdDSA"),
  };
}

/** @param clock Unix ms, by which tokens are issued */
export async function startIssuer(clock: { now: number }): Promise<Issuer> {
  const keys = await (made ??= makeKeys());
  const asked: string[] = [];
  const answers: Issuer["answers"] = new Map();
  const published: Issuer["published"] = { keys: [], discovery: null };
  for (const [alg, { publicKey }] of Object.entries(keys)) {
    published.keys.push({ ...await exportJWK(publicKey), kid: alg, alg, use: "sig" });
  }
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
  }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    const own = answers.get(pathname);
    if (own !== undefined) return own();
    if (pathname === "/.well-known/openid-configuration") {
      return Response.json(published.discovery ?? { issuer: url, jwks_uri: `${url}/keys` });
    }
    if (pathname === "/keys") return Response.json({ keys: published.keys });
    return new Response(null, { status: 404 });
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url,
    asked,
    answers,
    published,
    keys: {
      RS256: keys.RS256.privateKey,
      PS256: keys.PS256.privateKey,
      ES256: keys.ES256.privateKey,
      EdDSA: keys.EdDSA.privateKey,
    },
    token(claims = {}, { header = {}, key = keys.RS256.privateKey } = {}) {
      const now = Math.floor(clock.now / 1_000);
      return new SignJWT({
        iss: url,
        aud: AUDIENCE,
        sub: "repo:acme/site:ref:refs/heads/main",
        repository: "acme/Site",
        iat: now,
        nbf: now,
        exp: now + 300,
        ...claims,
      }).setProtectedHeader({ alg: "RS256", kid: "RS256", typ: "JWT", ...header }).sign(key);
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
