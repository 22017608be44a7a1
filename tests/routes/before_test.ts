/** The time machine: `<base>/before/<instant>/` serves what there was then. */
import assert from "node:assert/strict";
import { npm } from "../../ecosystems/npm/mod.ts";
import { readAddress } from "../../routes/identity.ts";
import { testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64", accept: "application/json" };

async function world() {
  const npm = startNpmRegistry();
  npm.publish({ name: "demo", version: "1.0.0", publishedAt: "2025-01-01T00:00:00.000Z" });
  npm.publish({ name: "demo", version: "1.1.0", publishedAt: "2026-01-01T12:00:00.000Z" });
  npm.publish({ name: "demo", version: "2.0.0", publishedAt: null, tag: "next" });
  const proxy = await testProxy({ upstreams: { npm: npm.url } });
  proxy.clock.now = Date.parse("2026-11-01T00:00:00Z");
  return {
    npm,
    proxy,
    async ask(path: string, headers: Record<string, string> = NPM) {
      const response = await proxy.fetch(path, { headers });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text };
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await npm[Symbol.asyncDispose]();
    },
  };
}

Deno.test("an index as of an instant has what was published until then, at addresses of its own", async () => {
  await using setting = await world();
  const latest = async (prefix: string) => {
    const { text } = await setting.ask(`${prefix}/npm/demo`);
    const { "dist-tags": tags, versions } = JSON.parse(text);
    return [tags.latest, versions[tags.latest].dist.tarball, Object.keys(versions).length];
  };
  const address = (prefix: string, version: string) =>
    `http://proxy.example${prefix}/npm/demo/-/demo-${version}.tgz`;
  for (
    const [prefix, version, count] of [
      ["", "1.1.0", 2],
      ["/before/2026-01-01", "1.0.0", 1],
      ["/before/2026-01-01T12:00:00Z", "1.1.0", 2],
      ["/before/2026-01-01T11:59:59Z", "1.0.0", 1],
      ["/o-acme/u-alice/before/2026-01-01", "1.0.0", 1],
      ["", "1.1.0", 2],
    ] as const
  ) {
    assert.deepEqual(await latest(prefix), [version, address(prefix, version), count], prefix);
  }
});

Deno.test("a file as of an instant is judged as its index is, and the why page stays in that time", async () => {
  await using setting = await world();
  const file = (prefix: string, version: string) =>
    setting.ask(`${prefix}/npm/demo/-/demo-${version}.tgz`);
  assert.equal((await file("/before/2026-01-01", "1.0.0")).status, 200);
  const refused = await file("/before/2026-01-01", "1.1.0");
  assert.equal(refused.status, 403);
  assert.equal(refused.headers.get("policy-decision"), "deny; code=freeze");
  assert.match(refused.text, /proxy\.example\/before\/2026-01-01\/why\/pkg:npm\/demo@1\.1\.0/);
  assert.equal((await file("", "1.1.0")).status, 200);
  const why = await setting.ask("/before/2026-01-01/why/pkg:npm/demo@1.1.0");
  assert.match(why.text, /"code":"freeze"/);
});

Deno.test("an ETag of one time is none of another", async () => {
  await using setting = await world();
  const { headers } = await setting.ask("/before/2026-01-01/npm/demo");
  const etag = headers.get("etag") ?? "";
  const again = (path: string) => setting.ask(path, { ...NPM, "if-none-match": etag });
  assert.equal((await again("/before/2026-01-01/npm/demo")).status, 304);
  assert.equal((await again("/before/2026-01-02/npm/demo")).status, 200);
  assert.equal((await again("/npm/demo")).status, 200);
});

Deno.test("many instants leave no judgement of each behind", async () => {
  await using setting = await world();
  for (let day = 1; day <= 28; day++) {
    await setting.ask(`/before/2026-02-${String(day).padStart(2, "0")}/npm/demo`);
  }
  const { deps } = setting.proxy;
  const source = deps.publicSources.get("npm");
  assert.ok(source);
  const kept = deps.indexes.peek(npm, "demo", { source, purpose: "file" });
  assert.ok(kept);
  const held = deps.judgements.get(kept.value)?.size ?? 0;
  assert.ok(held > 0 && held <= 8, `${held} judgements`);
});

