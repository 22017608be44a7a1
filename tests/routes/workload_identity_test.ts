import assert from "node:assert/strict";
import { exportJWK, exportSPKI, generateKeyPair } from "jose";
import { SCHEMES } from "../../ecosystems/mod.ts";
import { PolicyInvalid } from "../../policy/store/errors.ts";
import { openPolicies } from "../../policy/store/policies.ts";
import type { Policies } from "../../policy/store/types.ts";
import { AUDIENCE, type Issuer, startIssuer } from "./issuer.ts";
import { setting } from "./world.ts";

type World = Awaited<ReturnType<typeof setting>>;

const ALLOW = { issuerAllow: ["127.0.0.1:*"] };
const INDEX = "/o-acme/npm/left";
const FILE = "/o-acme/npm/left/-/left-1.0.0.tgz";
const MINUTE = 60_000;

function identityOf(issuer: string, more: Record<string, unknown> = {}) {
  const { user = "gha:{repository}", ...rest } = more;
  const named = user === null ? {} : { user };
  return { issuer, audience: AUDIENCE, claims: { repository: "acme/*" }, ...named, ...rest };
}

/** The org `acme` asks for a token and takes those of an issuer in process. */
async function inWorld(
  work: (world: World, issuer: Issuer) => Promise<void>,
  { identity = {} }: { identity?: Record<string, unknown> } = {},
): Promise<void> {
  const clock = { now: Date.now() };
  await using issuer = await startIssuer(clock);
  await using world = await setting({
    policies: {
      acme: { auth: "token", rules: OFF, identities: [identityOf(issuer.url, identity)] },
    },
    settings: ALLOW,
  });
  world.proxy.clock.now = clock.now;
  await work(world, issuer);
}

const OFF = { min_age: { level: "off" } };

