/** Private registries: asked alone, with their own credentials, and remembered for nobody else. */
import assert from "node:assert/strict";
import { type ProxyOptions, type TestProxy, testProxy } from "../proxy.ts";
import { type NpmRegistry, startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import { serveRegistry } from "../registry/server.ts";

const SECRET = "npm-secret-1";
const OWN = `Bearer ${SECRET}`;
const INDEX = "/npm/@acme%2ftool";
const FILE = "/npm/@acme/tool/-/tool-1.0.0.tgz";
const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64", accept: "application/json" };

interface Setting extends AsyncDisposable {
  readonly inside: NpmRegistry;
  readonly outside: NpmRegistry;
  readonly proxy: TestProxy;
  /** Status and text, as an npm client with this Authorization would get them. */
  ask(path: string, authorization?: string): Promise<{ status: number; text: string }>;
  /** A token of an org for a user. */
  token(user: string, org?: string): Promise<string>;
}

/** `@acme/tool` 1.0.0 in a registry that wants a credential; the public one has a decoy 9.0.0. */
async function setting(
  { authorization = OWN, token_env, auth = "open", downloads = "proxy", env = {}, ...options }:
    & ProxyOptions
    & {
      authorization?: string;
      token_env?: string;
      auth?: string;
      downloads?: string;
      env?: Record<string, string>;
    } = {},
): Promise<Setting> {
  const inside = startNpmRegistry({ authorization });
  const outside = startNpmRegistry();
  inside.publish({ name: "@acme/tool", version: "1.0.0" });
  outside.publish({ name: "@acme/tool", version: "9.0.0" });
  outside.publish({ name: "lodash", version: "4.0.0" });
  const policy = {
    auth,
    downloads,
    registries: [{
      ecosystem: "npm",
      packages: "pkg:npm/@acme/*",
      url: inside.url,
      ...(token_env && { token_env }),
    }],
  };
  const proxy = await testProxy({
    upstreams: { npm: outside.url },
    policy,
    policies: { beta: policy },
    settings: { registryToken: (name) => env[name] },
    ...options,
  });
  return {
    inside,
    outside,
    proxy,
    async ask(path, given) {
      const headers = { ...NPM, ...(given === undefined ? {} : { authorization: given }) };
      const response = await proxy.fetch(path, { headers });
      return { status: response.status, text: await response.text() };
    },
    async token(user, org = "default") {
      const { secret } = await proxy.deps.tokens.create({
        org,
        user,
        role: "client",
        expires: null,
        by: "test",
      });
      return secret;
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await inside[Symbol.asyncDispose]();
      await outside[Symbol.asyncDispose]();
    },
  };
}

const asked = (server: NpmRegistry) => server.requests.map(({ path }) => path);
const credentials = (server: NpmRegistry) => [
  ...new Set(server.requests.map(({ headers }) => headers.get("authorization"))),
];

Deno.test("a package that matches is asked of its registry alone, with the proxy's own token", async () => {
  await using it = await setting({
    token_env: "REGISTRY_TOKEN_A",
    env: { REGISTRY_TOKEN_A: SECRET },
  });
  const index = await it.ask(INDEX);
  assert.equal(index.status, 200, index.text);
  assert.deepEqual(Object.keys(JSON.parse(index.text).versions), ["1.0.0"]);
  assert.equal((await it.ask(FILE)).status, 200);
  assert.equal((await it.ask("/npm/@acme/tool/1.0.0")).status, 200);
  assert.equal((await it.ask("/-/package/@acme%2ftool/dist-tags")).status, 200);
  assert.equal((await it.ask("/npm/-/npm/v1/attestations/@acme%2ftool@1.0.0")).status, 404);
  assert.equal((await it.ask("/why/pkg:npm/@acme/tool")).status, 200);
  assert.deepEqual(asked(it.outside), []);
  assert.deepEqual(credentials(it.inside), [OWN]);
  assert.equal((await it.proxy.installs())[0].package, "@acme/tool");
});

Deno.test("a token variable may name its scheme", async () => {
  const basic = `Basic ${btoa("ci:password")}`;
  for (const authorization of [basic, OWN]) {
    const env = { REGISTRY_TOKEN_A: authorization };
    await using it = await setting({ authorization, token_env: "REGISTRY_TOKEN_A", env });
    assert.equal((await it.ask(INDEX)).status, 200);
    assert.deepEqual(credentials(it.inside), [authorization]);
  }
});

Deno.test("the public registry's packages are asked without any credential", async () => {
  await using it = await setting({
    token_env: "REGISTRY_TOKEN_A",
    env: { REGISTRY_TOKEN_A: SECRET },
  });
  assert.equal((await it.ask("/npm/lodash", `Basic ${btoa("alice:password")}`)).status, 200);
  assert.equal(
    (await it.ask("/npm/lodash", `Bearer ${await it.token("bob")}:registry`)).status,
    200,
  );
  assert.deepEqual(credentials(it.outside), [null]);
  assert.deepEqual(asked(it.inside), []);
});

for (const [what, status, fault] of [["says 404", 404, 404], ["is down", 502, 500]] as const) {
  Deno.test(`a private registry that ${what} is not made up for by the public one`, async () => {
    await using it = await setting({
      token_env: "REGISTRY_TOKEN_A",
      env: { REGISTRY_TOKEN_A: SECRET },
    });
    it.inside.fault(/.*/, { kind: "status", status: fault });
    for (const path of [INDEX, FILE, FILE.replace("1.0.0", "9.0.0"), "/why/pkg:npm/@acme/tool"]) {
      assert.equal((await it.ask(path)).status, status, path);
    }
    assert.deepEqual(asked(it.outside), []);
  });
}

Deno.test("a token variable that is not set is 502 and named, and nobody is asked", async () => {
  await using it = await setting({ token_env: "REGISTRY_TOKEN_A" });
  const user = `Basic ${btoa(`alice:${SECRET}`)}`;
  for (const path of [INDEX, FILE]) {
    const { status, text } = await it.ask(path, user);
    assert.equal(status, 502);
    assert.match(text, /REGISTRY_TOKEN_A is not set/);
  }
  assert.deepEqual([...asked(it.inside), ...asked(it.outside)], []);
});

Deno.test("a token that no header can carry is 502 and named, and stands nowhere", async () => {
  for (const value of ["sekret\nvalue", "sekret\n", " sekret", "sékret"]) {
    const env = { REGISTRY_TOKEN_A: value };
    await using it = await setting({ token_env: "REGISTRY_TOKEN_A", env });
    const { status, text } = await it.ask(INDEX);
    assert.equal(status, 502, text);
    assert.match(text, /REGISTRY_TOKEN_A holds characters/);
    assert.ok(!/s[eé]kret/.test(text + JSON.stringify(it.proxy.lines)));
    assert.deepEqual(it.inside.requests, []);
  }
});

Deno.test("the client's credential for the proxy goes to no registry", async () => {
  await using it = await setting();
  const token = await it.token("alice");
  for (
    const authorization of [
      `Bearer ${token}`,
      token,
      `Basic ${btoa(`alice:${token}`)}`,
      `Basic ${btoa(`${token}:`)}`,
      `Bearer ${token}:${token}`,
      "Bearer somebody-elses",
      `Basic ${btoa("alice:")}`,
    ]
  ) {
    for (const path of [INDEX, FILE]) assert.equal((await it.ask(path, authorization)).status, 401);
  }
  assert.deepEqual(credentials(it.inside), [null]);
});

Deno.test("`<proxy token>:<registry token>` and Basic are passed on to that registry", async () => {
  await using it = await setting();
  const token = await it.token("alice");
  const pairs = [
    `Bearer ${token}:${SECRET}`,
    `${token}:${SECRET}`,
    `Basic ${btoa(`alice:${token}:${SECRET}`)}`,
    `Basic ${btoa(`${token}:${SECRET}`)}`,
  ];
  for (const pair of pairs) {
    assert.equal((await it.ask(INDEX, pair)).status, 200, pair);
    assert.equal((await it.ask(FILE, pair)).status, 200, pair);
  }
  assert.deepEqual(credentials(it.inside), [OWN]);
  assert.deepEqual([...new Set((await it.proxy.installs()).map(({ user }) => user))], ["alice"]);
  const basic = `Basic ${btoa("alice:password")}`;
  await using other = await setting({ authorization: basic });
  assert.equal((await other.ask(INDEX, basic)).status, 200);
  assert.equal((await other.ask(FILE, basic)).status, 200);
});

Deno.test("where the org asks for a token, Basic's password is not passed on", async () => {
  const basic = `Basic ${btoa("alice:password")}`;
  await using it = await setting({ authorization: basic, auth: "token" });
  assert.equal((await it.ask(INDEX, basic)).status, 401);
  assert.deepEqual(asked(it.inside), []);
});

Deno.test("a credential does not follow a redirect to another origin, which is not followed at all", async () => {
  await using it = await setting();
  await using elsewhere = serveRegistry(() => ({ body: "{}", type: "application/json" }));
  it.inside.fault(/.*/, { kind: "redirect", location: `${elsewhere.url}x` });
  const pair = `Bearer ${await it.token("alice")}:${SECRET}`;
  for (const path of [INDEX, FILE]) assert.equal((await it.ask(path, pair)).status, 502);
  assert.deepEqual(elsewhere.requests, []);
});

Deno.test("files that a private index lists at another origin are not fetched", async () => {
  await using it = await setting();
  await using elsewhere = serveRegistry(() => ({ body: "x", type: "text/plain" }));
  it.inside.publish({
    name: "@acme/tool",
    version: "1.1.0",
    extra: { dist: { tarball: `${elsewhere.url}tool-1.1.0.tgz`, shasum: "0".repeat(40) } },
  });
  const pair = `Bearer ${await it.token("alice")}:${SECRET}`;
  // It is asked of the registry by convention, and is not the file of the index.
  await assert.rejects(it.ask(FILE.replaceAll("1.0.0", "1.1.0"), pair), /not the one of its index/);
  assert.deepEqual(await it.proxy.installs(), []);
  assert.deepEqual(elsewhere.requests, []);
});

Deno.test("nobody gets what another user's credential loaded, not even while the registry is down", async () => {
  await using it = await setting();
  const alice = `Bearer ${await it.token("alice")}:${SECRET}`;
  const bob = `Bearer ${await it.token("bob")}`;
  const wrong = `Bearer ${await it.token("carol")}:wrong`;
  const beta = `Bearer ${await it.token("dora", "beta")}`;
  for (const path of [INDEX, FILE, "/why/pkg:npm/@acme/tool"]) {
    assert.equal((await it.ask(path, alice)).status, 200);
    for (const other of [bob, wrong, beta, undefined]) {
      const { status, text } = await it.ask(path, other);
      assert.equal(status, 401, `${path} ${text}`);
      assert.ok(!text.includes("1.0.0"), text);
    }
    assert.equal((await it.ask(`/o-beta${path}`, undefined)).status, 401);
  }
  it.inside.fault(/.*/, { kind: "status", status: 503 });
  assert.equal((await it.ask(INDEX, alice)).status, 200, "her own last good answer");
  for (const other of [bob, wrong, beta, undefined]) {
    const { status, text } = await it.ask(INDEX, other);
    assert.equal(status, 503);
    assert.ok(!text.includes("1.0.0"), text);
  }
});

Deno.test("a credential that no longer holds gets nothing of what it loaded", async () => {
  await using it = await setting();
  const alice = `Bearer ${await it.token("alice")}:${SECRET}`;
  assert.equal((await it.ask(INDEX, alice)).status, 200);
  it.inside.fault(/.*/, { kind: "status", status: 401 });
  assert.equal((await it.ask(INDEX, alice)).status, 401);
  it.inside.mend();
  it.inside.fault(/.*/, { kind: "status", status: 500 });
  assert.equal((await it.ask(FILE, alice)).status, 502);
});

Deno.test("two orgs with one registry and one token do not share an ETag that tells of the other", async () => {
  await using it = await setting({
    token_env: "REGISTRY_TOKEN_A",
    env: { REGISTRY_TOKEN_A: SECRET },
  });
  const etag = async (prefix: string) => {
    const response = await it.proxy.fetch(`${prefix}${INDEX}`, { headers: NPM });
    await response.text();
    return response.headers.get("etag");
  };
  assert.notEqual(await etag(""), await etag("/o-beta"));
});

for (const downloads of ["redirect", "direct"]) {
  Deno.test(`\`downloads: ${downloads}\` gives away no private address`, async () => {
    await using it = await setting({ downloads });
    const alice = `Bearer ${await it.token("alice")}:${SECRET}`;
    const index = await it.ask(INDEX, alice);
    assert.equal(index.status, 200);
    assert.ok(!index.text.includes(new URL(it.inside.url).host), index.text);
    assert.match(JSON.parse(index.text).versions["1.0.0"].dist.tarball, /^http:\/\/proxy\.example/);
    assert.equal((await it.ask(FILE, alice)).status, 200);
    assert.equal((await it.proxy.installs()).length, 1);
  });
}

Deno.test("PyPI: a private project is asked of its registry alone, and comes through the proxy", async () => {
  await using inside = startPypiRegistry();
  await using outside = startPypiRegistry();
  const [file] = inside.publish({ name: "acme-tool", version: "1.0" });
  outside.publish({ name: "acme-tool", version: "9.0" });
  await using proxy = await testProxy({
    upstreams: { pypi: outside.index },
    policy: {
      downloads: "direct",
      registries: [{ ecosystem: "pypi", packages: "pkg:pypi/acme-*", url: inside.index }],
    },
  });
  const headers = { accept: "application/vnd.pypi.simple.v1+json" };
  const index = await proxy.fetch("/pypi/simple/acme-tool/", { headers });
  const text = await index.text();
  assert.deepEqual(JSON.parse(text).versions, ["1.0"]);
  assert.ok(!text.includes(new URL(inside.url).host), text);
  const response = await proxy.fetch(`/pypi/${file.path}`);
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), file.bytes);
  assert.equal((await proxy.fetch("/pypi/acme-tool/json")).status, 200);
  inside.fault(/.*/, { kind: "status", status: 404 });
  assert.equal((await proxy.fetch("/pypi/simple/acme-tool/", { headers })).status, 404);
  assert.deepEqual(outside.requests.filter(({ path }) => path.includes("acme-tool")), []);
});

