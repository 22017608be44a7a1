import assert from "node:assert/strict";
import { CLIENT } from "./provider.ts";
import { HERE } from "./browser.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { openSignIn } from "../../admin/app.ts";
import {
  ALLOWED,
  csrfOf,
  inSignInWorld,
  oidcSettings,
  OURS,
  type SignInWorld,
} from "./sign_in_world.ts";

const SESSION = "__Host-session";
const ATTEMPT = "__Host-sign-in";
const HOUR = 3600_000;

async function sessions({ proxy }: SignInWorld, user: string): Promise<number> {
  const query = new URLSearchParams({ user });
  const response = await proxy.fetch(`/admin/v1/sessions?${query}`, {
    headers: { authorization: `Bearer ${proxy.rootToken}` },
  });
  return (await response.json()).items.length;
}

Deno.test("somebody signs in, comes to the page they wanted, uses the API and signs out", () =>
  inSignInWorld(async (world) => {
    const browser = world.browser();
    world.provider.who = "alice";
    const arrived = await browser.go("/admin/v1/orgs/acme/policy?x");
    assert.equal(arrived.url.href, `${HERE}/admin/v1/orgs/acme/policy?x`);
    assert.equal(arrived.status, 200);
    assert(!arrived.url.href.includes("code="));

    const cookie = browser.set.find((line) => line.startsWith(`${SESSION}=`)) ?? "";
    const attributes = cookie.split("; ").slice(1).sort();
    assert.deepEqual(attributes, ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Lax", "Secure"]);
    assert.deepEqual([...browser.jar(HERE).keys()], [SESSION]);

    const { text, headers } = await browser.ask("/admin/");
    assert.match(text, /alice@acme\.example/);
    assert.match(text, /<td>acme<\/td>\s*<td>editor<\/td>/);
    assert.match(text, /<td>beta<\/td>\s*<td>viewer<\/td>/);
    assert.match(headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);

    const secret = browser.jar(HERE).get(SESSION) ?? "";
    const out = await browser.ask("/admin/sign-out", {
      method: "POST",
      headers: OURS,
      body: new URLSearchParams({ csrf: await csrfOf(browser) }),
    });
    assert.deepEqual([out.status, out.headers.get("location")], [303, `${HERE}/admin/`]);
    assert.equal(browser.jar(HERE).size, 0);
    assert.match((await browser.go("/admin/")).text, /Nobody is signed in/);
    browser.jar(HERE).set(SESSION, secret);
    assert.match((await browser.go("/admin/")).text, /Nobody is signed in/);
  }));

Deno.test("the database holds no session's secret, and the audit log who came and went", () =>
  inSignInWorld(async (world) => {
    const browser = await world.signedIn("alice");
    const secret = browser.jar(HERE).get(SESSION) ?? "";
    assert.match(secret, /^[\w-]{43}$/);
    for await (const { key, value } of world.proxy.kv.list({ prefix: [] })) {
      assert(!JSON.stringify([key, value]).includes(secret));
    }
    await browser.ask("/admin/sign-out", {
      method: "POST",
      headers: OURS,
      body: new URLSearchParams({ csrf: await csrfOf(browser) }),
    });
    const root = await world.signedIn("root");
    const audit = async (org: string, by: string) => {
      const { text } = await root.ask(`/admin/v1/orgs/${org}/audit?by=${by}@acme.example`);
      return JSON.parse(text).items.map(({ action }: { action: string }) => action);
    };
    assert.deepEqual(await audit("acme", "alice"), ["session.ended", "session.opened"]);
    assert.deepEqual(await audit("beta", "alice"), ["session.ended", "session.opened"]);
    assert.deepEqual(await audit("default", "alice"), []);
    assert.deepEqual(await audit("default", "root"), ["session.opened"]);
  }));

Deno.test("roles come from addresses, domains and groups, the most of them", () =>
  inSignInWorld(async ({ signedIn }) => {
    const can = async (who: string) => {
      const browser = await signedIn(who);
      const csrf = await csrfOf(browser);
      const put = async (org: string) => {
        const { status } = await browser.ask(`/admin/v1/orgs/${org}/policy`, {
          method: "PUT",
          body: "{}",
          headers: { ...OURS, "x-csrf-token": csrf, "content-type": "application/json" },
        });
        return status;
      };
      const get = async (org: string) =>
        (await browser.ask(`/admin/v1/orgs/${org}/installs`)).status;
      return [
        await get("acme"),
        await put("acme"),
        await get("beta"),
        await put("beta"),
        await get("other"),
      ];
    };
    assert.deepEqual(await can("alice"), [200, 201, 200, 403, 403]);
    assert.deepEqual(await can("bob"), [200, 403, 200, 403, 403]);
    assert.deepEqual(await can("root"), [200, 200, 200, 201, 200]);
  }));

Deno.test("what a session changes is audited under its person's address", () =>
  inSignInWorld(async ({ signedIn, proxy }) => {
    const browser = await signedIn("alice");
    const headers = { ...OURS, "x-csrf-token": await csrfOf(browser) };
    const made = await browser.ask("/admin/v1/orgs/acme/tokens", {
      method: "POST",
      headers,
      body: JSON.stringify({ user: "ci", role: "client" }),
    });
    assert.equal(made.status, 201);
    assert.equal(
      (await proxy.deps.tokens.list("acme", { limit: 1 })).items[0].by,
      "alice@acme.example",
    );
    const { status } = await browser.ask("/admin/v1/orgs/acme/tokens", {
      method: "POST",
      headers,
      body: JSON.stringify({ user: "boss", role: "admin" }),
    });
    assert.equal(status, 403);
  }));

for (
  const [what, account] of [
    ["whose address is not verified", { email: "x@acme.example", email_verified: false }],
    ["whose provider does not say that the address is", { email: "x@acme.example" }],
    ["without an address", { groups: ["platform"] }],
    ["with an address that is none", { email: "x @acme.example", email_verified: true }],
    ["with a look-alike domain", { email: "x@аcme.example", email_verified: true }],
    ["of a domain below", { email: "x@sub.acme.example", email_verified: true }],
    ["of a domain that ends alike", { email: "x@evilacme.example", email_verified: true }],
    ["with two at signs", { email: "x@evil.example@acme.example", email_verified: true }],
    ["of a group with another name", {
      email: "x@evil.example",
      email_verified: true,
      groups: ["platform-guests", "Platform"],
    }],
  ] as const
) {
  Deno.test(`nobody ${what} comes in`, () =>
    inSignInWorld(async ({ browser, provider, proxy }) => {
      provider.accounts.set("x", account);
      provider.who = "x";
      const mine = browser();
      const { status, text } = await mine.go("/admin/sign-in");
      assert.equal(status, 403, text);
      assert.equal(mine.jar(HERE).size, 0);
      const kept = await Array.fromAsync(proxy.kv.list({ prefix: ["session"] }));
      assert.deepEqual(kept, []);
    }));
}

Deno.test("the way back works once: a replayed code begins no second session", () =>
  inSignInWorld(async (world) => {
    world.provider.who = "bob";
    const browser = world.browser();
    const back = await browser.callback();
    const attempt = browser.jar(HERE).get(ATTEMPT) ?? "";
    assert.equal((await browser.ask(back)).status, 303);
    for (const mine of [browser, world.browser()]) {
      mine.jar(HERE).set(ATTEMPT, attempt);
      mine.jar(HERE).delete(SESSION);
      const { status } = await mine.ask(back);
      assert.equal(status, 403);
      assert.equal(mine.jar(HERE).size, 0);
    }
    // Nor where the provider would take it again.
    assert.equal(await sessions(world, "bob@acme.example"), 1);
  }));

Deno.test("the way back belongs to the browser that left", () =>
  inSignInWorld(async (world) => {
    world.provider.who = "eve";
    world.provider.accounts.set("eve", { email: "eve@acme.example", email_verified: true });
    const eve = world.browser();
    const back = await eve.callback();
    world.provider.who = "bob";
    const bob = world.browser();
    assert.equal((await bob.ask(back)).status, 403);
    await bob.callback();
    assert.equal((await bob.ask(back)).status, 403);
    assert.equal(bob.jar(HERE).size, 0);
    assert.equal(await sessions(world, "eve@acme.example"), 0);
    // The one whose it is has not lost it.
    assert.equal((await eve.ask(back)).status, 303);
  }));

for (
  const [what, change] of [
    ["another state", (url: URL) => url.searchParams.set("state", "x".repeat(43))],
    ["no state", (url: URL) => url.searchParams.delete("state")],
    ["two states", (url: URL) => url.searchParams.append("state", "x")],
    ["another code", (url: URL) => url.searchParams.set("code", "x".repeat(43))],
    ["no code", (url: URL) => url.searchParams.delete("code")],
    ["another issuer", (url: URL) => url.searchParams.set("iss", "https://evil.example")],
    ["an error", (url: URL) => url.searchParams.set("error", "<b>access_denied</b>")],
  ] as const
) {
  Deno.test(`a way back with ${what} is refused, and says nothing of it`, () =>
    inSignInWorld(async (world) => {
      world.provider.who = "bob";
      const browser = world.browser();
      const back = await browser.callback();
      change(back);
      const { status, text } = await browser.ask(back);
      assert.equal(status, 403);
      assert(!text.includes("<b>") && !text.includes("evil"));
      assert.equal(browser.jar(HERE).size, 0);
    }));
}

for (
  const [what, change] of [
    ["a nonce of somebody else's", (url: URL) => url.searchParams.set("nonce", "mine")],
    ["no nonce", (url: URL) => url.searchParams.delete("nonce")],
    [
      "a PKCE challenge of somebody else's",
      (url: URL) => url.searchParams.set("code_challenge", "x".repeat(43)),
    ],
  ] as const
) {
  Deno.test(`an attempt that went out with ${what} is refused`, () =>
    inSignInWorld(async (world) => {
      world.provider.who = "bob";
      const browser = world.browser();
      const back = await browser.callback("/admin/sign-in", change);
      assert.equal((await browser.ask(back)).status, 403);
      assert.equal(await sessions(world, "bob@acme.example"), 0);
    }));
}

Deno.test("an attempt's cookie cannot be made or changed, and holds for ten minutes", () =>
  inSignInWorld(async (world) => {
    world.provider.who = "bob";
    const browser = world.browser();
    const back = await browser.callback();
    const good = browser.jar(HERE).get(ATTEMPT) ?? "";
    const flipped = good.slice(0, 40) + (good[40] === "A" ? "B" : "A") + good.slice(41);
    for (const bad of [flipped, "x", "AAAA", btoa('{"state":"x"}'), `${good}; ${ATTEMPT}=x`]) {
      browser.jar(HERE).set(ATTEMPT, bad);
      assert.equal((await browser.ask(back)).status, 403, bad.slice(0, 20));
    }
    browser.jar(HERE).set(ATTEMPT, good);
    world.proxy.clock.now += 10 * 60_000;
    assert.equal((await browser.ask(back)).status, 403);
    assert(!good.includes(CLIENT.secret));
  }));

for (
  const to of [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/admin//evil.example",
    "/admin/\\evil.example",
    "/admin/%2f%2fevil.example",
    "/admin/%5cevil.example",
    "/admin/..//evil.example",
    "/admin/../npm/left",
    "/admin/%2e%2e/npm/left",
    "/admin/.%2E/npm/left",
    "/admin/%252e%252e/npm/left",
    "/admin/\t/x",
    "/admin/%0d%0aSet-Cookie:a=b",
    "/admin/a\r\nSet-Cookie: a=b",
    "/admin/sign-out",
    "/admin/sign-in?return=/admin/",
    "/admin@evil.example/",
    "/npm/left",
    "admin/",
    "javascript:alert(1)",
    "/admin/ü",
    "/admin/#x",
    `/admin/${"x".repeat(2_000)}`,
    "",
  ]
) {
  Deno.test(`nobody is sent to ${JSON.stringify(to.slice(0, 40))} after signing in`, () =>
    inSignInWorld(async ({ browser }) => {
      const query = new URLSearchParams({ return: to });
      const { status, headers } = await browser().ask(`/admin/sign-in?${query}`);
      assert.equal(status, 400);
      assert.equal(headers.get("location"), null);
    }));
}

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
    assert.equal(await sessions(world, "bob@acme.example"), 1);
    const done = await root.ask(path, { method: "DELETE", headers: await headers(root) });
    assert.equal(done.status, 204);
    assert.match((await bob.ask("/admin/")).text, /Nobody is signed in/);
    assert.match((await alice.ask("/admin/")).text, /alice@acme/);
  }));