async function ask({ proxy }: World, authorization: string, path = INDEX) {
  const response = await proxy.fetch(path, { headers: { authorization } });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`;

Deno.test("a job's identity token opens its org's registry, as Bearer, password or bare", () =>
  inWorld(async (world, issuer) => {
    const token = await issuer.token();
    for (const given of [`Bearer ${token}`, basic("ci", token), basic("", token), token]) {
      assert.equal((await ask(world, given)).status, 200, given.slice(0, 8));
    }
    assert.equal((await ask(world, basic("ci", "other"))).status, 401);
    assert.equal((await world.proxy.fetch(INDEX)).status, 401);
  }));

Deno.test("what a job installs is on record under its mapped name, which filters find", () =>
  inWorld(async (world, issuer) => {
    const { status } = await ask(world, `Bearer ${await issuer.token()}`, FILE);
    assert.equal(status, 200);
    const [record] = await world.proxy.installs("acme");
    assert.equal(record.user, "gha:acme/site");
    const found = async (user: string) => {
      const query = new URLSearchParams({ user });
      const response = await world.proxy.fetch(`/admin/v1/orgs/acme/installs?${query}`, {
        headers: { authorization: `Bearer ${world.proxy.rootToken}` },
      });
      const { items } = await response.json();
      return items.length;
    };
    assert.deepEqual([await found("gha:acme/site"), await found("gha:acme/other")], [1, 0]);
  }));

Deno.test("the mapped name stands even where the address or Basic names another user", () =>
  inWorld(async (world, issuer) => {
    const token = await issuer.token();
    const path = FILE.replace("/o-acme/", "/o-acme/u-alice/");
    assert.equal((await ask(world, basic("root", token), path)).status, 200);
    assert.equal((await world.proxy.installs("acme"))[0].user, "gha:acme/site");
  }));

Deno.test("nobody can give a mapped name in an address or as Basic's user", () =>
  inWorld(async (world) => {
    const path = "/o-default/u-gha%3Aacme%2Fsite/npm/left";
    assert.equal((await world.proxy.fetch(path)).status, 400);
    const given = await ask(world, basic("gha:acme/site", ""), "/o-default/npm/left");
    assert.equal(given.status, 200); // Basic's user name ends at the colon: "gha"
  }));

for (const alg of ["RS256", "PS256", "ES256", "EdDSA"] as const) {
  Deno.test(`${alg} signatures are verified`, () =>
    inWorld(async (world, issuer) => {
      const options = { header: { alg, kid: alg }, key: issuer.keys[alg] };
      const token = await issuer.token({}, options);
      assert.equal((await ask(world, `Bearer ${token}`)).status, 200);
      const [head, body, signature] = token.split(".");
      const other = (await issuer.token({ repository: "acme/other" }, options)).split(".")[1];
      for (const forged of [`${head}.${other}.${signature}`, `${head}.${body}.`]) {
        assert.equal((await ask(world, `Bearer ${forged}`)).status, 401);
      }
    }));
}

/** A token that is refused, what is said, and with which status. */
type Bad = [
  what: string,
  make: (issuer: Issuer, now: number) => Promise<string>,
  says: RegExp,
  status?: number,
];

const URL_SAFE = { alphabet: "base64url", omitPadding: true } as const;
const seconds = (now: number) => Math.floor(now / 1_000);
const unsigned = async (issuer: Issuer, alg: string) => {
  const [, body] = (await issuer.token()).split(".");
  const text = JSON.stringify({ alg, typ: "JWT" });
  return `${new TextEncoder().encode(text).toBase64(URL_SAFE)}.${body}.`;
};

const BAD: Bad[] = [
  ["for another audience", (i) => i.token({ aud: "https://other.example" }), /another audience/],
  ["without audience", (i) => i.token({ aud: undefined }), /claim aud/],
  ["that has expired", (i, now) => i.token({ exp: seconds(now) - 61 }), /expired/],
  ["that never expires", (i) => i.token({ exp: undefined }), /claim exp/],
  ["that is not valid yet", (i, now) => i.token({ nbf: seconds(now) + 62 }), /claim nbf/],
  ["issued in the future", (i, now) => i.token({ iat: seconds(now) + 62 }), /in the future/],
  ["without a time of issue", (i) => i.token({ iat: undefined }), /claim iat/],
  ["of another repository", (i) => i.token({ repository: "evil/site" }), /does not admit/, 403],
  [
    "whose repository only ends alike",
    (i) => i.token({ repository: "evil/acme/x" }),
    /not admit/,
    403,
  ],
  ["without the claim", (i) => i.token({ repository: undefined }), /does not admit/, 403],
  ["with a list for a claim", (i) => i.token({ repository: ["acme/site"] }), /not admit/, 403],
  ["whose claim makes no name", (i) => i.token({ repository: "acme/a b" }), /no user name/, 403],
  ["signed by nobody", (i) => unsigned(i, "none"), /not accepted/],
  ["that says HS256 and nothing else", (i) => unsigned(i, "HS256"), /not accepted/],
  [
    "signed with the public key as a shared secret",
    async (i) => {
      const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
      i.published.keys = [{ ...await exportJWK(publicKey), kid: "k" }];
      assert.equal(privateKey.type, "private");
      const secret = new TextEncoder().encode(await exportSPKI(publicKey));
      return await i.token({}, { header: { alg: "HS256", kid: "k" }, key: secret });
    },
    /not accepted/,
  ],
  [
    "signed by a shared secret that the key set holds",
    async (i) => {
      const secret = crypto.getRandomValues(new Uint8Array(32));
      const k = secret.toBase64(URL_SAFE);
      i.published.keys = [{ kty: "oct", k, kid: "k", alg: "HS256" }];
      return await i.token({}, { header: { alg: "HS256", kid: "k" }, key: secret });
    },
    /not accepted/,
  ],
  [
    "signed by a stranger under a known key id",
    async (i) => {
      const { privateKey } = await generateKeyPair("RS256");
      return await i.token({}, { key: privateKey });
    },
    /signature is wrong/,
  ],
  [
    "that brings its own key along",
    async (i) => {
      const { publicKey, privateKey } = await generateKeyPair("RS256");
      const jwk = await exportJWK(publicKey);
      return await i.token({}, { header: { jwk }, key: privateKey });
    },
    /signature is wrong/,
  ],
  [
    "with a key id of another algorithm",
    (i) => i.token({}, { header: { kid: "ES256" } }),
    /no such key/,
  ],
  ["with an unknown key id", (i) => i.token({}, { header: { kid: "gone" } }), /no such key/],
  [
    "without a key id, where several keys fit",
    async (i) => {
      const { publicKey } = await generateKeyPair("RS256");
      i.published.keys.push({ ...await exportJWK(publicKey), kid: "second", alg: "RS256" });
      return await i.token({}, { header: { kid: undefined } });
    },
    /which key/,
  ],
  [
    "of a key that is for encrypting",
    (i) => {
      i.published.keys = i.published.keys.map((key) => ({ ...key, use: "enc" }));
      return i.token();
    },
    /no such key/,
  ],
  ["with a critical extension", (i) => i.token({}, { header: { typ: "logout+jwt" } }), /kind/],
];

for (const [what, make, says, status = 401] of BAD) {
  Deno.test(`an identity token ${what} is refused`, () =>
    inWorld(async (world, issuer) => {
      const token = await make(issuer, world.proxy.clock.now);
      for (const given of [`Bearer ${token}`, basic("ci", token)]) {
        const answer = await ask(world, given);
        assert.equal(answer.status, status, answer.text);
        assert.match(answer.text, says);
        assert(!answer.text.includes(token));
      }
    }));
}

Deno.test("a minute of skew is borne, on both sides", () =>
  inWorld(async (world, issuer) => {
    const now = seconds(world.proxy.clock.now);
    for (const claims of [{ exp: now - 55 }, { nbf: now + 55 }, { iat: now + 55 }]) {
      assert.equal((await ask(world, `Bearer ${await issuer.token(claims)}`)).status, 200);
    }
  }));

Deno.test("a verified token ends all the same: by its own time, and with the policy", () =>
  inWorld(async (world, issuer) => {
    const bearer = `Bearer ${await issuer.token()}`;
    assert.equal((await ask(world, bearer)).status, 200);
    world.proxy.clock.now += 6 * MINUTE + 1_000;
    assert.equal((await ask(world, bearer)).status, 401);
    const next = `Bearer ${await issuer.token({ exp: seconds(world.proxy.clock.now) + 300 })}`;
    assert.equal((await ask(world, next)).status, 200);
    await world.proxy.deps.policies.replace("acme", { auth: "token" }, { by: "test" });
    assert.equal((await ask(world, next)).status, 401);
  }));

Deno.test("the issuer's keys are asked for once for many requests at once, then kept", () =>
  inWorld(async (world, issuer) => {
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, i) => issuer.token({ jti: String(i) })),
    );
    const answers = await Promise.all(tokens.map((token) => ask(world, `Bearer ${token}`)));
    assert(answers.every(({ status }) => status === 200));
    assert.deepEqual(issuer.asked, ["/.well-known/openid-configuration", "/keys"]);
  }));

Deno.test("a new key of the issuer is found, but unknown ids do not make us ask all the time", () =>
  inWorld(async (world, issuer) => {
    assert.equal((await ask(world, `Bearer ${await issuer.token()}`)).status, 200);
    const { publicKey, privateKey } = await generateKeyPair("RS256");
    issuer.published.keys = [{ ...await exportJWK(publicKey), kid: "new", alg: "RS256" }];
    const made = await issuer.token({}, { header: { kid: "new" }, key: privateKey });
    for (let i = 0; i < 5; i++) assert.equal((await ask(world, `Bearer ${made}`)).status, 401);
    assert.equal(issuer.asked.length, 2);
    world.proxy.clock.now += 31_000;
    assert.equal((await ask(world, `Bearer ${made}`)).status, 200);
    assert.equal(issuer.asked.length, 4);
  }));

Deno.test("keys are kept through an outage of the issuer for an hour, not longer", () =>
  inWorld(async (world, issuer) => {
    const bearer = async () =>
      `Bearer ${await issuer.token({ exp: seconds(world.proxy.clock.now) + 300 })}`;
    assert.equal((await ask(world, await bearer())).status, 200);
    issuer.answers.set("/keys", () => new Response("down", { status: 500 }));
    world.proxy.clock.now += 30 * MINUTE;
    assert.equal((await ask(world, await bearer())).status, 200);
    world.proxy.clock.now += 31 * MINUTE;
    assert.equal((await ask(world, await bearer())).status, 503);
    issuer.answers.clear();
    world.proxy.clock.now += 11_000;
    assert.equal((await ask(world, await bearer())).status, 200);
  }));

const DISCOVERY = "/.well-known/openid-configuration";

for (
  const [what, path, answer] of [
    ["fails", DISCOVERY, () => new Response("no", { status: 500 })],
    ["redirects", DISCOVERY, () => Response.redirect("http://127.0.0.1:9/elsewhere", 302)],
    ["redirects its keys", "/keys", () => Response.redirect("http://127.0.0.1:9/keys", 302)],
    ["is no JSON", DISCOVERY, () => new Response("<html>")],
    ["is another's", DISCOVERY, () => Response.json({ issuer: "https://x.example", jwks_uri: "" })],
    ["has no keys", "/keys", () => Response.json({ keys: "none" })],
    ["has too many keys", "/keys", () => Response.json({ keys: Array(101).fill({ kty: "RSA" }) })],
    ["is too large", "/keys", () => Response.json({ keys: [], more: "x".repeat(300_000) })],
  ] as const
) {
  Deno.test(`an issuer that ${what} lets nobody in: 503`, () =>
    inWorld(async (world, issuer) => {
      issuer.answers.set(path, answer);
      for (let i = 0; i < 3; i++) {
        const { status, headers, text } = await ask(world, `Bearer ${await issuer.token()}`);
        assert.equal(status, 503);
        assert.equal(headers.get("retry-after"), "10");
        assert(!text.includes("127.0.0.1"), text);
      }
      assert(issuer.asked.length <= 2, String(issuer.asked));
    }));
}

Deno.test("an issuer at a private address is neither stored nor asked unless it is allowed", async () => {
  const clock = { now: Date.now() };
  await using issuer = await startIssuer(clock);
  await using world = await setting();
  const { kv, deps } = world.proxy;
  const policy = { auth: "token", identities: [identityOf(issuer.url)] };
  const store = (policies: Pick<Policies, "replace">) =>
    policies.replace("acme", policy, { by: "test" });
  await assert.rejects(store(deps.policies), (error) => {
    assert(error instanceof PolicyInvalid);
    assert.deepEqual(error.faults.map(({ pointer }) => pointer), ["/identities/0/issuer"]);
    return true;
  });
  // Stored when the operator allowed more.
  await store(openPolicies(kv, { schemes: SCHEMES, now: () => clock.now, ...ALLOW }));
  assert.equal((await ask(world, `Bearer ${await issuer.token()}`)).status, 503);
  assert.deepEqual(issuer.asked, []);
  // And stands in the way of no other change.
  const update = (document: Record<string, unknown>) => ({ ...document, mode: "audit" });
  await deps.policies.update("acme", update, { by: "test" });
});

Deno.test("an issuer's keys at a private address are not asked for either", () =>
  inWorld(async (world, issuer) => {
    issuer.published.discovery = { issuer: issuer.url, jwks_uri: "http://169.254.169.254/keys" };
    assert.equal((await ask(world, `Bearer ${await issuer.token()}`)).status, 503);
  }));

Deno.test("a token of an issuer that the org does not name is somebody else's, as before", () =>
  inWorld(async (world, issuer) => {
    const token = await issuer.token({ iss: "https://other.example" });
    const refused = await ask(world, `Bearer ${token}`);
    assert.equal(refused.status, 401);
    assert.match(refused.text, /asks for a token/);
    assert.equal((await ask(world, `Bearer ${token}`, "/o-open/npm/left")).status, 200);
    const good = `Bearer ${await issuer.token()}`;
    assert.equal((await ask(world, good, "/o-open/npm/left")).status, 200);
    assert.deepEqual(issuer.asked, []);
  }));

Deno.test("an identity of one org is none of another that names the same issuer", () =>
  inWorld(async (world, issuer) => {
    await world.proxy.deps.policies.replace("other", {
      auth: "token",
      identities: [identityOf(issuer.url, { claims: { repository: "other/*" } })],
    }, { by: "test" });
    const bearer = `Bearer ${await issuer.token()}`;
    assert.equal((await ask(world, bearer)).status, 200);
    assert.equal((await ask(world, bearer, "/o-other/npm/left")).status, 403);
  }));

Deno.test("ORGS=closed: an identity that the default org admits makes no org known", async () => {
  const clock = { now: Date.now() };
  await using issuer = await startIssuer(clock);
  const policy = { auth: "token", rules: OFF, identities: [identityOf(issuer.url)] };
  await using world = await setting({
    policies: { default: policy, acme: policy },
    settings: { ...ALLOW, orgs: "closed" },
  });
  world.proxy.clock.now = clock.now;
  const bearer = `Bearer ${await issuer.token()}`;
  assert.equal((await ask(world, bearer)).status, 200);
  assert.equal((await ask(world, bearer, "/npm/left")).status, 200);
  for (const path of ["npm/left", "npm/left/-/left-1.0.0.tgz", "why/pkg:npm/left@1.0.0"]) {
    assert.equal((await ask(world, bearer, `/o-ghost/${path}`)).status, 404, path);
  }
});

Deno.test("an identity token opens no door of the admin API", () =>
  inWorld(async (world, issuer) => {
    const bearer = `Bearer ${await issuer.token()}`;
    assert.equal((await ask(world, bearer, "/o-acme/admin/v1/orgs/acme/policy")).status, 401);
  }));

Deno.test("text that looks like a token but is none is no failure of ours", () =>
  inWorld(async (world) => {
    for (const text of ["eyJ.eyJ.x", "eyJhIjoxfQ.bm9qc29u.c2ln", "eyJhIjoxfQ.WzFd.c2ln", "eyJ.."]) {
      for (const given of [`Bearer ${text}`, basic("ci", text), text]) {
        assert.equal((await ask(world, given)).status, 401);
      }
    }
    const long = `eyJ${"a".repeat(9_000)}.eyJ.x`;
    assert.equal((await ask(world, `Bearer ${long}`)).status, 401);
  }));

Deno.test("without a template the name comes from the subject", () =>
  inWorld(async (world, issuer) => {
    assert.equal((await ask(world, `Bearer ${await issuer.token()}`, FILE)).status, 200);
    const [{ user }] = await world.proxy.installs("acme");
    assert.equal(user, "ci:repo:acme/site:ref:refs/heads/main");
  }, { identity: { user: null } }));
