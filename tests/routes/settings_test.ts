import assert from "node:assert/strict";
import fc from "fast-check";
import { ECOSYSTEMS } from "../../ecosystems/mod.ts";
import { defaultUpstreams, readSettings, SettingError } from "../../routes/settings.ts";

/** An upstream of its own, so that no test depends on how this machine's npm is set up. */
const UPSTREAM = { UPSTREAM_NPM: "https://npm.example/" };

const DEFAULTS = await defaultUpstreams(() => undefined, ECOSYSTEMS);

function read(variables: Readonly<Record<string, string>> = {}) {
  const given = new Map(Object.entries({ ...UPSTREAM, ...variables }));
  return readSettings((name) => given.get(name), ECOSYSTEMS, DEFAULTS);
}

/** The one line that a bad value gives. */
function refusal(variables: Readonly<Record<string, string>>): string {
  try {
    read(variables);
  } catch (error) {
    assert.ok(error instanceof SettingError, String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: `accepted: ${JSON.stringify(variables)}` });
}

Deno.test("without variables the settings are those that the README names", () => {
  const settings = read();
  assert.deepEqual(settings.listen, { hostname: "127.0.0.1", port: 8000 });
  assert.equal(settings.kvUrl, undefined);
  assert.equal(settings.adminToken, undefined);
  assert.equal(settings.publicUrl, undefined);
  assert.equal(settings.baseDomain, undefined);
  assert.equal(settings.orgs, "open");
  assert.equal(settings.retentionMs, 400 * 86_400_000);
  assert.equal(settings.cacheBytes, 128 * 1024 * 1024);
  assert.deepEqual(settings.webhookAllow, []);
  assert.equal(settings.osvUrl, "https://api.osv.dev/");
});

Deno.test("an empty variable counts as absent, but an empty OSV_URL turns advisories off", () => {
  const empty = Object.fromEntries(
    ["HOST", "PORT", "KV_URL", "ADMIN_TOKEN", "PUBLIC_URL", "BASE_DOMAIN", "ORGS", "WEBHOOK_ALLOW"]
      .map((name) => [name, ""]),
  );
  const { registryToken: _, ...settings } = read(empty);
  const { registryToken: __, ...defaults } = read();
  assert.deepEqual(settings, defaults);
  assert.equal(read({ OSV_URL: "" }).osvUrl, null);
  assert.equal(read({ OSV_URL: " " }).osvUrl, null);
});

Deno.test("every ecosystem has an upstream that ends in a slash", () => {
  const { upstreams } = read({ UPSTREAM_NPM: "https://npm.example/mirror" });
  assert.deepEqual([...upstreams.keys()], ECOSYSTEMS.map(({ id }) => id));
  assert.equal(upstreams.get("npm")?.url, "https://npm.example/mirror/");
  for (const [id, { url }] of upstreams) assert.match(url, /^https:\/\/.+\/$/, id);
});

Deno.test("file origins are read for every ecosystem, and are origins alone", () => {
  for (const { id, defaultFileOrigins } of ECOSYSTEMS) {
    const name = `UPSTREAM_${id.toUpperCase()}_FILES`;
    const { upstreams } = read({ [name]: "https://a.example/x, http://127.0.0.1:8080" });
    assert.deepEqual(upstreams.get(id)?.fileOrigins, [
      "https://a.example",
      "http://127.0.0.1:8080",
    ]);
    assert.match(refusal({ [name]: "https://a.example,ftp://b.example" }), RegExp(name));
    assert.deepEqual(read().upstreams.get(id)?.fileOrigins, defaultFileOrigins);
  }
});

Deno.test("on Deno Deploy HOST and PORT are ignored, whatever they are", () => {
  for (const name of ["DENO_DEPLOY", "DENO_DEPLOYMENT_ID"]) {
    assert.equal(read({ [name]: "true", HOST: "a/b", PORT: "x" }).listen, undefined);
  }
});

Deno.test("values are read as they are meant", () => {
  const settings = read({
    HOST: "::1",
    PORT: "0",
    KV_URL: ":memory:",
    PUBLIC_URL: "https://packages.example/",
    BASE_DOMAIN: "Packages.Example",
    ORGS: "closed",
    INSTALL_RETENTION: "2w",
    CACHE_MEMORY_MB: "1",
    WEBHOOK_ALLOW: "127.0.0.1:*, *.Example.com,[::1]:8080",
    OSV_URL: "http://127.0.0.1:9/osv",
  });
  assert.deepEqual(settings.listen, { hostname: "::1", port: 0 });
  assert.equal(settings.kvUrl, ":memory:");
  assert.equal(settings.publicUrl, "https://packages.example");
  assert.equal(settings.baseDomain, "packages.example");
  assert.equal(settings.orgs, "closed");
  assert.equal(settings.retentionMs, 14 * 86_400_000);
  assert.equal(settings.cacheBytes, 1024 * 1024);
  assert.deepEqual(settings.webhookAllow, ["127.0.0.1:*", "*.example.com", "[::1]:8080"]);
  assert.equal(settings.osvUrl, "http://127.0.0.1:9/osv/");
});

