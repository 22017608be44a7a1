import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, createPublicKey, verify } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { installed } from "./installed.ts";
import { startNpmRegistry } from "./npm.ts";

const ABBREVIATED = "application/vnd.npm.install-v1+json";

async function get(url: string, init?: RequestInit) {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

Deno.test("a published version is in both documents, with a tarball of the stated digests", async () => {
  await using npm = startNpmRegistry();
  const publishedAt = new Date("2026-01-02T03:04:05Z");
  npm.publish({ name: "@acme/tool", version: "1.0.0", publishedAt: null });
  npm.publish({
    name: "@acme/tool",
    version: "1.1.0",
    publishedAt,
    scripts: { postinstall: "node ." },
  });

  const full = await get(`${npm.url}@acme%2ftool`);
  assert.deepEqual(full.body["dist-tags"], { latest: "1.1.0" });
  assert.equal(full.body.time["1.1.0"], publishedAt.toISOString());
  assert.equal("1.0.0" in full.body.time, false);

  const short = await get(`${npm.url}@acme/tool`, { headers: { accept: ABBREVIATED } });
  assert.equal(short.headers.get("content-type"), ABBREVIATED);
  assert.equal(short.body.time, undefined);
  assert.equal(short.body.versions["1.1.0"].hasInstallScript, true);
  assert.notEqual(short.headers.get("etag"), full.headers.get("etag"));

  const { dist } = full.body.versions["1.1.0"];
  assert.equal(dist.tarball, `${npm.url}@acme/tool/-/tool-1.1.0.tgz`);
  const tarball = await (await fetch(dist.tarball)).bytes();
  assert.equal(createHash("sha1").update(tarball).digest("hex"), dist.shasum);
  const sha512 = createHash("sha512").update(tarball).digest("base64");
  assert.equal(`sha512-${sha512}`, dist.integrity);
  assert.ok(gunzipSync(tarball).includes("package/package.json"));

  const tagged = await get(`${npm.url}@acme/tool/latest`);
  assert.equal(tagged.body.version, "1.1.0");
});

Deno.test("evidence of publishing reads as the public registry writes it", async () => {
  await using npm = startNpmRegistry();
  npm.publish({ name: "a", version: "1.0.0", trust: "none" });
  npm.publish({ name: "a", version: "2.0.0", trust: "provenance" });
  npm.publish({ name: "a", version: "3.0.0", trust: "trusted_publisher" });
  npm.publish({ name: "a", version: "4.0.0", trust: "approved" });
  const { body } = await get(`${npm.url}a`);
  const evidence = Object.values(body.versions).map((version) => {
    const { _npmUser, dist } = JSON.parse(JSON.stringify(version));
    return [
      dist.attestations?.provenance.predicateType,
      _npmUser.trustedPublisher?.id,
      !!_npmUser.approver,
    ];
  });
  const slsa = "https://slsa.dev/provenance/v1";
  assert.deepEqual(evidence, [
    [undefined, undefined, false],
    [slsa, undefined, false],
    [slsa, "github", false],
    [slsa, "github", true],
  ]);
  const proof = await get(`${npm.url}-/npm/v1/attestations/a@2.0.0`);
  assert.equal(proof.body.attestations[0].predicateType, slsa);
  assert.equal((await fetch(`${npm.url}-/npm/v1/attestations/a@1.0.0`)).status, 404);
});

Deno.test("an unpublished version leaves its time, the last one an unpublished package", async () => {
  await using npm = startNpmRegistry();
  npm.publish({ name: "a", version: "1.0.0" });
  npm.publish({ name: "a", version: "1.1.0" });
  npm.tagged("a", "next", "1.1.0");
  npm.unpublish("a", "1.1.0");
  const { body } = await get(`${npm.url}a`);
  assert.deepEqual(Object.keys(body.versions), ["1.0.0"]);
  assert.deepEqual(body["dist-tags"], { latest: "1.0.0" });
  assert.ok(body.time["1.1.0"]);
  npm.unpublish("a", "1.0.0");
  const gone = await get(`${npm.url}a`);
  assert.equal(gone.body.versions, undefined);
  assert.deepEqual(gone.body.time.unpublished.versions, ["1.0.0", "1.1.0"]);
});

Deno.test("both audits name the advisories of vulnerable versions alone", async () => {
  await using npm = startNpmRegistry();
  npm.advise("a", { vulnerable_versions: "<1.1.0" });
  const ask = (versions: unknown) =>
    get(`${npm.url}-/npm/v1/security/advisories/bulk`, {
      method: "POST",
      headers: { "content-encoding": "gzip" },
      body: new Uint8Array(gzipSync(JSON.stringify(versions))),
    });
  assert.equal((await ask({ a: ["1.0.0", "1.1.0"] })).body.a[0].vulnerable_versions, "<1.1.0");
  assert.deepEqual((await ask({ a: ["1.1.0"], b: ["1.0.0"] })).body, {});
  const quick = await get(`${npm.url}-/npm/v1/security/audits/quick`, {
    method: "POST",
    body: JSON.stringify({ dependencies: { a: { version: "1.0.0" } } }),
  });
  assert.equal(quick.body.advisories[1000].module_name, "a");
  assert.equal(quick.body.metadata.vulnerabilities.high, 1);
});

Deno.test("ping, search, signing keys, tags, private access and gzip", async () => {
  await using npm = startNpmRegistry({ authorization: "Bearer secret", gzip: true });
  npm.publish({ name: "a", version: "1.0.0" });
  const headers = { authorization: "Bearer secret" };
  assert.equal((await get(`${npm.url}a`)).status, 401);
  assert.equal((await get(`${npm.url}a`, { headers })).status, 200);
  assert.deepEqual((await get(`${npm.url}-/ping`, { headers })).body, {});
  assert.equal((await get(`${npm.url}-/v1/search?text=a`, { headers })).body.total, 1);
  const { keys } = (await get(`${npm.url}-/npm/v1/keys`, { headers })).body;
  const { dist } = (await get(`${npm.url}a/1.0.0`, { headers })).body;
  const key = createPublicKey({
    key: Buffer.from(keys[0].key, "base64"),
    format: "der",
    type: "spki",
  });
  const signed = Buffer.from(`a@1.0.0:${dist.integrity}`);
  const [{ keyid, sig }] = dist.signatures;
  assert.equal(keyid, keys[0].keyid);
  assert.ok(verify("sha256", signed, key, Buffer.from(sig, "base64")));
  const tags = await get(`${npm.url}-/package/a/dist-tags`, { headers });
  assert.deepEqual(tags.body, { latest: "1.0.0" });
  assert.equal((await get(`${npm.url}b`, { headers })).status, 404);
});

Deno.test({
  name: "the real npm installs from it and audits",
  ignore: !installed("npm"),
  async fn() {
    await using npm = startNpmRegistry();
    npm.publish({ name: "@acme/base", version: "1.0.0", trust: "none" });
    npm.publish({
      name: "tool",
      version: "1.0.0",
      dependencies: { "@acme/base": "^1.0.0" },
      bin: { tool: "bin/tool.js" },
      files: { "bin/tool.js": "#!/usr/bin/env node\nconsole.log('hello from tool');\n" },
    });
    npm.advise("@acme/base", { vulnerable_versions: "<1.0.1", title: "A hole" });
    const home = await Deno.makeTempDir();
    try {
      const run = async (...args: string[]) => {
        const env = {
          HOME: home,
          npm_config_cache: `${home}/cache`,
          npm_config_userconfig: `${home}/npmrc`,
          npm_config_globalconfig: `${home}/globalrc`,
          npm_config_registry: npm.url,
          npm_config_update_notifier: "false",
        };
        const result = await new Deno.Command("npm", { args, cwd: home, env }).output();
        return new TextDecoder().decode(result.stdout) + new TextDecoder().decode(result.stderr);
      };
      await Deno.writeTextFile(`${home}/package.json`, "{}");
      assert.match(await run("install", "tool"), /added 2 packages/);
      assert.match(await run("exec", "--offline", "tool"), /hello from tool/);
      assert.match(await run("audit"), /A hole/);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  },
});