Deno.test("an audit does not tell the public registry of private packages", async () => {
  await using it = await setting({
    token_env: "REGISTRY_TOKEN_A",
    env: { REGISTRY_TOKEN_A: SECRET },
  });
  const bodies: string[] = [];
  await using listening = serveRegistry(async (request) => {
    bodies.push(await request.text());
    return { body: "{}", type: "application/json" };
  });
  await using proxy = await testProxy({
    upstreams: { npm: listening.url },
    policy: {
      registries: [{ ecosystem: "npm", packages: "pkg:npm/@acme/*", url: it.inside.url }],
    },
  });
  const post = async (path: string, body: unknown) => {
    const response = await proxy.fetch(path, { method: "POST", body: JSON.stringify(body) });
    assert.equal(response.status, 200, await response.text());
  };
  await post("/npm/-/npm/v1/security/advisories/bulk", {
    "@acme/tool": ["1.0.0"],
    left: ["1.0.0"],
  });
  await post("/npm/-/npm/v1/security/audits/quick", {
    name: "@acme/project",
    requires: { "@acme/tool": "^1.0.0", left: "1.0.0" },
    dependencies: {
      "@acme/tool": { version: "1.0.0", dependencies: { left: { version: "1.0.0" } } },
      left: { version: "1.0.0", requires: { "@acme/tool": "1" } },
      "apps/@acme/web": { dependencies: {} },
    },
  });
  assert.equal(bodies.length, 2);
  for (const body of bodies) assert.ok(!body.includes("@acme"), body);
  assert.deepEqual(JSON.parse(bodies[0]), { left: ["1.0.0"] });
  // What a private package contains is still audited.
  const { dependencies } = JSON.parse(bodies[1]);
  assert.deepEqual(dependencies.left, { version: "1.0.0", requires: {} });
  assert.deepEqual(dependencies["_private.0"].dependencies, { left: { version: "1.0.0" } });
  const broken = await proxy.fetch("/npm/-/npm/v1/security/advisories/bulk", {
    method: "POST",
    body: "[]",
  });
  assert.equal(broken.status, 400);
  assert.equal(bodies.length, 2);
});
