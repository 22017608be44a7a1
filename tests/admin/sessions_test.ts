import assert from "node:assert/strict";
import { openSignIn } from "../../admin/app.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { keys } from "../../policy/store/keys.ts";
import { openSessions } from "../../policy/store/sessions.ts";
import type { News } from "../../policy/store/types.ts";
import { createApp } from "../../routes/app.ts";
import { wish } from "../policy/store/exceptions_fixture.ts";
import { HERE } from "./browser.ts";
import { ALLOWED, csrfOf, inSignInWorld, oidcSettings, OURS, sessionsOf } from "./sign_in_world.ts";

const SESSION = "__Host-session";
const HOUR = 3600_000;

Deno.test("a session ends after twelve hours, and when it is revoked", () =>
  inSignInWorld(async (world) => {
    const status = async (browser: Awaited<ReturnType<typeof world.signedIn>>) =>
      (await browser.ask("/admin/v1/orgs", { headers: { accept: "application/json" } })).status;
    const browser = await world.signedIn("bob");
    world.proxy.clock.now += 12 * HOUR - 1_000;
    assert.equal(await status(browser), 200);
    world.proxy.clock.now += 1_000;
    assert.equal(await status(browser), 401);

    const [first, second] = [await world.signedIn("bob"), await world.signedIn("bob")];
    const csrf = { ...OURS, "x-csrf-token": await csrfOf(first) };
    const { items } = JSON.parse((await first.ask("/admin/v1/sessions")).text);
    assert.deepEqual(items.map(({ current }: { current: boolean }) => current), [false, true]);
    assert.equal(typeof items[1].csrf, "string");
    assert.equal(items[0].csrf, undefined);
    const other = `/admin/v1/sessions/${items[0].id}`;
    assert.equal((await first.ask(other, { method: "DELETE" })).status, 403);
    assert.equal((await first.ask(other, { method: "DELETE", headers: csrf })).status, 204);
    assert.equal((await first.ask(other, { method: "DELETE", headers: csrf })).status, 404);
    assert.deepEqual([await status(first), await status(second)], [200, 401]);
  }));

Deno.test("a session that a clock ahead has dated does not outlive twelve hours by that", () =>
  inSignInWorld(async (world) => {
    const { clock } = world.proxy;
    clock.now += 30 * 24 * HOUR;
    const browser = await world.signedIn("bob");
    clock.now -= 30 * 24 * HOUR;
    assert.match((await browser.ask("/admin/")).text, /Nobody is signed in/);
    const again = await world.signedIn("bob");
    clock.now -= 60_000;
    assert.match((await again.ask("/admin/")).text, /bob@acme/);
    const headers = { ...OURS, "x-csrf-token": await csrfOf(again) };
    assert.equal(
      (await again.ask("/admin/v1/sessions", { method: "DELETE", headers })).status,
      204,
    );
    clock.now += 30 * 24 * HOUR;
    assert.match((await browser.ask("/admin/")).text, /Nobody is signed in/);
  }));

Deno.test("an admin ends the sessions of others; nobody else does", () =>
  inSignInWorld(async (world) => {
    const [alice, bob] = [await world.signedIn("alice"), await world.signedIn("bob")];
    const root = await world.signedIn("root");
    const path = "/admin/v1/sessions?user=bob@acme.example";
    const headers = async (browser: typeof bob) => ({
      ...OURS,
      "x-csrf-token": await csrfOf(browser),
    });
    assert.equal((await alice.ask(path)).status, 403);
    assert.equal(
      (await alice.ask(path, { method: "DELETE", headers: await headers(alice) })).status,
      403,
    );
    assert.equal(await sessionsOf(world, "bob@acme.example"), 1);
    const done = await root.ask(path, { method: "DELETE", headers: await headers(root) });
    assert.equal(done.status, 204);
    assert.match((await bob.ask("/admin/")).text, /Nobody is signed in/);
    assert.match((await alice.ask("/admin/")).text, /alice@acme/);
  }));

Deno.test("a person has twenty sessions at most; the oldest ends", () =>
  inSignInWorld(async (world) => {
    const first = await world.signedIn("bob");
    for (let i = 0; i < 20; i++) await world.signedIn("bob");
    assert.equal(await sessionsOf(world, "bob@acme.example"), 20);
    assert.match((await first.ask("/admin/")).text, /Nobody is signed in/);
  }));

