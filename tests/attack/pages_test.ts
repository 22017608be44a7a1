/** What a person at a browser sees, and what other sites can make that browser send. */
import assert from "node:assert/strict";
import { csrfOf, inSignInWorld, OURS } from "../admin/sign_in_world.ts";
import { HERE } from "../admin/browser.ts";
import { DAY, testProxy } from "../proxy.ts";
import { serveRegistry } from "../registry/server.ts";
import { attackWorld, linkOf, textOf } from "./world.ts";

const MARKS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  `"><svg onload=alert(1)>`,
  `' autofocus onfocus=alert(1) x='`,
  "</title></style></textarea><script>alert(1)</script>",
  "<!--<script>",
  "javascript:alert(1)",
  "{{constructor.constructor('alert(1)')()}}",
];
const HTML = { accept: "text/html,application/xhtml+xml" };

/** No tag or attribute but those the page itself has, no script, and a policy that would stop one. */
function soundPage(headers: Headers, text: string, what: string): void {
  assert.match(headers.get("content-type") ?? "", /^text\/html; charset=utf-8$/, what);
  const policy = headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/, what);
  assert.match(policy, /frame-ancestors 'none'/, what);
  assert.match(policy, /base-uri 'none'/, what);
  assert.match(policy, /form-action '(?:none|self)'/, what);
  assert.ok(!/script-src|unsafe-eval|\*|https?:/.test(policy), `${what} ${policy}`);
  assert.equal(headers.get("x-content-type-options"), "nosniff", what);
  assert.ok(headers.has("referrer-policy"), what);
  assert.equal(headers.get("cache-control"), "no-store", what);
  const body = text.slice(text.indexOf("<!doctype"));
  assert.ok(body.length > 0, what);
  for (const [tag] of body.matchAll(/<[^>]*>/g)) {
    assert.ok(
      !/^<\/?(?:script|img|svg|iframe|object|embed|base|link)\b/i.test(tag),
      `${what} ${tag}`,
    );
    assert.ok(!/=\s*["']?\s*(?:javascript|data):/i.test(tag), `${what} ${tag}`);
    // What stands between quotes is a value, whatever it looks like.
    assert.ok(!/\son\w+|autofocus/i.test(tag.replaceAll(/"[^"]*"/g, "")), `${what} ${tag}`);
  }
  assert.equal(body.match(/<\/title>/g)?.length, 1, what);
  assert.equal(body.match(/<\/style>/g)?.length, 1, what);
}

Deno.test("/why shows metadata, reasons and addresses as text", async () => {
  const young = new Date(Date.now() - DAY).toISOString();
  await using server = serveRegistry((request, path) => {
    if (path !== "/left") return null;
    const base = new URL("/", request.url).href;
    const manifest = (version: string) => ({
      name: "left",
      version,
      deprecated: version,
      license: version,
      dist: { tarball: `${base}left/-/${encodeURIComponent(version)}.tgz`, shasum: "0".repeat(40) },
    });
    const versions = Object.fromEntries(MARKS.map((mark) => [mark, manifest(mark)]));
    const time = Object.fromEntries(MARKS.map((mark) => [mark, young]));
    const document = { name: "left", "dist-tags": { latest: MARKS[0] }, versions, time };
    return { body: JSON.stringify(document), type: "application/json" };
  });
  const block = { entries: [{ purl: "pkg:npm/left", reason: MARKS.join(" ") }] };
  await using proxy = await testProxy({
    upstreams: { npm: server.url },
    policies: {
      acme: {
        rules: { deprecated: { level: "deny" }, license: { level: "deny", allow: ["MIT"] } },
      },
      beta: { rules: { block } },
    },
  });
  for (const org of ["acme", "beta"]) {
    for (const path of ["", ...MARKS.map((mark) => `@${encodeURIComponent(mark)}`)]) {
      const address = `/o-${org}/u-eve/why/pkg:npm/left${path}`;
      const response = await proxy.fetch(address, { headers: HTML });
      soundPage(response.headers, await response.text(), address);
    }
  }
});

Deno.test("an address, a form field and a failure are shown as text, or not at all", async () => {
  await using it = await attackWorld();
  for (const mark of MARKS) {
    const encoded = encodeURIComponent(mark);
    for (
      const path of [
        `/setup?${encoded}`,
        `/o-acme/u-eve/setup?x=${encoded}`,
        `/o-${encoded}/setup`,
        `/o-acme/u-${encoded}/setup`,
        `/before/${encoded}/npm/left`,
        `/why/${encoded}`,
        `/why/pkg:npm/${encoded}`,
        `/why/pkg:npm/left@${encoded}`,
        `/why/pkg:npm/left@1.1.0?withheld=${encoded}`,
        `/npm/${encoded}`,
        `/npm/left/${encoded}`,
        `/pypi/simple/${encoded}/`,
        `/cargo/crates/${encoded}/1.0.0/download`,
        `/admin/${encoded}`,
        `/admin/?${encoded}`,
        `/admin/sign-in?return=${encoded}`,
        `/admin/v1/orgs/${encoded}/policy`,
        `/admin/v1/orgs/acme/requests/${encoded}/decide?expires=${encoded}&signature=${encoded}`,
      ]
    ) {
      const response = await it.proxy.fetch(path, { headers: HTML });
      const text = await textOf(response);
      if (response.headers.get("content-type")?.startsWith("text/html")) {
        soundPage(response.headers, text, path);
      } else {
        assert.match(
          response.headers.get("content-type") ?? "",
          /^(?:text\/plain|application\/)/,
          path,
        );
        assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
      }
    }
  }
});

Deno.test("a developer's words are text on their page, on the approver's and after the decision", async () => {
  await using it = await attackWorld({ settings: { publicUrl: "http://proxy.example" } });
  const { proxy } = it;
  for (const [i, mark] of MARKS.entries()) {
    const path = `/o-acme/u-eve${i}/why/pkg:npm/left@1.1.0`;
    const body = new URLSearchParams({ reason: mark, ticket: mark });
    const asked = await proxy.fetch(path, { method: "POST", headers: HTML, body });
    assert.equal(asked.status, 201);
    soundPage(asked.headers, await asked.text(), mark);
    const again = await proxy.fetch(path, { headers: HTML });
    soundPage(again.headers, await again.text(), mark);
    const broken = await proxy.fetch(path, {
      method: "POST",
      headers: HTML,
      body: new URLSearchParams({ reason: mark.repeat(60), ticket: mark }),
    });
    assert.equal(broken.status, 422);
    soundPage(broken.headers, await broken.text(), mark);
  }
  const { items } = await proxy.deps.requests.list("acme", { limit: 100, status: "open" });
  assert.equal(items.length, MARKS.length);
  for (const { id, reason } of items) {
    const decide = `/admin/v1/orgs/acme/requests/${id}/decide`;
    const link = await linkOf(proxy, id);
    const shown = await proxy.fetch(link, { headers: HTML });
    const page = await shown.text();
    assert.equal(shown.status, 200, page);
    soundPage(shown.headers, page, reason);
    const form = (fields: Record<string, string>, to = link) =>
      proxy.fetch(to, { method: "POST", headers: HTML, body: new URLSearchParams(fields) });
    const refused = await form({ decision: reason, comment: reason, token: it.strangers.editor });
    assert.equal(refused.status, 422);
    soundPage(refused.headers, await refused.text(), reason);
    const forged = await form(
      { decision: "deny", token: it.strangers.editor },
      `${decide}?signature=x`,
    );
    assert.equal(forged.status, 403);
    soundPage(forged.headers, await forged.text(), reason);
    const decided = await form({ decision: "deny", comment: reason, token: it.strangers.editor });
    assert.equal(decided.status, 200);
    soundPage(decided.headers, await decided.text(), reason);
  }
});

Deno.test("a page of another site cannot ask in somebody's name, with a token or without", async () => {
  await using it = await attackWorld();
  const { client } = it.strangers;
  for (
    const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "http://proxy.example.evil.example" },
      { origin: "https://proxy.example" },
      { origin: "http://proxy.example:8080" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "none" },
      { "sec-fetch-site": "cross-site", origin: "http://proxy.example" },
    ]
  ) {
    for (const authorization of ["", `Basic ${btoa(`token:${client}`)}`]) {
      const sent = new Headers({ ...HTML, ...(authorization && { authorization }) });
      for (const [name, value] of Object.entries(headers)) sent.set(name, value);
      const response = await it.proxy.fetch("/o-acme/why/pkg:npm/left@1.1.0", {
        method: "POST",
        headers: sent,
        body: new URLSearchParams({ reason: "x" }),
      });
      assert.equal(response.status, 403, JSON.stringify(headers));
      await response.text();
    }
  }
  assert.deepEqual((await it.proxy.deps.requests.list("acme", { limit: 10 })).items, []);
});

Deno.test("no answer lets a page of another site read it", async () => {
  await using it = await attackWorld();
  for (
    const path of [
      "/npm/left",
      "/setup",
      "/why/pkg:npm/left",
      "/health",
      "/admin/v1/orgs",
      "/admin/",
    ]
  ) {
    for (const method of ["GET", "OPTIONS", "POST"]) {
      const response = await it.proxy.fetch(path, {
        method,
        headers: {
          origin: "https://evil.example",
          "access-control-request-method": "PUT",
          "access-control-request-headers": "authorization",
          "access-control-request-private-network": "true",
        },
      });
      await response.text();
      for (const [name] of response.headers) assert.doesNotMatch(name, /^access-control-/, path);
    }
  }
});

Deno.test("with an administrator's cookie alone no route that changes something does", async (t) => {
  await inSignInWorld(async (world) => {
    const mine = await world.signedIn("root");
    const { text } = await mine.ask("/admin/openapi.json");
    const paths: Record<string, Record<string, unknown>> = JSON.parse(text).paths;
    const csrf = await csrfOf(mine);
    const forgeries: [what: string, headers: Record<string, string>][] = [
      ["nothing", {}],
      ["our origin without the proof", OURS],
      ["the proof from elsewhere", { origin: "https://evil.example", "x-csrf-token": csrf }],
      ["the proof across sites", { "sec-fetch-site": "cross-site", "x-csrf-token": csrf }],
      ["the proof from a sister", { "sec-fetch-site": "same-site", "x-csrf-token": csrf }],
      ["an opaque origin", { origin: "null", "x-csrf-token": csrf }],
      ["an origin that begins like ours", { origin: `${HERE}.evil.example`, "x-csrf-token": csrf }],
      ["another proof", { ...OURS, "x-csrf-token": "x".repeat(43) }],
      ["an empty proof", { ...OURS, "x-csrf-token": "" }],
    ];
    let tried = 0;
    for (const [path, methods] of Object.entries(paths)) {
      const address = path.replace("{org}", "acme").replace("{id}", "01M83SAV0BNJ3WJ3PTZTDASK74");
      for (const method of Object.keys(methods)) {
        if (!["post", "put", "patch", "delete"].includes(method)) continue;
        await t.step(`${method} ${path}`, async () => {
          for (const [what, headers] of forgeries) {
            for (
              const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]
            ) {
              const response = await mine.proxy.fetch(address, {
                method: method.toUpperCase(),
                headers: {
                  ...headers,
                  "content-type": type,
                  cookie: [...mine.jar(HERE)].map((pair) => pair.join("=")).join("; "),
                },
                body: method === "delete" ? null : "{}",
              });
              const answer = await response.text();
              assert.equal(response.status, 403, `${what} as ${type}: ${answer}`);
            }
          }
        });
        tried++;
      }
    }
    assert.ok(tried >= 15, `${tried} routes`);
    assert.equal((await mine.ask("/admin/v1/orgs")).status, 200, "still signed in");
  });
});

Deno.test("without a token or a session the API's description is all there is", async () => {
  await using it = await attackWorld();
  const { paths } = await (await it.proxy.fetch("/admin/openapi.json")).json();
  let tried = 0;
  for (const [path, methods] of Object.entries<Record<string, unknown>>(paths)) {
    if (path === "/admin/openapi.json") continue;
    const address = path.replace("{org}", "vault").replace("{id}", it.ids[0]);
    for (const method of Object.keys(methods)) {
      // A good link shows its page to whoever has it; this one has no signature.
      const forged = method === "get" && path.endsWith("/decide");
      for (const authorization of [null, "", "Bearer", "Bearer ", "Basic Og==", "Bearer null"]) {
        it.proxy.clock.now += 5_000;
        const response = await it.proxy.fetch(address, {
          method: method.toUpperCase(),
          headers: authorization === null ? {} : { authorization },
          body: ["get", "delete"].includes(method) ? null : "{}",
        });
        assert.equal(response.status, forged ? 403 : 401, `${method} ${path} ${authorization}`);
        await response.text();
        tried++;
      }
    }
  }
  assert.ok(tried > 100, `${tried}`);
});
