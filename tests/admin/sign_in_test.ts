import assert from "node:assert/strict";
import { CLIENT } from "./provider.ts";
import { HERE } from "./browser.ts";
import { csrfOf, inSignInWorld, OURS, sessionsOf } from "./sign_in_world.ts";

const SESSION = "__Host-session";
const ATTEMPT = "__Host-sign-in";

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

Deno.test("a provider may give the only group of somebody as a text", () =>
  inSignInWorld(async ({ signedIn, provider }) => {
    const may = async (groups: string) => {
      provider.accounts.set("carol", { email: "carol@evil.example", email_verified: true, groups });
      return (await (await signedIn("carol")).ask("/admin/v1/orgs/other/installs")).status;
    };
    assert.equal(await may("platform"), 200);
    assert.equal(await may("platform,all"), 303);
  }));

Deno.test("a provider may write null for somebody without groups", () =>
  inSignInWorld(async ({ signedIn, provider }) => {
    provider.accounts.set("dave", {
      email: "dave@acme.example",
      email_verified: true,
      groups: null,
    });
    const browser = await signedIn("dave");
    assert.equal((await browser.ask("/admin/v1/orgs/acme/installs")).status, 200);
    assert.equal((await browser.ask("/admin/v1/orgs/other/installs")).status, 403);
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
    ["with another's address but for a letter", {
      email: "x\u212a@acme.example",
      email_verified: true,
    }],
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
    assert.equal(await sessionsOf(world, "bob@acme.example"), 1);
  }));

Deno.test("several tabs sign in at once, each to its own page, in whichever order they come back", () =>
  inSignInWorld(async (world) => {
    world.provider.who = "bob";
    const browser = world.browser();
    const pages = ["/admin/v1/orgs", "/admin/v1/sessions", "/admin/"];
    const tabs: URL[] = [];
    for (const page of pages) {
      const from = `/admin/sign-in?return=${page}`;
      tabs.push((await browser.go(from, (next) => next.origin !== HERE)).url);
    }
    for (const i of [1, 0, 2]) {
      const back = await browser.go(tabs[i], (next) => next.origin === HERE);
      const { status, headers } = await browser.ask(back.url);
      assert.deepEqual([status, headers.get("location")], [303, `${HERE}${pages[i]}`]);
    }
    assert.deepEqual([...browser.jar(HERE).keys()], [SESSION]);
    assert.equal(await sessionsOf(world, "bob@acme.example"), 1);
  }));

Deno.test("attempts that nobody ends fill no cookie beyond what browsers keep", () =>
  inSignInWorld(async (world) => {
    world.provider.who = "bob";
    const browser = world.browser();
    const long = `/admin/sign-in?return=/admin/v1/orgs/${"a".repeat(1_900)}`;
    for (let i = 0; i < 6; i++) await browser.ask("/admin/sign-in");
    for (const from of ["/admin/sign-in", long, long, "/admin/sign-in"]) {
      const back = await browser.callback(from);
      assert((browser.jar(HERE).get(ATTEMPT) ?? "").length <= 4_000);
      if (from === long) continue;
      assert.equal((await browser.ask(back)).status, 303);
    }
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
    assert.equal(await sessionsOf(world, "eve@acme.example"), 0);
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
      assert.equal(await sessionsOf(world, "bob@acme.example"), 0);
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

Deno.test("a provider that does not answer is 503, and is asked again afterwards", async () => {
  const answers = [
    () => new Response("down", { status: 503 }),
    () => Response.json({ issuer: "https://other.example" }),
    () => Response.json({ issuer, authorization_endpoint: `${issuer}/authorize` }),
  ];
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
    options,
    () => answers.shift()?.() ?? new Response(null, { status: 404 }),
  );
  const issuer = `http://127.0.0.1:${server.addr.port}`;
  await inSignInWorld(async ({ browser }) => {
    for (let i = 0; i < 2; i++) {
      const { status, text } = await browser().ask("/admin/sign-in");
      assert.equal(status, 503);
      assert(!text.includes("127.0.0.1"), text);
    }
    for (let i = 0; i < 2; i++) {
      const { headers } = await browser().ask("/admin/sign-in");
      assert(headers.get("location")?.startsWith(`${issuer}/authorize?`));
    }
  }, { issuer });
  await server.shutdown();
});

Deno.test("signing in takes https, or this very machine", () =>
  inSignInWorld(async ({ browser }) => {
    const { status, text } = await browser().ask("/admin/sign-in");
    assert.equal(status, 400);
    assert.match(text, /PUBLIC_URL/);
  }, { publicUrl: null }));
