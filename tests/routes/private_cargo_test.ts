/** Private crates: their registry's own address for downloads, and its own form of a token. */
import assert from "node:assert/strict";
import { type TestProxy, testProxy } from "../proxy.ts";
import { type CargoOptions, type CargoRegistry, startCargoRegistry } from "../registry/cargo.ts";

const SECRET = "cargo-secret-1";
const CONFIG = "/cargo/config.json";
const INDEX = "/cargo/ac/me/acme-tool";
const FILE = "/cargo/crates/acme-tool/1.0.0/download";

interface Setting extends AsyncDisposable {
  readonly inside: CargoRegistry;
  readonly outside: CargoRegistry;
  readonly proxy: TestProxy;
  /** The bytes of `FILE`. */
  readonly crate: Uint8Array<ArrayBuffer>;
  ask(path: string, authorization?: string): Promise<Response>;
}

/**
 * `acme-tool` 1.0.0 in a registry that wants a credential; the public one has a decoy 9.0.0.
 * @param token what the policy's `token_env` holds; absent: it names none
 */
async function setting(
  { token, ...options }: CargoOptions & { token?: string },
): Promise<Setting> {
  const inside = startCargoRegistry(options);
  const outside = startCargoRegistry();
  const { crate } = inside.publish({ name: "acme-tool", version: "1.0.0" });
  outside.publish({ name: "acme-tool", version: "9.0.0" });
  const proxy = await testProxy({
    upstreams: { cargo: outside.url },
    policy: {
      downloads: "direct",
      registries: [{
        ecosystem: "cargo",
        packages: "pkg:cargo/acme-*",
        url: inside.url,
        ...(token !== undefined && { token_env: "REGISTRY_TOKEN_A" }),
      }],
    },
    settings: { registryToken: () => token },
  });
  return {
    inside,
    outside,
    proxy,
    crate,
    ask: async (path, authorization) =>
      await proxy.fetch(path, { headers: authorization === undefined ? {} : { authorization } }),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await inside[Symbol.asyncDispose]();
      await outside[Symbol.asyncDispose]();
    },
  };
}

const credentials = ({ requests }: { requests: CargoRegistry["requests"] }) => [
  ...new Set(requests.map(({ headers }) => headers.get("authorization"))),
];

for (const authorization of [SECRET, `Bearer ${SECRET}`, "Token abc"]) {
  Deno.test(`a private crate is asked of its registry alone, with its own dl and \`${authorization}\``, async () => {
    await using it = await setting({ authorization, token: authorization });
    const config = await (await it.ask(CONFIG)).json();
    assert.equal(config.dl, "http://proxy.example/cargo/crates");
    const index = await it.ask(INDEX);
    assert.equal(JSON.parse(await index.text()).vers, "1.0.0");
    assert.deepEqual(await (await it.ask(FILE)).bytes(), it.crate);
    assert.deepEqual(credentials(it.inside), [authorization]);
    const { requests } = it.outside;
    assert.deepEqual(requests.filter(({ path }) => path.includes("acme-tool")), []);
  });
}

Deno.test("a developer's own token reaches a crate registry bare, or with the scheme they give", async () => {
  for (const authorization of [SECRET, `Bearer ${SECRET}`]) {
    await using it = await setting({ authorization });
    const { secret } = await it.proxy.deps.tokens.create({
      org: "default",
      user: "alice",
      role: "client",
      expires: null,
      by: "test",
    });
    for (const pair of [`${secret}:${authorization}`, `Bearer ${secret}:${authorization}`]) {
      const response = await it.ask(FILE, pair);
      assert.deepEqual(await response.bytes(), it.crate);
    }
    assert.deepEqual(credentials(it.inside), [authorization]);
    const requests = it.inside.requests.length;
    for (const own of [`${secret}:${secret}`, `${secret}:Bearer ${secret}`]) {
      const response = await it.ask(INDEX, own);
      await response.text();
      assert.equal(response.status, 401, "a token of this proxy goes to nobody else");
    }
    const sent = it.inside.requests.slice(requests);
    assert.deepEqual(credentials({ requests: sent }), [null]);
  }
});

Deno.test("a credential is not sent to another origin that `config.json` names, and the refusal says so", async () => {
  await using it = await setting({ authorization: SECRET, token: SECRET, separate: true });
  const index = await it.ask(INDEX);
  assert.equal(index.status, 200, await index.text());
  const file = await it.ask(FILE);
  assert.equal(file.status, 401);
  const home = new URL(it.inside.url).host;
  const { host } = new URL(it.inside.files.url);
  assert.equal(
    await file.text(),
    `Upstream ${host} answers 401: it was not sent the credential, which is for ${home} alone; ` +
      "not this proxy.\n",
  );
  assert.deepEqual(credentials(it.inside.files), [null]);
});
