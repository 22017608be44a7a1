/** Private registries whose files are at another host than their indexes. */
import assert from "node:assert/strict";
import { testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import { serveRegistry } from "../registry/server.ts";

const SECRET = "npm-secret-1";
const INDEX = "/npm/@acme%2ftool";
const FILE = "/npm/@acme/tool/-/tool-1.0.0.tgz";

/** `@acme/tool` 1.0.0 in a registry that wants a credential, and a host of files that wants none. */
async function setting() {
  const inside = startNpmRegistry({ authorization: `Bearer ${SECRET}` });
  const { tarball } = inside.publish({ name: "@acme/tool", version: "1.0.0" });
  const store = serveRegistry((_, path) =>
    path === "/stored" ? { body: tarball, type: "application/octet-stream" } : null
  );
  const policy = (files?: readonly string[]) => ({
    registries: [{
      ecosystem: "npm",
      packages: "pkg:npm/@acme/*",
      url: inside.url,
      token_env: "REGISTRY_TOKEN_A",
      ...(files && { files }),
    }],
  });
  const origin = new URL(store.url).origin;
  const proxy = await testProxy({
    policy: policy(),
    settings: { registryToken: () => SECRET, registryAllow: ["127.0.0.1:*"] },
  });
  return {
    inside,
    store,
    /** What the host of files was shown, a request each. */
    credentials: () => store.requests.map(({ headers }) => headers.get("authorization")),
    tarball,
    proxy,
    /** Whether the policy lists the host of files. */
    async listed(isListed: boolean) {
      const document = policy(isListed ? [origin] : undefined);
      await proxy.deps.policies.replace("default", document, { by: "test" });
    },
    async file() {
      const response = await proxy.fetch(FILE);
      return { status: response.status, bytes: await response.bytes() };
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await inside[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a registry may send to the hosts of files that the policy lists for it, and nowhere else", async () => {
  await using it = await setting();
  it.inside.fault(/\.tgz$/, { kind: "redirect", location: `${it.store.url}stored` });
  assert.equal((await it.proxy.fetch(INDEX)).status, 200);
  assert.equal((await it.file()).status, 502);
  assert.deepEqual(it.credentials(), []);
  await it.listed(true);
  assert.deepEqual(await it.file(), { status: 200, bytes: it.tarball });
  assert.deepEqual(it.credentials(), [null]);
  assert.equal((await it.proxy.installs()).length, 1);
  await it.listed(false);
  assert.equal((await it.file()).status, 502, "what was loaded before is not handed out either");
});

Deno.test("an address that an index states at a listed host is asked there, without the credential", async () => {
  await using it = await setting();
  const index = await fetch(`${it.inside.url}@acme%2ftool`, {
    headers: { authorization: `Bearer ${SECRET}` },
  });
  const document = await index.json();
  document.versions["1.0.0"].dist.tarball = `${it.store.url}stored`;
  it.inside.fault(/tool$/, { kind: "body", body: JSON.stringify(document) });
  it.inside.fault(/\.tgz$/, { kind: "status", status: 404 });
  assert.equal((await it.file()).status, 404, "it is asked of the registry by convention");
  assert.deepEqual(it.credentials(), []);
  await it.listed(true);
  assert.deepEqual(await it.file(), { status: 200, bytes: it.tarball });
  assert.deepEqual(it.credentials(), [null]);
});

Deno.test("PyPI: files at a listed host come through the proxy", async () => {
  await using inside = startPypiRegistry();
  const [file] = inside.publish({ name: "acme-tool", version: "1.0" });
  await using store = serveRegistry(() => ({ body: file.bytes, type: "application/zip" }));
  inside.fault(/\.whl$/, { kind: "redirect", location: `${store.url}stored` });
  const registry = { ecosystem: "pypi", packages: "pkg:pypi/acme-*", url: inside.index };
  for (const [files, status] of [[[], 502], [[new URL(store.url).origin], 200]] as const) {
    await using proxy = await testProxy({
      policy: { registries: [{ ...registry, files }] },
      settings: { registryAllow: ["127.0.0.1:*"] },
    });
    const index = await proxy.fetch("/pypi/simple/acme-tool/");
    await index.text();
    const response = await proxy.fetch(`/pypi/${file.path}`);
    await response.arrayBuffer();
    assert.equal(response.status, status);
  }
});