Deno.test("signing in again at the same browser ends the session before", () =>
  inSignInWorld(async (world) => {
    const browser = await world.signedIn("bob");
    const before = browser.jar(HERE).get(SESSION);
    await browser.go("/admin/sign-in");
    assert.notEqual(browser.jar(HERE).get(SESSION), before);
    assert.equal(await sessionsOf(world, "bob@acme.example"), 1);
  }));

for (
  const [what, headers] of [
    ["nothing", {}],
    ["the token alone", { token: true }],
    ["no token", { ...OURS }],
    ["a wrong token", { ...OURS, "x-csrf-token": "x".repeat(43) }],
    ["an empty token", { ...OURS, "x-csrf-token": "" }],
    ["another site's page", { "sec-fetch-site": "cross-site", origin: HERE, token: true }],
    ["a sister's page", { "sec-fetch-site": "same-site", origin: HERE, token: true }],
    ["a link or a bookmark", { "sec-fetch-site": "none", token: true }],
    ["another origin", { origin: "https://evil.example", token: true }],
    ["the opaque origin", { origin: "null", token: true }],
    ["our host over http", { origin: "http://proxy.example", token: true }],
    ["our host at another port", { origin: `${HERE}:8443`, token: true }],
    ["contradicting headers", { ...OURS, origin: "https://evil.example", token: true }],
  ] as const
) {
  Deno.test(`a session changes nothing with ${what} for proof`, () =>
    inSignInWorld(async ({ signedIn, proxy }) => {
      const browser = await signedIn("alice");
      const csrf = await csrfOf(browser);
      const { token, ...rest } = { token: false, ...headers };
      const sent = token ? { ...rest, "x-csrf-token": csrf } : rest;
      const init = { method: "PUT", body: "{}", headers: { ...sent, accept: "application/json" } };
      const { status } = await browser.ask("/admin/v1/orgs/acme/policy", init);
      assert.equal(status, 403);
      assert.equal(await proxy.deps.policies.read("acme"), null);
      const body = new URLSearchParams(token ? { csrf } : {});
      const out = await browser.ask("/admin/sign-out", { method: "POST", body, headers: rest });
      assert.equal(out.status, 403);
      assert.match((await browser.ask("/admin/")).text, /alice@acme/);
    }));
}

