/** What a client gets where the proxy itself cannot go on: nothing, and a plain reason. */
import assert from "node:assert/strict";
import { SCHEMES } from "../../ecosystems/mod.ts";
import { keys } from "../../policy/store/keys.ts";
import { StoreUnavailable } from "../../policy/store/errors.ts";
import { openPolicies } from "../../policy/store/policies.ts";
import { openTokens } from "../../policy/store/tokens.ts";
import type { Policy, Release } from "../../policy/types.ts";
import { createApp } from "../../routes/app.ts";
import type { Deps } from "../../routes/deps.ts";
import { DRIVERS } from "../contract/drivers.ts";
import { testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const CURL = { "user-agent": "curl/8.0" };

/** An object with some of its functions replaced. */
function overriding<T extends object>(real: T, functions: Partial<T>): T {
  return new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(key in functions ? functions : target, key);
      return typeof value === "function" && !(key in functions) ? value.bind(target) : value;
    },
  });
}

const unavailable = () => Promise.reject(new StoreUnavailable("Cannot store: the test says so"));

async function setting(change: (deps: Deps) => Partial<Deps> = () => ({})) {
  const registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0", files: { "big.txt": noise() } });
  registry.publish({ name: "left", version: "1.1.0", publishedAt: new Date() });
  const proxy = await testProxy({ upstreams: { npm: registry.url } });
  const app = createApp({ ...proxy.deps, ...change(proxy.deps) });
  return {
    registry,
    proxy,
    get: (path: string, headers: HeadersInit = CURL) =>
      app(new Request(`http://proxy.example${path}`, { headers })),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** Larger than what is read at once, and does not compress. */
function noise(): string {
  const bytes = new Uint8Array(48 * 1024);
  return Array.from({ length: 4 }, () => crypto.getRandomValues(bytes).toHex()).join("");
}

Deno.test("a store without policies: the token in the address of npm's sign-out is not logged", async () => {
  await using proxy = await testProxy();
  const token = { org: "default", user: "bob", role: "client", expires: null, by: "test" } as const;
  const { secret } = await proxy.deps.tokens.create(token);
  const policies = overriding(proxy.deps.policies, { get: unavailable, peek: () => undefined });
  const app = createApp({ ...proxy.deps, policies });
  const response = await app(
    new Request(`http://proxy.example/npm/-/user/token/${secret}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${secret}` },
    }),
  );
  assert.equal(response.status, 503);
  assert.deepEqual(proxy.lines.map(({ event, code }) => [event, code]), [
    ["failure", "store_unavailable"],
  ]);
  assert.ok(!JSON.stringify(proxy.lines).includes(secret));
});

Deno.test("a store that takes no records: a file breaks off before its end", async () => {
  await using it = await setting(({ records }) => ({
    records: overriding(records, { add: unavailable }),
  }));
  assert.equal((await it.get("/npm/left")).status, 200);
  const response = await it.get("/npm/left/-/left-1.0.0.tgz");
  let received = 0;
  await assert.rejects(async () => {
    for await (const chunk of response.body ?? []) received += chunk.length;
  });
  assert.ok(received < Number(response.headers.get("content-length")), `${received} bytes`);
  assert.deepEqual(it.proxy.lines.map(({ event, code }) => [event, code]), [
    ["broken", "store_unavailable"],
  ]);
  const refused = await it.get("/npm/left/-/left-1.1.0.tgz");
  assert.ok([403, 503].includes(refused.status));
  await refused.text();
});

Deno.test("a store that takes no records: a file that is in memory is not handed out", async () => {
  let failing = false;
  await using it = await setting(({ records }) => ({
    records: overriding(records, {
      add: (kind, record) => failing ? unavailable() : records.add(kind, record),
    }),
  }));
  const path = "/npm/left/-/left-1.0.0.tgz";
  assert.equal((await (await it.get(path)).bytes()).length > 0, true);
  failing = true;
  const response = await it.get(path);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("content-type")?.includes("octet"), false);
  await response.text();
  failing = false;
  assert.equal((await it.get(path)).status, 200);
});

Deno.test("a store that takes no records: `downloads: redirect` sends nobody anywhere", async () => {
  await using it = await setting(({ records }) => ({
    records: overriding(records, { add: unavailable }),
  }));
  await it.proxy.deps.policies.replace("default", { downloads: "redirect" }, { by: "test" });
  const response = await it.get("/npm/left/-/left-1.0.0.tgz");
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("location"), null);
  assert.equal((await response.json()).code, "store_unavailable");
});

Deno.test("a store that does not answer: nothing is let through, 503", async () => {
  const kv = await Deno.openKv(":memory:");
  kv.close();
  await using it = await setting(({ now }) => ({
    policies: openPolicies(kv, { schemes: SCHEMES, now }),
    tokens: openTokens(kv, { now, root: "" }),
    probe: async () => void await kv.get(keys.meta("probe")),
  }));
  for (const path of ["/npm/left", "/npm/left/-/left-1.0.0.tgz", "/why/pkg:npm/left"]) {
    const response = await it.get(path);
    assert.equal(response.status, 503, path);
    assert.equal(response.headers.get("retry-after"), "5");
    assert.match(await response.text(), /nothing is let through/);
  }
  const health = await it.get("/health");
  assert.equal(health.status, 503);
  assert.equal((await health.json()).store, "unavailable");
  const token = await it.get("/npm/left", { authorization: "Bearer pp_x" });
  assert.equal(token.status, 503);
  assert.deepEqual(it.registry.requests, []);
});