Deno.test("a person has twenty sessions at most; the oldest ends", () =>
  inSignInWorld(async (world) => {
    const first = await world.signedIn("bob");
    for (let i = 0; i < 20; i++) await world.signedIn("bob");
    assert.equal(await sessions(world, "bob@acme.example"), 20);
    assert.match((await first.ask("/admin/")).text, /Nobody is signed in/);
  }));

Deno.test("signing in again at the same browser ends the session before", () =>
  inSignInWorld(async (world) => {
    const browser = await world.signedIn("bob");
    const before = browser.jar(HERE).get(SESSION);
    await browser.go("/admin/sign-in");
    assert.notEqual(browser.jar(HERE).get(SESSION), before);
    assert.equal(await sessions(world, "bob@acme.example"), 1);
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

Deno.test("a provider that does not answer is 503, and is asked again afterwards", () =>
  inSignInWorld(async ({ browser, provider }) => {
    provider.who = "bob";
    provider.down = true;
    const { status, text } = await browser().go("/admin/sign-in");
    assert.equal(status, 503);
    assert(!text.includes("127.0.0.1"), text);
    provider.down = false;
    const mine = browser();
    const back = await mine.callback();
    provider.down = true;
    assert.equal((await mine.ask(back)).status, 403);
    provider.down = false;
    assert.equal((await mine.go("/admin/sign-in")).status, 200);
  }));

Deno.test("signing in takes https, or this very machine", () =>
  inSignInWorld(async ({ browser }) => {
    const { status, text } = await browser().ask("/admin/sign-in");
    assert.equal(status, 400);
    assert.match(text, /PUBLIC_URL/);
  }, { publicUrl: null }));

Deno.test("the API describes the sessions where there are some", () =>
  inSignInWorld(async ({ proxy }) => {
    const description = await (await proxy.fetch("/admin/openapi.json")).json();
    assert.equal(description.components.securitySchemes.session.name, SESSION);
    assert.deepEqual(description.security, [{ token: [] }, { session: [] }]);
    assert(description.paths["/admin/v1/sessions"].get);
  }));