Deno.test("another site cannot sign anybody out, though its request comes without the cookie", () =>
  inSignInWorld(async ({ browser }) => {
    const post = (headers: Record<string, string>) =>
      browser().ask("/admin/sign-out", { method: "POST", body: new URLSearchParams(), headers });
    const foreign: Record<string, string>[] = [
      { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
      { "sec-fetch-site": "same-site" },
      {},
    ];
    for (const headers of foreign) {
      const { status, headers: answered } = await post(headers);
      assert.equal(status, 403);
      assert(!answered.getSetCookie().some((line) => line.startsWith(`${SESSION}=`)));
    }
    // A page that was left open longer than its session.
    assert.equal((await post(OURS)).status, 303);
  }));

Deno.test("either header will do for proof of the origin", () =>
  inSignInWorld(async ({ signedIn }) => {
    const browser = await signedIn("alice");
    const csrf = { "x-csrf-token": await csrfOf(browser) };
    const proofs: Record<string, string>[] = [{ origin: HERE }, {
      "sec-fetch-site": "same-origin",
    }];
    for (const from of proofs) {
      const init = { method: "PUT", body: "{}", headers: { ...csrf, ...from } };
      assert((await browser.ask("/admin/v1/orgs/acme/policy", init)).status < 300);
    }
  }));

Deno.test("reading needs no proof, and changes nothing", () =>
  inSignInWorld(async ({ signedIn, proxy }) => {
    const browser = await signedIn("alice");
    const before = await Array.fromAsync(proxy.kv.list({ prefix: [] }));
    for (
      const path of ["/admin/", "/admin/v1/orgs", "/admin/v1/orgs/acme/policy", "/admin/sign-in"]
    ) {
      const { status } = await browser.ask(path, { headers: { "sec-fetch-site": "cross-site" } });
      assert(status < 400, path);
    }
    assert.equal((await browser.ask("/admin/sign-out")).status, 404);
    const after = await Array.fromAsync(proxy.kv.list({ prefix: [] }));
    assert.deepEqual(
      after.map(({ versionstamp }) => versionstamp),
      before.map(({ versionstamp }) => versionstamp),
    );
  }));

Deno.test("a token goes before a session, and needs no proof", () =>
  inSignInWorld(async ({ signedIn, proxy }) => {
    const browser = await signedIn("alice");
    const put = (authorization: string) =>
      browser.ask("/admin/v1/orgs/acme/policy", {
        method: "PUT",
        body: "{}",
        headers: { authorization, accept: "application/json" },
      });
    assert.equal((await put("Bearer pp_wrong")).status, 401);
    assert.equal((await put(`Bearer ${proxy.rootToken}`)).status, 201);
  }));

Deno.test("a session opens no registry", () =>
  inSignInWorld(async ({ signedIn, proxy }) => {
    await proxy.deps.policies.replace("acme", { auth: "token" }, { by: "test" });
    assert.equal((await (await signedIn("alice")).ask("/o-acme/npm/left")).status, 401);
  }));

Deno.test("programs without a token get 401, and browsers a way to sign in", () =>
  inSignInWorld(async ({ browser }) => {
    const path = "/admin/v1/orgs/acme/installs?user=a%2Fb";
    const { status } = await browser().ask(path, { headers: { accept: "*/*" } });
    assert.equal(status, 401);
    const sent = await browser().ask(path);
    assert.equal(sent.status, 303);
    const to = new URL(sent.headers.get("location") ?? "");
    assert.equal(`${to.origin}${to.pathname}`, `${HERE}/admin/sign-in`);
    assert.equal(to.searchParams.get("return"), path);
    const posted = await browser().ask(path, { method: "POST" });
    assert(posted.status >= 400);
  }));

Deno.test("other settings end all sessions", () =>
  inSignInWorld(async ({ signedIn, proxy, provider }) => {
    const browser = await signedIn("bob");
    const cookie = `${SESSION}=${browser.jar(HERE).get(SESSION)}`;
    const under = async (allowed: string) => {
      const settings = oidcSettings(provider.issuer, allowed);
      assert(settings !== null);
      const now = () => proxy.clock.now;
      const options = { settings, issuerAllow: [], now, journal: openJournal({ now }) };
      return await openSignIn(proxy.kv, options)
        .sessionOf(new Request(HERE, { headers: { cookie } }));
    };
    assert.equal((await under(ALLOWED))?.user, "bob@acme.example");
    assert.equal(await under(ALLOWED.replace("@acme.example=acme:viewer, ", "")), null);
  }));

Deno.test("a session that was revoked while other settings held does not come back with its own", () =>
  inSignInWorld(async ({ signedIn, proxy, provider }) => {
    const browser = await signedIn("bob");
    const settings = oidcSettings(provider.issuer, "@acme.example=acme:viewer");
    assert(settings !== null);
    const now = () => proxy.clock.now;
    const options = { settings, issuerAllow: [], now, journal: openJournal({ now }) };
    const { sessions } = openSignIn(proxy.kv, options);
    assert.deepEqual(await sessions.list("bob@acme.example"), []);
    await sessions.removeAll("bob@acme.example", { by: "root" });
    assert.match((await browser.ask("/admin/")).text, /Nobody is signed in/);
  }));

Deno.test("the API describes the sessions where there are some", () =>
  inSignInWorld(async ({ proxy }) => {
    const description = await (await proxy.fetch("/admin/openapi.json")).json();
    assert.equal(description.components.securitySchemes.session.name, SESSION);
    assert.deepEqual(description.security, [{ token: [] }, { session: [] }]);
    assert(description.paths["/admin/v1/sessions"].get);
  }));

Deno.test("an approver's link leads through signing in, and their session decides", () =>
  inSignInWorld(async ({ browser, proxy, provider }) => {
    const { now } = proxy.clock;
    const { request: { id } } = await proxy.deps.requests.ask(wish({ origin: HERE }));
    const news = await Array.fromAsync(proxy.kv.list<News>({ prefix: keys.allNews() }));
    const link = new URL(news.findLast(({ value }) => value.link !== null)?.value.link ?? "");
    const here = link.pathname + link.search;
    const mine = browser();
    const page = await mine.ask(here);
    assert.equal(page.status, 200);
    const signIn = /href="([^"]+sign-in[^"]+)"/.exec(page.text)?.[1].replaceAll("&amp;", "&") ?? "";
    provider.who = "alice";
    const arrived = await mine.go(signIn);
    assert.equal(arrived.url.pathname + arrived.url.search, here);
    assert.match(arrived.text, /signed in as alice@acme\.example/);
    assert(!arrived.text.includes('name="token"'));

    const decide = (fields: Record<string, string>, headers: Record<string, string> = OURS) => {
      const body = new URLSearchParams({ decision: "approve", days: "2", ...fields });
      return mine.ask(here, { method: "POST", headers, body });
    };
    const csrf = /name="csrf" value="([\w-]+)"/.exec(arrived.text)?.[1] ?? "";
    assert.equal((await decide({})).status, 403);
    assert.equal((await decide({ csrf }, { "sec-fetch-site": "cross-site" })).status, 403);
    assert.equal((await proxy.deps.requests.get("acme", id))?.status, "open");
    assert.equal((await decide({ csrf })).status, 200);
    const decided = (await proxy.deps.requests.get("acme", id))?.decided;
    assert.equal(decided?.by, "alice@acme.example");
    assert.equal(decided?.until, new Date(now + 48 * HOUR).toISOString());
  }));

Deno.test("a viewer's session decides on nothing", () =>
  inSignInWorld(async ({ signedIn, proxy }) => {
    const { request: { id } } = await proxy.deps.requests.ask(wish({ origin: HERE }));
    const bob = await signedIn("bob");
    const { status } = await bob.ask(`/admin/v1/orgs/acme/requests/${id}/decide`, {
      method: "POST",
      headers: { ...OURS, "x-csrf-token": await csrfOf(bob) },
      body: JSON.stringify({ decision: "approve" }),
    });
    assert.equal(status, 403);
    assert.equal((await proxy.deps.requests.get("acme", id))?.status, "open");
  }));

Deno.test("an org's audit log says nothing of somebody's roles in other orgs", () =>
  inSignInWorld(async (world) => {
    await world.signedIn("alice");
    const bob = await world.signedIn("bob");
    const { text } = await bob.ask("/admin/v1/orgs/beta/audit?action=session.opened");
    const grants = [{ org: "beta", role: "viewer" }];
    assert.deepEqual(JSON.parse(text).items.map(({ after }: { after: unknown }) => after), [
      { user: "bob@acme.example", grants },
      { user: "alice@acme.example", grants },
    ]);
  }));

Deno.test("whoever has a role in hundreds of orgs signs in, too", async () => {
  const kv = await Deno.openKv(":memory:");
  const now = () => Date.now();
  const sessions = openSessions(kv, { now, journal: openJournal({ now }), rules: "" });
  const user = "alice@acme.example";
  const grants = Array.from(
    { length: 500 },
    (_, i) => ({ org: `team-${i}`, role: "editor" as const }),
  );
  assert.notEqual(await sessions.open({ user, grants, attempt: "one" }), null);
  assert.equal((await sessions.list(user)).length, 1);
  await sessions.removeAll(user, { by: user });
  assert.deepEqual(await sessions.list(user), []);
  kv.close();
});

Deno.test("who guesses tokens at the same address stops no session, and no token that is known", () =>
  inSignInWorld(async ({ proxy, signedIn }) => {
    const browser = await signedIn("alice");
    const csrf = await csrfOf(browser);
    const made = { org: "acme", user: "ed", role: "editor", expires: null, by: "test" } as const;
    const { secret } = await proxy.deps.tokens.create(made);
    await proxy.deps.tokens.find(secret);
    const app = createApp(proxy.deps);
    const remoteAddr = { transport: "tcp", hostname: "198.51.100.7", port: 1 } as const;
    const ask = async (path: string, init: RequestInit) =>
      (await app(new Request(`${HERE}/admin/${path}`, init), { remoteAddr })).status;
    const cookie = `${SESSION}=${browser.jar(HERE).get(SESSION)}`;
    const post = (path: string, fields: Record<string, string>, headers = {}) =>
      ask(path, {
        method: "POST",
        headers: { ...OURS, ...headers },
        body: new URLSearchParams(fields),
      });
    const request = "v1/orgs/acme/requests/none/decide";
    for (let i = 0; i < 60; i++) await post(request, { token: `pp_guess${i}` });
    assert.equal(await post(request, { token: "pp_guess" }, { cookie }), 429);
    assert.equal(await post(request, { token: secret, decision: "deny" }), 404);
    const json = { ...OURS, cookie, "x-csrf-token": csrf, "content-type": "application/json" };
    const body = JSON.stringify({ user: "ci", role: "client" });
    assert.equal(await ask("v1/orgs/acme/tokens", { method: "POST", headers: json, body }), 201);
    assert.equal(await post(request, { csrf, decision: "deny" }, { cookie }), 404);
    assert.equal(await post("sign-out", { csrf }, { cookie }), 303);
  }));