Deno.test("a policy that cannot be read: nothing is let through, in no ecosystem", async () => {
  for (const driver of DRIVERS) {
    const world = driver.start();
    const file = world.publish({ name: "package", version: "1.0.0", publishedAt: new Date(0) });
    await using server = world.server;
    await using proxy = await testProxy({ upstreams: { [driver.id]: world.upstream } });
    await proxy.kv.set(keys.policy("acme"), { nonsense: true });
    for (const path of [driver.index("package"), file.path]) {
      const { headers } = driver;
      const response = await proxy.fetch(`/o-acme${driver.mount}${path}`, { headers });
      assert.equal(response.status, 503);
      assert.match(await response.text(), /The policy cannot be read, so nothing is let through/);
      const other = await proxy.fetch(`${driver.mount}${path}`, { headers });
      assert.equal(other.status, 200, "another org's is readable");
      await other.arrayBuffer();
    }
    const why = await proxy.fetch(`/o-acme/why/pkg:${driver.id}/package`);
    assert.equal(why.status, 503);
    assert.equal((await proxy.installs("acme")).length, 0);
    assert.ok(server.requests.length > 0);
    await proxy.kv.delete(keys.policy("acme"));
    proxy.clock.now += 5_000;
    const mended = await proxy.fetch(`/o-acme${driver.mount}${driver.index("package")}`);
    assert.equal(mended.status, 200);
  }
});

/** A policy one of whose rules throws at a version. */
function throwing(policy: Policy): Policy {
  const spoilt = (release: Release) =>
    new Proxy(release, {
      get(target, key) {
        if (key === "yanked" && release.version === "1.0.0") throw new Error("a rule's fault");
        return Reflect.get(target, key);
      },
    });
  return { ...policy, judge: (releases, now) => policy.judge(releases.map(spoilt), now) };
}

Deno.test("a rule that throws refuses what it could not check, in the index and at download", async () => {
  await using it = await setting(({ policies }) => ({
    policies: overriding(policies, {
      peek: () => undefined,
      get: async (org) => throwing(await policies.get(org)),
    }),
  }));
  it.registry.publish({ name: "left", version: "0.9.0" });
  const { versions } = await (await it.get("/npm/left")).json();
  assert.deepEqual(Object.keys(versions), ["0.9.0"]);
  const refused = await it.get("/npm/left/-/left-1.0.0.tgz");
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("policy-decision") ?? "", /^deny; code=metadata_invalid/);
  assert.match(await refused.text(), /cannot be checked/);
  assert.equal((await it.proxy.refusals())[0].code, "metadata_invalid");
});

Deno.test("a fault of the proxy itself is 500 without a word of its inside, and in the log", async () => {
  await using it = await setting(({ indexes }) => ({
    indexes: overriding(indexes, {
      load: () => Promise.reject(new TypeError("secret of /work/inside.ts")),
    }),
  }));
  for (const path of ["/npm/left", "/npm/left/-/left-1.0.0.tgz", "/why/pkg:npm/left"]) {
    const response = await it.get(path);
    assert.equal(response.status, 500);
    const text = await response.text();
    assert.match(text, /Something went wrong in the proxy/);
    assert.ok(!/secret|inside/.test(text), text);
  }
  assert.equal(it.proxy.lines.filter(({ code }) => code === "internal").length, 3);
});

Deno.test("errors are JSON for npm's clients and plain text for the others", async () => {
  await using proxy = await testProxy({ policies: { acme: { auth: "token" } } });
  const get = async (path: string, headers: HeadersInit = CURL, method = "GET") => {
    const response = await proxy.fetch(path, { headers, method });
    return { response, type: response.headers.get("content-type"), text: await response.text() };
  };
  for (
    const [path, status, method] of [
      ["/npm/left", 502],
      ["/npm/left", 405, "PUT"],
      ["/npm/-/nothing", 404],
      ["/o-acme/npm/left", 401],
      ["/o-acme/npm/left/-/left-1.0.0.tgz", 401],
    ] as const
  ) {
    const { response, type, text } = await get(path, CURL, method);
    assert.equal(response.status, status);
    assert.equal(type, "application/json");
    assert.deepEqual(Object.keys(JSON.parse(text)), ["error", "code"]);
    const other = await get(
      path.replace("/npm/", "/pypi/simple/").replace(/left$/, "left/"),
      CURL,
      method,
    );
    assert.match(other.type ?? "", /^text\/plain/, path);
  }
  const { response } = await get("/o-acme/npm/left");
  assert.match(response.headers.get("www-authenticate") ?? "", /^(?:Basic|Token) realm=/);
  assert.equal(response.headers.get("cache-control"), "no-store");
});

Deno.test("the log holds no token and no password", async () => {
  await using it = await setting();
  const secrets = ["pp_secretsecret", "passw0rd", "registry-secret"];
  for (
    const authorization of [
      "Bearer pp_secretsecret",
      `Basic ${btoa("alice:passw0rd")}`,
      `Basic ${btoa("pp_secretsecret:registry-secret")}`,
    ]
  ) {
    for (const path of ["/npm/left", "/npm/left/-/left-1.0.0.tgz", "/npm/nothing"]) {
      await (await it.get(path, { authorization })).arrayBuffer();
    }
  }
  it.registry.fault(/.*/, { kind: "status", status: 500 });
  it.proxy.clock.now += 3600_000 * 48;
  await (await it.get("/npm/left", { authorization: `Basic ${btoa("alice:passw0rd")}` })).text();
  assert.ok(it.proxy.lines.length > 0);
  const log = JSON.stringify(it.proxy.lines);
  for (const secret of secrets) {
    assert.ok(!log.includes(secret) && !log.includes(btoa(secret)), log);
  }
});
