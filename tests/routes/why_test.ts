import assert from "node:assert/strict";
import { DAY, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const HTML = { accept: "text/html" };
const JSON_FORM = { accept: "application/json" };

/** `@acme/left`: an old version, a blocked one with a hostile reason, a young one, one that is waived. */
async function world(policy: Record<string, unknown> = {}) {
  const registry = startNpmRegistry();
  const name = "@acme/left";
  const young = new Date(Math.floor(Date.now() / 1000) * 1000 - DAY);
  registry.publish({ name, version: "1.0.0" });
  registry.publish({ name, version: "1.9.0" });
  registry.publish({ name, version: "1.10.0", publishedAt: young });
  registry.publish({ name, version: "2.0.0", publishedAt: young });
  const proxy = await testProxy({
    upstreams: { npm: registry.url },
    policy: {
      rules: {
        block: {
          entries: [{
            purl: "pkg:npm/@acme/left",
            versions: "=1.9.0",
            reason: `<script>alert("x")</script>`,
          }],
        },
      },
      exceptions: [{ purl: "pkg:npm/@acme/left", versions: "=2.0.0", rules: ["min_age"] }],
      ...policy,
    },
  });
  return {
    registry,
    proxy,
    young,
    ask: (path: string, headers: Record<string, string> = {}) => proxy.fetch(path, { headers }),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

Deno.test("/why says of every version, newest first, what the policy makes of it", async () => {
  await using given = await world();
  const response = await given.ask("/why/pkg:npm/%40acme/left", JSON_FORM);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  const body = await response.json();
  assert.deepEqual(
    [body.purl, body.ecosystem, body.package, body.org],
    ["pkg:npm/%40acme/left", "npm", "@acme/left", "default"],
  );
  assert.notEqual(body.policy, "");
  const rows = body.versions.map((entry: Record<string, unknown>) => [
    entry.version,
    entry.verdict,
    entry.code,
    entry.until,
  ]);
  const until = new Date(given.young.getTime() + 10 * DAY).toISOString().replace(".000Z", "Z");
  assert.deepEqual(rows, [
    ["2.0.0", "allow", null, null],
    ["1.10.0", "deny", "min_age", until],
    ["1.9.0", "deny", "blocked", null],
    ["1.0.0", "allow", null, null],
  ]);
  assert.match(body.versions[1].reason, /10d/);
  assert.equal(body.versions[0].findings[0].waived, "exception");
});

Deno.test("whoever comes back at the instant that they were told is not told again to wait", async () => {
  await using given = await world();
  const { registry, proxy } = given;
  const publishedAt = new Date(given.young.getTime() + 242);
  registry.publish({ name: "right", version: "1.0.0", publishedAt });
  const file = () => given.ask("/npm/right/-/right-1.0.0.tgz");
  const refused = await file();
  const { until } = await refused.json();
  const { versions: [explained] } = await (await given.ask("/why/pkg:npm/right", JSON_FORM)).json();
  const checked = await proxy.fetch("/check", { method: "POST", body: "pkg:npm/right@1.0.0\n" });
  const { entries: [found] } = await checked.json();
  assert.deepEqual([explained.until, found.until], [until, until]);
  assert.ok(refused.headers.get("policy-decision")?.includes(`until="${until}"`));
  proxy.clock.now = Date.parse(until);
  const served = await file();
  assert.equal(served.status, 200);
  await served.body?.cancel();
});

Deno.test("/why of one version speaks of that one, scope encoded or not", async () => {
  await using given = await world();
  for (
    const purl of [
      "pkg:npm/%40acme/left@1.10.0",
      "pkg:npm/@acme/left@1.10.0",
      "npm/@acme/left@1.10.0",
    ]
  ) {
    const body = await (await given.ask(`/why/${purl}`, JSON_FORM)).json();
    assert.deepEqual(body.versions.map(({ version }: { version: string }) => version), ["1.10.0"]);
  }
  for (const purl of ["pkg:npm/@acme/left@9.9.9", "pkg:npm/nowhere"]) {
    const missing = await given.ask(`/why/${purl}`);
    assert.equal(missing.status, 404);
    assert.match(
      await missing.text(),
      new RegExp(`^npm has no such .*: ${purl.replace("@acme", "%40acme")}$`, "m"),
    );
  }
});

Deno.test("a terminal gets lines, a browser a page, a program JSON", async () => {
  await using given = await world();
  const text = await given.ask("/why/pkg:npm/@acme/left", { accept: "*/*" });
  assert.equal(text.headers.get("content-type"), "text/plain; charset=utf-8");
  const lines = (await text.text()).split("\n");
  assert.equal(lines[0], 'pkg:npm/%40acme/left for the org "default": 2 of 4 withheld');
  assert.match(lines[1], /^2\.0\.0 {2}allowed, published .*, min_age waived by exception$/);
  assert.match(lines[2], /^1\.10\.0 {2}withheld \(min_age\): published /);
  assert.match(lines[3], /^1\.9\.0 {2}withheld \(blocked\): /);
  const html = await given.ask("/why/pkg:npm/@acme/left", {
    accept: "text/html,application/xhtml+xml,*/*;q=0.8",
  });
  assert.equal(html.headers.get("content-type"), "text/html; charset=utf-8");
  for (const response of [text, html]) {
    assert.equal(response.headers.get("vary"), "Accept, Authorization");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  }
  assert.match(await html.text(), /<td class="verdict">withheld<\/td>/);
});

Deno.test("the page escapes reasons and names, and cannot run a script", async () => {
  await using given = await world();
  const response = await given.ask("/why/pkg:npm/@acme/left", HTML);
  const html = await response.text();
  assert.ok(html.includes("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;"));
  assert.ok(!html.includes("<script"));
  assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  const asked = await given.ask("/why/pkg:npm/%3Cscript%3Ealert(1)%3C%2Fscript%3E", HTML);
  assert.ok(!(await asked.text()).includes("<script"));
});

Deno.test("a client that was sent here is answered 403, with the reason", async () => {
  await using given = await world();
  for (const headers of [{}, HTML, JSON_FORM]) {
    const response = await given.ask("/why/pkg:npm/@acme/left@1.10.0?withheld=min_age", headers);
    assert.equal(response.status, 403);
    const text = await response.text();
    assert.match(text, /min_age/);
    if (headers === HTML) assert.match(text, /Your client was refused this file/);
  }
});

Deno.test("/why asks for what the org's policy asks registry clients for", async () => {
  await using given = await world({ auth: "token" });
  const response = await given.ask("/why/pkg:npm/@acme/left");
  assert.equal(response.status, 401);
  assert.match(response.headers.get("www-authenticate") ?? "", /^Token/);
  // A client that was sent here has no token to send; it learns what the address says already.
  const sent = await given.ask("/why/pkg:npm/@acme/left@1.10.0?withheld=min_age");
  assert.equal(sent.status, 403);
  assert.equal(
    await sent.text(),
    "pkg:npm/%40acme/left@1.10.0 is withheld by policy (min_age).\n",
  );
  const forged = await given.ask("/why/pkg:npm/@acme/left@1.10.0?withheld=<b>");
  assert.ok(!(await forged.text()).includes("<b>"));
  assert.equal(given.registry.requests.length, 0);
});

Deno.test("/why speaks for the org of its address", async () => {
  await using given = await world();
  await given.proxy.deps.policies.replace("acme", { rules: { min_age: { level: "off" } } }, {
    by: "test",
  });
  const body = await (await given.ask("/o-acme/why/pkg:npm/@acme/left", JSON_FORM)).json();
  assert.equal(body.org, "acme");
  assert.ok(body.versions.every(({ verdict }: { verdict: string }) => verdict === "allow"));
});

Deno.test("what is no PURL gets 400 with an example, an upstream that fails its own status", async () => {
  await using given = await world();
  for (
    const path of ["", "lodash", "pkg:", "pkg:deb/curl", "pkg:npm/a%2", "pkg:npm/..%2f..%2fetc"]
  ) {
    const response = await given.ask(`/why/${path}`);
    assert.equal(response.status, 400, path);
    assert.match(await response.text(), /pkg:npm\/lodash/);
  }
  given.registry.fault(/./, { kind: "status", status: 500 });
  const response = await given.ask("/why/pkg:npm/@acme/left", JSON_FORM);
  assert.equal(response.status, 502);
  assert.equal((await response.json()).code, "upstream_status");
});