Deno.test("PyPI and cargo travel in time too", async () => {
  await using pypi = startPypiRegistry();
  await using cargo = startCargoRegistry();
  pypi.publish({ name: "demo", version: "1.0", uploadedAt: "2025-01-01T00:00:00Z" });
  pypi.publish({ name: "demo", version: "1.1", uploadedAt: "2026-01-01T12:00:00Z" });
  cargo.publish({ name: "demo", version: "1.0.0", publishedAt: new Date("2025-01-01T00:00:00Z") });
  cargo.publish({ name: "demo", version: "1.1.0", publishedAt: new Date("2026-01-01T12:00:00Z") });
  await using proxy = await testProxy({ upstreams: { pypi: pypi.index, cargo: cargo.url } });
  proxy.clock.now = Date.parse("2026-11-01T00:00:00Z");
  const json = { accept: "application/vnd.pypi.simple.v1+json" };
  const page = await proxy.fetch("/before/2026-01-01/pypi/simple/demo/", { headers: json });
  const { files } = await page.json();
  const yanked = files.map((file: { yanked: unknown }) => typeof file.yanked === "string");
  assert.deepEqual(yanked, [false, true]);
  assert.match(files[0].url, /^http:\/\/proxy\.example\/before\/2026-01-01\/pypi\//);
  const index = await proxy.fetch("/before/2026-01-01/cargo/de/mo/demo");
  const lines = (await index.text()).trim().split("\n").map((line) => JSON.parse(line).yanked);
  assert.deepEqual(lines, [false, true]);
  const config = await (await proxy.fetch("/before/2026-01-01/cargo/config.json")).json();
  assert.match(config.dl, /^http:\/\/proxy\.example\/before\/2026-01-01\/cargo\//);
});

Deno.test("what is no instant is a bad request, and `before` is still a package to npm", async () => {
  await using setting = await world();
  setting.npm.publish({ name: "before", version: "0.0.1" });
  assert.equal((await setting.ask("/before/yesterday/npm/demo")).status, 400);
  assert.equal(JSON.parse((await setting.ask("/before")).text).name, "before");
  assert.equal((await setting.ask("/before/-/before-0.0.1.tgz")).status, 200);
  assert.equal((await setting.ask("/npm/before/0.0.1")).status, 200);
});

Deno.test("one PATCH freezes an org, and one takes it back", async () => {
  await using setting = await world();
  const { proxy } = setting;
  const patch = (freeze: unknown) =>
    proxy.fetch("/admin/v1/orgs/acme/policy", {
      method: "PATCH",
      headers: {
        authorization: `Bearer ${proxy.rootToken}`,
        "content-type": "application/merge-patch+json",
      },
      body: JSON.stringify({ rules: { freeze } }),
    });
  const status = async () => (await setting.ask("/o-acme/npm/demo/-/demo-1.1.0.tgz")).status;
  assert.equal(await status(), 200);
  assert.equal((await patch({ level: "deny", at: "2025-12-31" })).status, 200);
  assert.equal(await status(), 403);
  assert.equal((await patch({ level: "off" })).status, 200);
  assert.equal(await status(), 200);
});

Deno.test("an instant in the path is part of the prefix, behind org and user", () => {
  for (
    const [path, prefix, before, rest] of [
      ["/before/2026-01-01/npm/x", "/before/2026-01-01", "2026-01-01", "/npm/x"],
      ["/o-a/u-b/before/2026-01-01/npm/x", "/o-a/u-b/before/2026-01-01", "2026-01-01", "/npm/x"],
      [
        "/before/2026-01-01T10%3A00:00Z/",
        "/before/2026-01-01T10%3A00:00Z",
        "2026-01-01T10:00Z",
        "/",
      ],
      ["/before/2026-01-01", "/before/2026-01-01", "2026-01-01", "/"],
      ["/before", "", null, "/before"],
      ["/before/-/before-0.0.1.tgz", "", null, "/before/-/before-0.0.1.tgz"],
      ["/npm/before/1.0.0", "", null, "/npm/before/1.0.0"],
      ["/beforehand/x", "", null, "/beforehand/x"],
    ] as const
  ) {
    const found = readAddress(`http://a.example${path}`);
    assert.deepEqual(
      [found.base.prefix, found.before, found.rest],
      [prefix, before === null ? null : Date.parse(before), rest],
      path,
    );
  }
});

Deno.test("what is no instant is refused", () => {
  for (const text of ["yesterday", "2026-02-30", "2026", "", "1.0.0", "2026-01-01T10:00:00"]) {
    assert.throws(
      () => readAddress(`http://a.example/before/${text}/npm/x`),
      { code: "before_invalid", status: 400 },
      text,
    );
  }
});
