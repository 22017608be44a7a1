import assert from "node:assert/strict";
import { StoreUnavailable } from "../../policy/store/errors.ts";
import { keys } from "../../policy/store/keys.ts";
import type { News } from "../../policy/store/types.ts";
import type { Role } from "../../policy/types.ts";
import { createApp } from "../../routes/app.ts";
import { DAY, type ProxyOptions, testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

const JSON_FORM = { accept: "application/json", "content-type": "application/json" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const HTML = { accept: "text/html" };
const YOUNG = "/o-acme/u-alice/why/pkg:npm/left@1.1.0";
const WISH = { reason: "mends our build", ticket: "OPS-1" };

/** `left`: old, young and blocked versions; `ours` is withheld by its name. */
async function world(policy: Record<string, unknown> = {}, options: ProxyOptions = {}) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  const young = new Date(Date.now() - DAY);
  npm.publish({ name: "left", version: "1.0.0" });
  npm.publish({ name: "left", version: "1.1.0", publishedAt: young });
  npm.publish({ name: "left", version: "1.2.0", publishedAt: young });
  npm.publish({ name: "ours", version: "1.0.0" });
  pypi.publish({ name: "demo", version: "1.0", uploadedAt: young.toISOString() });
  cargo.publish({ name: "demo", version: "1.0.0+build", publishedAt: young });
  const proxy = await testProxy({
    ...options,
    upstreams: { npm: npm.url, pypi: pypi.index, cargo: cargo.url },
    policies: {
      acme: {
        rules: {
          block: { entries: [{ purl: "pkg:npm/left@1.2.0", reason: "breaks us" }] },
          namespace: { level: "deny", names: ["pkg:npm/ours"] },
          min_age: { packages: { "pkg:cargo/demo": "10d" } },
        },
        ...policy,
      },
    },
    settings: { publicUrl: "https://packages.example", ...options.settings },
  });
  return {
    proxy,
    post: (path: string, body: unknown = WISH, headers: Record<string, string> = JSON_FORM) =>
      proxy.fetch(path, {
        method: "POST",
        headers,
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    get: (path: string, headers: Record<string, string> = {}) => proxy.fetch(path, { headers }),
    async token(role: Role, user: string) {
      const by = "test";
      return (await proxy.deps.tokens.create({ org: "acme", user, role, expires: null, by }))
        .secret;
    },
    async news(): Promise<News[]> {
      const stored = await Array.fromAsync(proxy.kv.list<News>({ prefix: keys.allNews() }));
      return stored.map(({ value }) => value).filter(({ kind }) => kind === "exception");
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [npm, pypi, cargo]) await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a developer asks for a withheld release, and the same address shows the request", async () => {
  await using given = await world();
  const response = await given.post(YOUNG);
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("cache-control"), "no-store");
  const made = await response.json();
  assert.deepEqual(
    [made.status, made.purl, made.org, made.rules, made.reason, made.ticket],
    ["open", "pkg:npm/left@1.1.0", "acme", ["min_age"], "mends our build", "OPS-1"],
  );
  assert.equal(made.look, "https://packages.example/o-acme/u-alice/why/pkg:npm/left@1.1.0");

  const why = await (await given.get(YOUNG, JSON_FORM)).json();
  assert.equal(why.exception.request.id, made.id);
  assert.equal(why.exception.request.status, "open");
  assert.equal(
    (await (await given.get("/o-acme/u-bob/why/pkg:npm/left@1.1.0", JSON_FORM)).json())
      .exception.request,
    null,
  );
  const again = await given.post(YOUNG, { reason: "please" });
  assert.equal(again.status, 200);
  assert.equal((await again.json()).id, made.id);

  const stored = await given.proxy.deps.requests.get("acme", made.id);
  assert.deepEqual([stored?.user, stored?.authenticated], ["alice", false]);
  const [told, ...more] = await given.news();
  assert.deepEqual(more, []);
  assert.match(
    told.link ?? "",
    new RegExp(
      `^https://packages\\.example/admin/v1/orgs/acme/requests/${made.id}/decide\\?expires=`,
    ),
  );
  // The link is for approvers alone.
  assert.doesNotMatch(JSON.stringify([made, why]), /signature/);
});

Deno.test("terminals are told in lines, browsers with a page; either may send a form", async () => {
  await using given = await world();
  const text = await given.post(YOUNG, "reason=so+it+is&ticket=", { ...FORM, accept: "*/*" });
  assert.equal(text.status, 201);
  assert.match(text.headers.get("content-type") ?? "", /^text\/plain/);
  assert.match(await text.text(), /nobody has decided yet[^]*See https:\/\/packages\.example\//);
  const page = await given.post("/o-acme/u-bob/why/pkg:npm/left@1.1.0", "reason=<b>x</b>", {
    ...FORM,
    ...HTML,
    "sec-fetch-site": "same-origin",
  });
  assert.equal(page.status, 201);
  assert.match(await page.text(), /<h1>pkg:npm\/left@1\.1\.0<\/h1>/);
  const { items } = await given.proxy.deps.requests.list("acme", { limit: 5 });
  assert.deepEqual(items.map(({ user, reason, ticket }) => [user, reason, ticket]), [
    ["bob", "<b>x</b>", null],
    ["alice", "so it is", null],
  ]);
  const curl = await given.post("/o-acme/u-eve/why/pkg:npm/left@1.1.0", WISH, FORM);
  assert.equal(curl.status, 201, "curl -d with JSON");
});

Deno.test("the page has a form and the text a line where something can be asked for, else neither", async () => {
  await using given = await world();
  const page = await given.get(YOUNG, HTML);
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /form-action 'self'/);
  assert.equal(page.headers.get("referrer-policy"), "same-origin");
  assert.match(await page.text(), /<form method="post" action="\?">/);
  const lines = await (await given.get(YOUNG)).text();
  assert.ok(
    lines.includes(
      "To ask for an exception: curl --data-urlencode 'reason=...' " +
        "'https://packages.example/o-acme/u-alice/why/pkg:npm/left@1.1.0'",
    ),
    lines,
  );

  for (
    const path of [
      "/o-acme/why/pkg:npm/left",
      "/o-acme/why/pkg:npm/left@1.0.0",
      "/o-acme/why/pkg:npm/left@1.2.0",
      "/o-acme/before/2020-01-01/why/pkg:npm/left@1.0.0",
    ]
  ) {
    const page = await given.get(path, HTML);
    assert.match(page.headers.get("content-security-policy") ?? "", /form-action 'none'/);
    assert.doesNotMatch(await page.text(), /<form/, path);
    assert.doesNotMatch(await (await given.get(path)).text(), /To ask.*curl/, path);
  }
  await given.post(YOUNG);
  const asked = await given.get(YOUNG, HTML);
  const html = await asked.text();
  assert.doesNotMatch(html, /<form/);
  assert.match(html, /nobody has decided yet/);
});

Deno.test("a package as a whole leads to its withheld versions, where one can ask", async () => {
  await using given = await world();
  const address = "https://packages.example/o-acme/u-alice/why/pkg:npm/left@1.";
  const lines = (await (await given.get("/o-acme/u-alice/why/pkg:npm/left")).text()).trim().split(
    "\n",
  );
  assert.equal(lines.at(-1), `To ask for an exception, see one version: ${address}1.0`);
  const html = await (await given.get("/o-acme/u-alice/why/pkg:npm/left", HTML)).text();
  const links = [...html.matchAll(/<td><a href="([^"]+)">/g)].map(([, href]) => href);
  assert.deepEqual(links, [`${address}2.0`, `${address}1.0`]);
});

Deno.test("the line for curl names the token or the user where the org asks for one", async () => {
  await using given = await world({ auth: "token" });
  const secret = await given.token("client", "alice");
  const authorization = `Bearer ${secret}`;
  const text = await (await given.get(YOUNG, { authorization })).text();
  assert.match(text, /curl -H "authorization: Bearer \$PROXY_TOKEN" --data/);
  assert.ok(!text.includes(secret));
  await given.proxy.deps.policies.replace("acme", { auth: "identify" }, { by: "test" });
  const named = { authorization: `Basic ${btoa("carol:")}` };
  assert.match(
    await (await given.get("/o-acme/why/pkg:npm/left@1.1.0", named)).text(),
    /curl -u carol: /,
  );
});

Deno.test("only a release that is withheld now, by rules that can be waived, can be asked for", async () => {
  await using given = await world();
  const cases: [string, number, RegExp][] = [
    ["pkg:npm/left@1.0.0", 409, /not withheld/],
    ["pkg:npm/left@1.2.0", 422, /blocked by an administrator: breaks us \(blocked\)/],
    ["pkg:npm/ours@1.0.0", 422, /namespace.*goes by the name/],
    ["pkg:npm/left@9.9.9", 404, /^npm has no such .*: pkg:npm\/left@9\.9\.9$/],
    ["pkg:npm/left", 400, /one release/],
    ["left", 400, /one release/],
  ];
  for (const [purl, status, says] of cases) {
    const response = await given.post(`/o-acme/u-alice/why/${purl}`);
    assert.equal(response.status, status, purl);
    assert.match((await response.json()).error, says, purl);
    const page = await given.post(`/o-acme/u-alice/why/${purl}`, WISH, { ...JSON_FORM, ...HTML });
    assert.equal(page.status, status, purl);
    assert.match(await page.text(), /Not asked/);
  }
  const before = await given.post("/o-acme/before/2026-01-01/why/pkg:npm/left@1.1.0");
  assert.equal(before.status, 409);
  await given.proxy.deps.policies.update(
    "acme",
    (document) => ({ ...document, mode: "audit" }),
    { by: "test" },
  );
  assert.equal((await given.post(YOUNG)).status, 409);
  assert.deepEqual((await given.proxy.deps.requests.list("acme", { limit: 5 })).items, []);
});

Deno.test("a reason is needed, and neither it nor the ticket may be long", async () => {
  await using given = await world();
  const wrong: [unknown, Record<string, string>, number][] = [
    [{}, JSON_FORM, 422],
    [{ reason: "" }, JSON_FORM, 422],
    [{ reason: " \n\u200b" }, JSON_FORM, 422],
    [{ reason: 1 }, JSON_FORM, 422],
    [{ reason: "x".repeat(501) }, JSON_FORM, 422],
    [{ reason: "x", ticket: "y".repeat(101) }, JSON_FORM, 422],
    [{ reason: "x", rules: ["block"] }, JSON_FORM, 422],
    [[], JSON_FORM, 422],
    ["ticket=1", FORM, 422],
    ["{", JSON_FORM, 400],
    ["reason=x", { "content-type": "text/plain" }, 415],
    [{ reason: "x".repeat(20_000) }, JSON_FORM, 413],
  ];
  for (const [body, headers, status] of wrong) {
    const response = await given.post(YOUNG, body, headers);
    assert.equal(response.status, status, `${JSON.stringify(body).slice(0, 60)}`);
    await response.body?.cancel();
  }
  const most = { reason: "x".repeat(500), ticket: "y".repeat(100) };
  assert.equal((await given.post(YOUNG, most)).status, 201);
});

Deno.test("a page of another site cannot ask", async () => {
  await using given = await world();
  const strangers: Record<string, string>[] = [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "cross-site", origin: "http://proxy.example" },
    { origin: "https://evil.example" },
    { origin: "null" },
  ];
  for (const headers of strangers) {
    const response = await given.post(YOUNG, "reason=x", { ...FORM, ...headers });
    assert.equal(response.status, 403, JSON.stringify(headers));
  }
  assert.deepEqual((await given.proxy.deps.requests.list("acme", { limit: 5 })).items, []);
  for (const origin of ["http://proxy.example", "https://packages.example"]) {
    assert.ok((await given.post(YOUNG, "reason=x", { ...FORM, origin })).ok, origin);
  }
});

Deno.test("whoever asks shows what the org's policy asks registry clients for", async () => {
  await using given = await world({ auth: "token" });
  const nobody = await given.post(YOUNG);
  assert.equal(nobody.status, 401);
  assert.match(nobody.headers.get("www-authenticate") ?? "", /^Token/);
  const secret = await given.token("client", "carol");
  const headers = { ...JSON_FORM, authorization: `Bearer ${secret}` };
  const { id } = await (await given.post("/o-acme/why/pkg:npm/left@1.1.0", WISH, headers)).json();
  const stored = await given.proxy.deps.requests.get("acme", id);
  assert.deepEqual([stored?.user, stored?.authenticated], ["carol", true]);
  const why = await (await given.get("/o-acme/why/pkg:npm/left@1.1.0", headers)).json();
  assert.equal(why.exception.request.id, id);
  assert.equal((await given.post("/o-other/why/pkg:npm/left@1.1.0", WISH, headers)).status, 403);
});

Deno.test("who asks too often is told when to come back", async () => {
  await using given = await world();
  for (let i = 0; i < 20; i++) {
    await given.proxy.deps.requests.ask({
      ...{ org: "acme", user: "alice", authenticated: false, ip: "", ecosystem: "npm" },
      ...{ package: `a${i}`, version: "1.0.0", purl: `pkg:npm/a${i}@1.0.0`, rules: ["min_age"] },
      ...{ codes: ["min_age"], message: "young", reason: "x", ticket: null, origin: null },
    });
  }
  const response = await given.post(YOUNG);
  assert.equal(response.status, 429);
  assert.equal(response.headers.get("retry-after"), "3600");
});

Deno.test("files of one version are one release, whatever way its version is written", async () => {
  await using given = await world();
  const made = await (await given.post("/o-acme/u-alice/why/pkg:pypi/Demo@1.0.0")).json();
  assert.deepEqual([made.purl, made.rules], ["pkg:pypi/demo@1.0", ["min_age"]]);
  const crate = await (await given.post("/o-acme/u-alice/why/pkg:cargo/demo@1.0.0%2Bbuild")).json();
  assert.deepEqual([crate.purl, crate.rules], ["pkg:cargo/demo@1.0.0+build", ["min_age"]]);
  for (const { id, purl } of [made, crate]) {
    await given.proxy.deps.requests.decide("acme", id, {
      ...{ decision: "approve", by: "eve", role: "editor", until: null, comment: null },
    });
    const why = await (await given.get(`/o-acme/u-alice/why/${purl}`, JSON_FORM)).json();
    for (const { verdict } of why.versions) assert.equal(verdict, "allow", purl);
    assert.equal(why.exception.ask, null);
    assert.equal(why.exception.request.status, "approved");
  }
});

Deno.test("the address that approvers are sent is never taken from a stranger's Host", async () => {
  await using given = await world({}, { settings: { publicUrl: undefined } });
  const ask = async (base: string, user: string, settings = given.proxy.deps.settings) => {
    const app = createApp({ ...given.proxy.deps, settings });
    const url = `${base}/o-acme/u-${user}/why/pkg:npm/left@1.1.0`;
    const response = await app(
      new Request(url, { method: "POST", headers: JSON_FORM, body: JSON.stringify(WISH) }),
    );
    assert.equal(response.status, 201, await response.clone().text());
    const link = (await given.news()).at(-1)?.link ?? null;
    return link === null ? null : new URL(link).origin;
  };
  assert.equal(await ask("https://evil.example", "a"), null);
  assert.equal(await ask("http://127.0.0.1:8000", "b"), "http://127.0.0.1:8000");
  const settings = { ...given.proxy.deps.settings, baseDomain: "packages.example" };
  const under = (host: string, user: string) => ask(`https://${host}`, user, settings);
  assert.equal(await under("acme.packages.example", "c"), "https://acme.packages.example");
  assert.equal(await under("npm.acme.packages.example", "d"), "https://acme.packages.example");
  assert.equal(await under("evilpackages.example", "e"), null);
});

Deno.test("an unknown org is none where orgs are closed; a failing store is said to fail", async () => {
  await using closed = await world({}, { settings: { orgs: "closed" } });
  const nobody = await closed.post("/o-nobody/why/pkg:npm/left@1.1.0");
  assert.equal(nobody.status, 404);
  assert.match(await nobody.text(), /There is no org \\"nobody\\"/);
  assert.equal((await closed.post(YOUNG)).status, 201);
  const silent = () => Promise.reject(new StoreUnavailable("Cannot read"));
  const requests = { ...closed.proxy.deps.requests, ask: silent, last: silent };
  const app = createApp({ ...closed.proxy.deps, requests });
  const at = (init: RequestInit) => app(new Request(`http://proxy.example${YOUNG}`, init));
  const asked = await at({ method: "POST", headers: JSON_FORM, body: JSON.stringify(WISH) });
  assert.equal(asked.status, 503);
  // What is remembered can still be explained.
  const why = await at({ headers: JSON_FORM });
  assert.equal(why.status, 200);
  assert.equal((await why.json()).exception.request, null);
});
