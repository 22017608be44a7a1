/** Names of ours are never asked of a public registry. */
import assert from "node:assert/strict";
import { testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64", accept: "application/json" };
const names = ["pkg:npm/@acme/*", "pkg:pypi/acme-*", "pkg:cargo/acme-core"];

async function world(namespace: unknown = { level: "deny", names }, more: object = {}) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  npm.publish({ name: "@acme/ui", version: "9.0.0" });
  npm.publish({ name: "lodash", version: "4.0.0" });
  pypi.publish({ name: "acme-billing", version: "9.0" });
  cargo.publish({ name: "acme-core", version: "9.0.0" });
  const proxy = await testProxy({
    upstreams: { npm: npm.url, pypi: pypi.index, cargo: cargo.url },
    policy: { rules: { namespace }, ...more },
  });
  return {
    npm,
    proxy,
    asked: () => [npm, pypi, cargo].flatMap(({ requests }) => requests.map(({ path }) => path)),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const registry of [npm, pypi, cargo]) await registry[Symbol.asyncDispose]();
    },
  };
}

Deno.test("our names are refused with the reason, and no registry hears of them", async () => {
  await using setting = await world();
  for (
    const path of [
      "/npm/@acme%2fui",
      "/npm/@acme/ui",
      "/@acme%2fui",
      "/npm/@acme/ui/9.0.0",
      "/npm/@acme/ui/-/ui-9.0.0.tgz",
      "/npm/-/package/@acme%2fui/dist-tags",
      "/before/2026-01-01/npm/@acme%2fui",
      "/pypi/simple/acme-billing/",
      "/pypi/simple/Acme_Billing/",
      "/pypi/acme-billing/json",
      "/cargo/ac/me/acme-core",
      "/cargo/crates/acme-core/9.0.0/download",
    ]
  ) {
    const response = await setting.proxy.fetch(path, { headers: NPM });
    const text = await response.text();
    // A redirect for a name's spelling asks nobody either.
    if (response.status === 301) continue;
    const location = response.headers.get("location");
    assert.ok(response.status === 403 || location?.includes("/why/"), `${path} ${response.status}`);
    assert.equal(response.headers.get("policy-decision"), "deny; code=namespace", path);
    assert.match(text, /(?:ui|billing|core) is withheld by policy \(namespace\): /, path);
    assert.match(text, /kept for packages of this organisation/, path);
  }
  for (const purl of ["pkg:npm/@acme/ui", "pkg:pypi/acme-billing", "pkg:cargo/acme-core@9.0.0"]) {
    const response = await setting.proxy.fetch(`/why/${purl}?withheld=namespace`);
    assert.equal(response.status, 403, purl);
    assert.match(await response.text(), /kept for packages of this organisation/, purl);
  }
  assert.deepEqual(setting.asked().filter((path) => /acme/i.test(path)), []);
});

Deno.test("an audit does not tell of our names", async () => {
  for (
    const [level, expected] of [["deny", ["lodash"]], ["off", ["@acme/ui", "lodash"]]] as const
  ) {
    await using setting = await world({ level, names });
    for (const name of ["@acme/ui", "lodash"]) {
      setting.npm.advise(name, { vulnerable_versions: "*" });
    }
    const response = await setting.proxy.fetch("/npm/-/npm/v1/security/advisories/bulk", {
      method: "POST",
      headers: { ...NPM, "content-type": "application/json" },
      body: JSON.stringify({ "@acme/ui": ["9.0.0"], lodash: ["4.0.0"] }),
    });
    assert.deepEqual(Object.keys(await response.json()).sort(), expected, level);
  }
});

Deno.test("other names are served as ever", async () => {
  await using setting = await world();
  assert.equal((await setting.proxy.fetch("/npm/lodash", { headers: NPM })).status, 200);
});

Deno.test("a private registry that has our names is asked, and it alone", async () => {
  await using inside = startNpmRegistry();
  inside.publish({ name: "@acme/ui", version: "1.0.0" });
  const registries = [{ ecosystem: "npm", packages: "pkg:npm/@acme/*", url: inside.url }];
  await using setting = await world({ level: "deny", names }, { registries });
  const response = await setting.proxy.fetch("/npm/@acme%2fui", { headers: NPM });
  const { versions } = await response.json();
  assert.deepEqual(Object.keys(versions), ["1.0.0"]);
  assert.deepEqual(setting.asked(), []);
});

Deno.test("at level warn and in audit mode our names are served from the public registry", async () => {
  for (
    const given of [
      [{ level: "warn", names }],
      [{ level: "deny", names }, { mode: "audit" }],
    ] as const
  ) {
    await using setting = await world(...given);
    const response = await setting.proxy.fetch("/npm/@acme/ui/-/ui-9.0.0.tgz", { headers: NPM });
    await response.bytes();
    assert.equal(response.status, 200);
    const [refusal] = await setting.proxy.refusals();
    assert.deepEqual([refusal.code, refusal.verdict], ["namespace", "warn"]);
  }
});