Deno.test("a bad value is refused in one line with its name, itself and what is accepted", () => {
  const bad: readonly [string, string][] = [
    ["HOST", "http://x/"],
    ["PORT", "65536"],
    ["PORT", "-1"],
    ["PORT", "80 80"],
    ["KV_URL", "redis://kv.example"],
    ["KV_URL", "http://kv.example/"],
    ["KV_URL", "http://localhost.kv.example/"],
    ["KV_URL", "http://127.0.0.1.kv.example:4512/"],
    ["PUBLIC_URL", "packages.example"],
    ["PUBLIC_URL", "https://packages.example/?x"],
    ["PUBLIC_URL", "https://packages.example?"],
    ["BASE_DOMAIN", "https://packages.example"],
    ["BASE_DOMAIN", "packages.example:8443"],
    ["ORGS", "OPEN"],
    ["UPSTREAM_NPM", "file:///etc/passwd"],
    ["UPSTREAM_CARGO", "https://cargo.example/?token=x"],
    ["OSV_URL", "https://osv.example/#x"],
    ["INSTALL_RETENTION", "0"],
    ["INSTALL_RETENTION", "1y"],
    ["CACHE_MEMORY_MB", "0"],
    ["CACHE_MEMORY_MB", "1e3"],
    ["REGISTRY_ALLOW", "http://127.0.0.1"],
    ["TRUST_PROXY", "0"],
    ["TRUST_PROXY", "11"],
    ["TRUST_PROXY", "yes"],
    ["TRUST_PROXY", "10.0.0.0/33"],
    ["TRUST_PROXY", "10.0.0.0/8,"],
    ["TRUST_PROXY", "forwarded:"],
    ["WEBHOOK_ALLOW", "https://hooks.example"],
    ["WEBHOOK_ALLOW", "*"],
    ["WEBHOOK_ALLOW", "hooks.*.example"],
    ["OSV_URL", "osv.example"],
  ];
  for (const [name, value] of bad) {
    const line = refusal({ [name]: value });
    assert.ok(line.startsWith(`Cannot use ${name}=${JSON.stringify(value)}: `), line);
    assert.match(line, /accepted/);
    assert.ok(!line.includes("\n"));
  }
});

Deno.test("no token or password gets into the line", () => {
  assert.ok(!refusal({ ADMIN_TOKEN: "hunter2" }).includes("hunter2"));
  assert.ok(!refusal({ ADMIN_TOKEN: "a secret with spaces in it" }).includes("secret"));
  assert.ok(!refusal({ ADMIN_TOKEN: "pp_a:secret-of-two-parts" }).includes("secret"));
  for (const name of ["PUBLIC_URL", "UPSTREAM_NPM", "OSV_URL", "KV_URL"]) {
    const line = refusal({ [name]: "ftp://alice:hunter2@host.example/" });
    assert.ok(!line.includes("hunter2") && line.includes("host.example"), line);
    if (name === "KV_URL") continue;
    for (const scheme of ["https://", "https:", "", "https:/"]) {
      const line = refusal({ [name]: `${scheme}alice:hunter2@host.example/` });
      assert.ok(!line.includes("hunter2"), line);
    }
  }
});

Deno.test("the proxy is not accepted as its own upstream", () => {
  for (const url of ["http://127.0.0.1:8000/npm/", "http://localhost:8000/", "http://[::1]:8000"]) {
    assert.match(refusal({ UPSTREAM_NPM: url }), /this proxy itself/);
  }
  assert.match(refusal({ UPSTREAM_NPM: "http://127.0.0.1:81/", PORT: "81" }), /itself/);
  for (const [HOST, url] of [["FD00:0::5", "http://[fd00::5]:8000/"], ["pp", "http://PP:8000/"]]) {
    assert.match(refusal({ HOST, UPSTREAM_NPM: url }), /itself/);
  }
  const PUBLIC_URL = "https://packages.example";
  assert.match(refusal({ UPSTREAM_NPM: `${PUBLIC_URL}/npm/`, PUBLIC_URL }), /itself/);
  for (
    const url of ["http://127.0.0.1:8001/", "https://127.0.0.1:8000/", "http://npm.example:8000/"]
  ) {
    assert.equal(read({ UPSTREAM_NPM: url }).upstreams.get("npm")?.url, url);
  }
});

Deno.test("a database without TLS is accepted on this machine alone", () => {
  for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.1", "[::1]"]) {
    const KV_URL = `http://${host}:4512/`;
    assert.equal(read({ KV_URL }).kvUrl, KV_URL);
  }
  assert.match(refusal({ KV_URL: "http://localhost@kv.example/" }), /^Cannot use KV_URL=/);
});

