/** How much one token, user or address may ask, and what those who ask too much are told. */
import assert from "node:assert/strict";
import { createApp } from "../../routes/app.ts";
import { readTrust } from "../../routes/forwarded.ts";
import { readOidc } from "../../routes/oidc_settings.ts";
import { type ProxyOptions, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const NPM = { "user-agent": "npm/11.0.0 node/v24.0.0", "accept": "application/json" };

async function setting(options: ProxyOptions = {}) {
  const registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0" });
  const proxy = await testProxy({ ...options, upstreams: { npm: registry.url } });
  const app = createApp(proxy.deps);
  const ask = async (
    path: string,
    { ip = "198.51.100.7", headers = {}, ...init }: RequestInit & { ip?: string } = {},
  ) => {
    const remoteAddr = { transport: "tcp", hostname: ip, port: 50_000 } as const;
    const request = new Request(`http://proxy.example${path}`, {
      ...init,
      headers: new Headers({ ...NPM, ...Object.fromEntries(new Headers(headers)) }),
    });
    const response = await app(request, { remoteAddr });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    proxy,
    registry,
    ask,
    /** Statuses of so many requests, one after another. */
    async burst(count: number, path: string, init: Parameters<typeof ask>[1] = {}) {
      const statuses: number[] = [];
      for (let i = 0; i < count; i++) statuses.push((await ask(path, init)).status);
      return statuses;
    },
    async token(user: string, org = "default") {
      const made = { org, user, role: "client", expires: null, by: "test" } as const;
      return await proxy.deps.tokens.create(made);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const bearer = (secret: string) => ({ headers: { authorization: `Bearer ${secret}` } });

Deno.test("a user who asks too much is 429 with Retry-After, and others go on", async () => {
  await using it = await setting({ policy: { limits: { per_user: "3/m" } } });
  const path = "/o-default/u-alice/npm/left";
  await it.burst(1, "/npm/left");
  assert.deepEqual(await it.burst(3, path), [200, 200, 200]);
  const refused = await it.ask(path);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "20");
  assert.equal(refused.headers.get("cache-control"), "no-store");
  assert.deepEqual(JSON.parse(refused.text), {
    error: "Too many requests for this user: try again in 20 s.",
    code: "too_many_requests",
  });
  assert.equal((await it.ask("/o-default/u-bob/npm/left")).status, 200);
  assert.equal((await it.ask("/npm/left")).status, 200);
  it.proxy.clock.now += 20_000;
  assert.deepEqual(await it.burst(2, path), [200, 429]);
  it.proxy.clock.now += 3600_000;
  assert.deepEqual(await it.burst(4, path), [200, 200, 200, 429], "no more is saved up than that");
});

Deno.test("a token is limited by itself, whatever the address", async () => {
  await using it = await setting({ policy: { auth: "token", limits: { per_token: "2/m" } } });
  const [first, second] = [await it.token("ci"), await it.token("ci")];
  await it.ask("/npm/left", bearer(second.secret));
  for (const ip of ["198.51.100.1", "198.51.100.2"]) {
    assert.equal((await it.ask("/npm/left", { ip, ...bearer(first.secret) })).status, 200);
  }
  const refused = await it.ask("/npm/left", { ip: "198.51.100.3", ...bearer(first.secret) });
  assert.equal(refused.status, 429);
  assert.match(refused.text, /for this token/);
  assert.equal((await it.ask("/npm/left", bearer(second.secret))).status, 200);
});

Deno.test("a name without a token uses up nothing of whoever proves it", async () => {
  await using it = await setting({ policy: { auth: "token", limits: { per_user: "20/m" } } });
  const alice = await it.token("alice");
  await it.ask("/npm/left", bearer(alice.secret));
  const claim = (user: string) => it.burst(25, `/o-default/u-${user}/npm/left`);
  assert.deepEqual([...new Set(await claim("alice"))], [401, 429]);
  assert.deepEqual([...new Set(await claim("root"))], [401, 429]);
  assert.equal((await it.ask("/npm/left", bearer(alice.secret))).status, 200);
  assert.equal((await it.ask("/admin/v1/orgs", bearer(it.proxy.rootToken))).status, 200);
});

Deno.test("who is not let in is counted as well", async () => {
  await using it = await setting({
    policies: { acme: { limits: { per_address: "5/m" } }, globex: {} },
  });
  const { secret } = await it.token("eve", "globex");
  await it.ask("/o-acme/npm/left", { ip: "203.0.113.1" });
  const path = "/o-acme/npm/left";
  assert.deepEqual([...new Set(await it.burst(5, path, bearer(secret)))], [403]);
  assert.equal((await it.ask(path, bearer(secret))).status, 429);
  assert.equal((await it.ask(path, { ip: "203.0.113.1" })).status, 200);
});

Deno.test("no spelling of a path is cheaper", async () => {
  await using it = await setting({ policy: { limits: { per_token: "400/m" } } });
  await it.ask("/npm/left");
  for (const simulate of ["simulate", "simulat%65", "%73imulate"]) {
    const { secret } = await it.token(`v-${simulate.length}-${simulate.codePointAt(0)}`);
    const asked = { method: "POST", ...bearer(secret) };
    const path = `/admin/v1/orgs/default/${simulate}`;
    assert.deepEqual(await it.burst(3, path, asked), [403, 403, 429], simulate);
  }
});

Deno.test("an address is limited over all the users and orgs that it makes up", async () => {
  await using it = await setting({ policy: { limits: { per_address: "4/m" } } });
  await it.ask("/npm/left", { ip: "203.0.113.1" });
  const statuses = [];
  for (const who of ["/o-a/u-1", "/o-b/u-2", "/o-c/u-3", "/o-d/u-4", "/o-e/u-5"]) {
    await it.proxy.deps.policies.get(who.split("/")[1].slice(2));
    statuses.push((await it.ask(`${who}/npm/left`)).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 200, 429]);
  assert.equal((await it.ask("/npm/left", { ip: "203.0.113.2" })).status, 200);
});

Deno.test("an org's limits are its own", async () => {
  await using it = await setting({
    policies: { strict: { limits: { per_address: "1/m" } }, other: {} },
  });
  for (const org of ["strict", "other"]) await it.proxy.deps.policies.get(org);
  assert.deepEqual(await it.burst(2, "/o-strict/npm/left"), [200, 429]);
  assert.deepEqual(await it.burst(3, "/o-other/npm/left"), [200, 200, 200]);
});

Deno.test("who is refused is told in the words of their client", async () => {
  await using it = await setting({ policy: { limits: { per_user: "1/h" } } });
  const base = "/o-default/u-alice";
  await it.ask("/npm/left");
  await it.ask(`${base}/npm/left`);
  for (
    const [path, type, method] of [
      ["/npm/left", /^application\/json/],
      ["/npm/left/-/left-1.0.0.tgz", /^application\/json/],
      ["/pypi/simple/left/", /^text\/plain/],
      ["/cargo/le/ft/left", /^text\/plain/],
      ["/why/pkg:npm/left", /^text\/plain/],
      ["/check", /^application\/problem\+json/, "POST"],
      ["/admin/v1/orgs", /^application\/problem\+json/],
    ] as const
  ) {
    const headers = { "user-agent": "curl/8.0", "accept": "*/*" };
    const refused = await it.ask(`${base}${path}`, { headers, method });
    assert.equal(refused.status, 429, path);
    assert.match(refused.headers.get("content-type") ?? "", type, path);
    assert.equal(refused.headers.get("retry-after"), "3600");
    assert.ok(refused.text.length < 300, refused.text);
  }
});

Deno.test("what costs more counts for more, and nothing costs more than there is", async () => {
  await using it = await setting({ policy: { limits: { per_user: "12/m" } } });
  const base = "/o-default/u-alice";
  await it.ask("/npm/left");
  assert.deepEqual(await it.burst(3, `${base}/why/pkg:npm/left`), [200, 200, 429]);
  const check = { method: "POST", body: "pkg:npm/left@1.0.0" };
  assert.equal((await it.ask("/o-default/u-bob/check", check)).status, 200);
  assert.equal((await it.ask("/o-default/u-bob/npm/left")).status, 429);
});

Deno.test("without limits of its own an org lets many developers install 2,000 packages at once", async () => {
  await using it = await setting();
  await it.ask("/npm/left");
  const app = createApp(it.proxy.deps);
  const remoteAddr = { transport: "tcp", hostname: "198.51.100.7", port: 1 } as const;
  for (let developer = 0; developer < 10; developer++) {
    const path = `/o-default/u-dev${developer}/npm/left`;
    for (let i = 0; i < 1_000; i++) {
      const request = new Request(`http://proxy.example${path}`, { headers: NPM });
      // Four times as many as fit a test: the throttle alone is asked for the rest.
      const identity = { org: "default", user: `dev${developer}`, role: null, tokenId: null };
      const policy = it.proxy.deps.policies.peek("default");
      const client = { ip: "198.51.100.7" };
      assert.equal(it.proxy.deps.throttle.take(identity, { policy, client, cost: 3 }), null);
      if (i % 50 > 0) continue;
      const response = await app(request, { remoteAddr });
      assert.equal(response.status, 200);
      await response.body?.cancel();
    }
  }
});

Deno.test("an address that guesses tokens is stopped before KV is asked, and known tokens go on", async () => {
  await using it = await setting({ policy: { auth: "token" } });
  const known = await it.token("ci");
  await it.ask("/npm/left", bearer(known.secret));
  let looked = 0;
  const tokens = Object.assign(Object.create(null), {
    find: (secret: string) => {
      looked++;
      return it.proxy.deps.tokens.find(secret);
    },
    peek: (secret: string) => it.proxy.deps.tokens.peek(secret),
    recall: (secret: string) => it.proxy.deps.tokens.recall(secret),
  });
  const app = createApp({ ...it.proxy.deps, tokens });
  const ask = async (secret: string, path = "/npm/left", ip = "198.51.100.7") => {
    const remoteAddr = { transport: "tcp", hostname: ip, port: 1 } as const;
    const headers = { ...NPM, authorization: `Bearer ${secret}` };
    const response = await app(new Request(`http://proxy.example${path}`, { headers }), {
      remoteAddr,
    });
    await response.text();
    return response.status;
  };
  const statuses = [];
  for (let i = 0; i < 70; i++) statuses.push(await ask(`pp_guess${i}`));
  assert.deepEqual([...new Set(statuses.slice(0, 60))], [401]);
  assert.deepEqual([...new Set(statuses.slice(60))], [429]);
  assert.equal(looked, 60);
  assert.equal(await ask(known.secret), 200, "a colleague behind the same address");
  assert.equal(await ask("pp_guess", "/npm/left", "198.51.100.8"), 401, "another address");
  assert.equal(await ask("pp_guess", "/admin/v1/orgs"), 429);
  assert.equal(await ask("not-even-ours", "/admin/v1/orgs"), 429, "in any form of a token");
  it.proxy.clock.now += 60_000;
  assert.equal(await ask("pp_guess"), 401, "a minute later");
});

Deno.test("the admin API's wrong tokens count, whatever their form", async () => {
  await using it = await setting();
  const guess = (i: number) => it.ask("/admin/v1/orgs", bearer(`a-configured-token-${i}`));
  for (let i = 0; i < 60; i++) assert.equal((await guess(i)).status, 401);
  assert.equal((await guess(60)).status, 429);
  assert.equal((await it.ask("/admin/v1/orgs", bearer(it.proxy.rootToken))).status, 200);
});

Deno.test("without TRUST_PROXY nobody is believed what they say of a proxy before this one", async () => {
  await using it = await setting({ policy: { limits: { per_address: "2/m" } } });
  const lies = {
    "x-forwarded-for": "192.0.2.1",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "https",
    "x-real-ip": "192.0.2.1",
    "x-original-url": "/admin/v1/orgs",
    "forwarded": "for=192.0.2.1;host=evil.example;proto=https",
  };
  const first = await it.ask("/npm/left", { headers: lies });
  assert.ok(!first.text.includes("evil.example"), first.text);
  const setup = await it.ask("/setup", { headers: { ...lies, accept: "text/html" } });
  assert.ok(!setup.text.includes("evil.example"));
  // What was prepared for one request is what the next gets.
  const { text } = await it.ask("/npm/left", { ip: "198.51.100.9" });
  assert.match(JSON.parse(text).versions["1.0.0"].dist.tarball, /^http:\/\/proxy\.example\/npm\//);
  const other = { ...lies, "x-forwarded-for": "192.0.2.2" };
  assert.equal((await it.ask("/npm/left", { headers: other })).status, 429, "the same address");
});

Deno.test("with TRUST_PROXY the client's address and the public origin are the proxy's word", async () => {
  const trustProxy = readTrust("1");
  await using it = await setting({
    settings: { trustProxy },
    policy: { limits: { per_address: "2/m" } },
  });
  const from = (client: string) => ({
    ip: "10.0.0.2",
    headers: {
      "x-forwarded-for": `203.0.113.66, ${client}`, // the first is what the client itself sent
      "x-forwarded-host": "packages.example",
      "x-forwarded-proto": "https",
    },
  });
  await it.proxy.deps.policies.get("default");
  const { text } = await it.ask("/npm/left", from("192.0.2.1"));
  const { tarball } = JSON.parse(text).versions["1.0.0"].dist;
  assert.equal(tarball, "https://packages.example/npm/left/-/left-1.0.0.tgz");
  await it.ask(new URL(tarball).pathname, from("192.0.2.1"));
  assert.equal((await it.proxy.installs())[0].ip, "192.0.2.1");
  assert.equal((await it.ask("/npm/left", from("192.0.2.1"))).status, 429);
  assert.equal((await it.ask("/npm/left", from("192.0.2.2"))).status, 200);
  for (const host of ["evil.example/path", "a b", "user@evil.example", "<script>"]) {
    const given = from("192.0.2.3");
    const { status, text } = await it.ask("/npm/left", {
      ...given,
      headers: { ...given.headers, "x-forwarded-host": host },
    });
    assert.equal(status, 400);
    assert.ok(!text.includes(host));
  }
});

Deno.test("addresses and Authorization headers beyond reason are 414 and 431", async () => {
  await using it = await setting();
  const long = await it.ask(`/npm/${"a".repeat(9_000)}`);
  assert.equal(long.status, 414);
  assert.ok(long.text.length < 200);
  const query = await it.ask(`/why/pkg:npm/left?${"a".repeat(9_000)}`);
  assert.equal(query.status, 414);
  const header = await it.ask("/npm/left", bearer(`pp_${"a".repeat(17_000)}`));
  assert.equal(header.status, 431);
  assert.deepEqual(it.registry.requests, []);
});

Deno.test("the runtime itself bounds the headers of a request", async () => {
  await using it = await setting();
  const { port } = new URL(it.proxy.listen());
  const send = async (headers: string) => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    const text =
      `GET /health HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n${headers}\r\n`;
    const bytes = new Uint8Array(64);
    const writer = connection.writable.getWriter();
    void writer.write(new TextEncoder().encode(text)).catch(() => {}); // refused before its end
    const read = await connection.read(bytes).catch(() => null);
    connection.close();
    return new TextDecoder().decode(bytes.subarray(0, read ?? 0)).split("\r\n")[0];
  };
  assert.match(await send(""), / 200 /);
  assert.doesNotMatch(await send(`X: ${"a".repeat(70_000)}\r\n`), / 200 /);
  const many = Array.from({ length: 150 }, (_, i) => `X-${i}: a\r\n`).join("");
  assert.doesNotMatch(await send(many), / 200 /);
});

Deno.test("sign-ins that fail count as wrong tokens do", async () => {
  const given: Record<string, string> = {
    OIDC_ISSUER: "https://login.example",
    OIDC_CLIENT_ID: "id",
    OIDC_CLIENT_SECRET: "secret",
    OIDC_ALLOWED: "@acme.example=acme:viewer",
  };
  const oidc = readOidc((name) => given[name]);
  await using it = await setting({ settings: { oidc, publicUrl: "http://proxy.example" } });
  const back = "/admin/callback?code=stolen&state=guessed";
  const page = { headers: { accept: "text/html" } };
  const other = back.replace("callback", "callbac%6b");
  assert.deepEqual([...new Set(await it.burst(30, back, page))], [403]);
  assert.deepEqual([...new Set(await it.burst(30, other, page))], [403]);
  assert.equal((await it.ask(back, page)).status, 429);
  assert.equal((await it.ask(other, page)).status, 429);
  assert.equal((await it.ask("/admin/", page)).status, 200, "what is no attempt goes on");
});
