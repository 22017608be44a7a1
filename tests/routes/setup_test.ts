import assert from "node:assert/strict";
import { createApp } from "../../routes/app.ts";
import { serveSetup } from "../../routes/setup.ts";
import { testProxy } from "../proxy.ts";

const BROWSER = {
  accept: "text/html,application/xhtml+xml,*/*;q=0.8",
  "user-agent": "Mozilla/5.0",
};

/** What a page shows, without its marks. */
function shown(html: string): string {
  return html.replaceAll(/<[^>]*>/g, "").replaceAll("&quot;", '"').replaceAll("&#39;", "'");
}

Deno.test("a browser at the base address gets the set-up of every client for that address", async () => {
  await using proxy = await testProxy();
  for (const path of ["/", "/setup"]) {
    const response = await proxy.fetch(path, { headers: BROWSER });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
    const html = await response.text();
    assert.ok(html.startsWith("<!doctype html>"));
    const text = shown(html);
    for (
      const line of [
        "npm config set registry http://proxy.example/npm/\n",
        "pnpm config set registry http://proxy.example/npm/\n",
        "yarn config set registry http://proxy.example/npm/\n",
        "# in a yarn.lock from before, put this address in place of the registry's\n",
        "yarn config set -H npmRegistryServer http://proxy.example/npm/\n",
        `yarn config set -H --json unsafeHttpWhitelist '["proxy.example"]'`,
        `[install]\nregistry = "http://proxy.example/npm/"`,
        "registry=http://proxy.example/npm/\n",
        "//proxy.example/npm/:_authToken=pp_…",
        "pip config set global.index-url http://proxy.example/pypi/simple/\n",
        `url = "http://proxy.example/pypi/simple/"`,
        "poetry source add --priority=primary proxy http://proxy.example/pypi/simple/",
        "in ~/.cargo/config.toml",
        `[registries.proxy]\nindex = "sparse+http://proxy.example/cargo/"\n`,
        `credential-provider = "cargo:token"\n\n# shown only where the org`,
        "cargo vendor --respect-source-config",
      ]
    ) assert.ok(text.includes(line), line);
  }
});

Deno.test("the set-up keeps the org and user of the address, and the outside address", async () => {
  await using proxy = await testProxy();
  const text = shown(await (await proxy.fetch("/o-acme/u-alice/", { headers: BROWSER })).text());
  for (const path of ["npm/", "pypi/simple/", "cargo/", "why/pkg:npm/lodash"]) {
    assert.ok(text.includes(`http://proxy.example/o-acme/u-alice/${path}`), path);
  }
  assert.ok(text.includes("the org acme") && text.includes("You are alice."));

  await using outside = await testProxy({ settings: { publicUrl: "https://packages.example" } });
  const secure = shown(await (await outside.fetch("/", { headers: BROWSER })).text());
  assert.ok(secure.includes("npm config set registry https://packages.example/npm/"));
  assert.ok(!secure.includes("http://") && !secure.includes("unsafeHttpWhitelist"));
});

Deno.test("below an ecosystem's own name the page shows that ecosystem alone, as it is served there", async () => {
  await using proxy = await testProxy({ settings: { baseDomain: "packages.example" } });
  const app = createApp(proxy.deps);
  for (
    const [host, own, others] of [
      ["npm", "/npm/", ["/pypi/", "/cargo/"]],
      ["files", "/pypi/simple/", ["/npm/", "/cargo/"]],
      ["cargo", "/cargo/", ["/npm/", "/pypi/"]],
    ] as const
  ) {
    const base = `http://${host}.acme.packages.example`;
    const text = shown(await (await app(new Request(`${base}/`, { headers: BROWSER }))).text());
    assert.ok(text.includes(`${base}${own}`), text);
    for (const other of others) assert.ok(!text.includes(`${base}${other}`), text);
  }
});

Deno.test("pages run nothing, load nothing and are kept nowhere", async () => {
  await using proxy = await testProxy();
  const { headers } = await proxy.fetch("/", { headers: BROWSER });
  const policy = headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.ok(!policy.includes("script-src"));
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.equal(headers.get("cache-control"), "no-store");
});

Deno.test("what an address holds is escaped", async () => {
  const origin = "http://a.example/<img src=x>";
  const response = await serveSetup({
    base: { origin, prefix: '/o-"><script>' },
    org: "<b>org</b>",
    user: "<i>user</i>",
  });
  const html = await response.text();
  for (const mark of ["<img", "<script", "<b>", "<i>", '/o-">']) {
    assert.ok(!html.includes(mark), mark);
  }
});

Deno.test("an npm client that asks for the package called setup gets no page", async () => {
  await using proxy = await testProxy();
  const headers = { "user-agent": "npm/11.0.0 node/v24.0.0 linux x64" };
  const response = await proxy.fetch("/setup", { headers });
  // Its upstream is nowhere.
  assert.equal(response.status, 502);
});