Deno.test("hosts of the operator's own upstreams need not be allowed again for private registries", () => {
  assert.deepEqual(read().registryAllow, ["npm.example:443"]);
  const { registryAllow } = read({
    REGISTRY_ALLOW: "nexus.example:8081",
    UPSTREAM_NPM: "http://127.0.0.1:4873/",
    UPSTREAM_PYPI: "http://[::1]:3141/simple/",
  });
  assert.deepEqual(registryAllow, ["nexus.example:8081", "127.0.0.1:4873", "[::1]:3141"]);
});

Deno.test("only variables that begin with REGISTRY_TOKEN_ are given to registries", () => {
  const use = { org: "acme", url: "https://npm.acme.example/" };
  const { registryToken } = read({ REGISTRY_TOKEN_FA: "fa", ADMIN_TOKEN: "0123456789abcdef" });
  assert.equal(registryToken("REGISTRY_TOKEN_FA", use), "fa");
  assert.equal(registryToken("REGISTRY_TOKEN_OTHER", use), undefined);
  assert.equal(registryToken("ADMIN_TOKEN", use), undefined);
});

Deno.test("whatever a variable holds, it is read or refused with its name", () => {
  const names = [
    "HOST",
    "PORT",
    "KV_URL",
    "ADMIN_TOKEN",
    "PUBLIC_URL",
    "BASE_DOMAIN",
    "ORGS",
    "UPSTREAM_NPM",
    "INSTALL_RETENTION",
    "CACHE_MEMORY_MB",
    "WEBHOOK_ALLOW",
    "REGISTRY_ALLOW",
    "TRUST_PROXY",
    "OSV_URL",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.string({ unit: "binary" }), (name, value) => {
      try {
        read({ [name]: value });
      } catch (error) {
        assert.ok(error instanceof SettingError, String(error));
        assert.ok(error.message.startsWith(`Cannot use ${name}=`) && !error.message.includes("\n"));
      }
    }),
    // Lines were once read as far as the first.
    { examples: [["TRUST_PROXY", "\0\n"]] },
  );
});

Deno.test("REGISTRY_TOKENS says which org may send which token where", () => {
  const tokens = { REGISTRY_TOKEN_A: "a", REGISTRY_TOKEN_B: "b", REGISTRY_TOKEN_C: "c" };
  const REGISTRY_TOKENS = "REGISTRY_TOKEN_A=acme@npm.acme.example, " +
    "REGISTRY_TOKEN_A=acme@*.cdn.example:8443,REGISTRY_TOKEN_B=*@b.example,REGISTRY_TOKEN_B=beta@*";
  const { registryToken } = read({ ...tokens, REGISTRY_TOKENS });
  const ask = (name: string, org: string, url: string) => registryToken(name, { org, url });
  assert.equal(ask("REGISTRY_TOKEN_A", "acme", "https://npm.acme.example/x/"), "a");
  assert.equal(ask("REGISTRY_TOKEN_A", "acme", "https://x.cdn.example:8443/"), "a");
  assert.equal(ask("REGISTRY_TOKEN_B", "gamma", "https://b.example/"), "b");
  assert.equal(ask("REGISTRY_TOKEN_B", "beta", "https://anywhere.example/"), "b");
  for (
    const [name, org, url] of [
      ["REGISTRY_TOKEN_A", "beta", "https://npm.acme.example/"],
      ["REGISTRY_TOKEN_A", "default", "https://npm.acme.example/"],
      ["REGISTRY_TOKEN_A", "acme", "https://evil.example/"],
      ["REGISTRY_TOKEN_A", "acme", "https://npm.acme.example.evil.example/"],
      ["REGISTRY_TOKEN_A", "acme", "https://npm.acme.example:444/"],
      ["REGISTRY_TOKEN_A", "acme", "https://npm.acme.example@evil.example/"],
      ["REGISTRY_TOKEN_A", "acme", "https://x.cdn.example/"],
      ["REGISTRY_TOKEN_B", "gamma", "https://anywhere.example/"],
      ["REGISTRY_TOKEN_C", "acme", "https://npm.acme.example/"],
      ["REGISTRY_TOKENS", "acme", "https://npm.acme.example/"],
    ]
  ) assert.equal(ask(name, org, url), undefined, `${name} ${org} ${url}`);
  for (
    const bad of [
      "REGISTRY_TOKEN_A",
      "A=acme@x",
      "REGISTRY_TOKEN_A=Acme@x",
      "REGISTRY_TOKEN_A=a@b/c",
    ]
  ) {
    assert.throws(
      () => read({ REGISTRY_TOKENS: bad }),
      /^SettingError: Cannot use REGISTRY_TOKENS=/,
    );
  }
});
