/** What is held of upstream: under which name, how often it is asked for, and when it is looked at again. */
import assert from "node:assert/strict";
import { testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import { type Fault, serveRegistry } from "../registry/server.ts";

/** Longer than anything is used without asking, with no word of upstream's. */
const LATER = 61_000;
const GARBAGE: Fault = { kind: "body", body: "<html>maintenance</html>", type: "text/html" };
const DOWN: Fault = { kind: "status", status: 503 };

Deno.test("a crate's index is one document, however its name is written", async () => {
  await using registry = startCargoRegistry({ cacheControl: "max-age=600" });
  const { crate } = registry.publish({ name: "Inflector", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  for (const path of ["in/fl/inflector", "in/fl/Inflector", "IN/FL/INFLECTOR"]) {
    const index = await proxy.fetch(`/cargo/${path}`);
    assert.equal(JSON.parse(await index.text()).name, "Inflector");
  }
  const file = await proxy.fetch("/cargo/crates/Inflector/1.0.0/download");
  assert.deepEqual(await file.bytes(), crate);
  await (await proxy.fetch("/why/pkg:cargo/INFLECTOR")).text();
  const indexes = registry.requests.filter(({ path }) => path === "/in/fl/inflector");
  assert.equal(indexes.length, 1);
});

Deno.test("crates that are told apart by `-` and `_` at upstream have an index each", async () => {
  await using registry = startCargoRegistry({ cacheControl: "max-age=600" });
  registry.publish({ name: "a-crate", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  for (const [path, status] of [["a-/cr/a-crate", 200], ["a_/cr/a_crate", 404]] as const) {
    const index = await proxy.fetch(`/cargo/${path}`);
    await index.text();
    assert.equal(index.status, status, path);
  }
});

Deno.test("a registry's config.json that cannot be read replaces none that could", async () => {
  await using registry = startCargoRegistry();
  const { crate } = registry.publish({ name: "leaf", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  const config = async () => {
    const response = await proxy.fetch("/cargo/config.json");
    return { status: response.status, text: await response.text() };
  };
  const good = await config();
  assert.equal(good.status, 200);
  for (const fault of [GARBAGE, DOWN, { ...GARBAGE, body: "{}" }]) {
    registry.mend();
    registry.fault(/config\.json/, fault);
    proxy.clock.now += LATER;
    assert.deepEqual(await config(), good);
    const index = await proxy.fetch("/cargo/le/af/leaf");
    assert.equal(JSON.parse(await index.text()).yanked, false);
    const file = await proxy.fetch("/cargo/crates/leaf/1.0.0/download");
    assert.deepEqual(await file.bytes(), crate);
  }
});

Deno.test("where config.json names other places, crates that did not change come from there", async () => {
  await using registry = startCargoRegistry({ separate: true });
  await using moved = startCargoRegistry();
  const crates = ["1.0.0", "1.1.0"].map((version) => {
    moved.publish({ name: "leaf", version });
    return registry.publish({ name: "leaf", version }).crate;
  });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  const get = async (path: string) => {
    const response = await proxy.fetch(path);
    const bytes = await response.bytes();
    assert.equal(response.status, 200, `${path} ${new TextDecoder().decode(bytes)}`);
    return bytes;
  };
  const index = await get("/cargo/le/af/leaf");
  assert.deepEqual(await get("/cargo/crates/leaf/1.0.0/download"), crates[0]);
  const config = JSON.stringify({ dl: `${moved.url}crates`, api: moved.url });
  registry.fault(/config\.json/, { kind: "body", body: config });
  await registry.files[Symbol.asyncDispose]();
  proxy.clock.now += LATER;
  assert.deepEqual(await get("/cargo/le/af/leaf"), index);
  assert.deepEqual(await get("/cargo/crates/leaf/1.1.0/download"), crates[1]);
  await get("/cargo/api/v1/crates/leaf");
});

Deno.test("to confirm crates, config.json is looked at once a minute, whatever it says itself", async () => {
  await using registry = startCargoRegistry({ cacheControl: "no-cache" });
  registry.publish({ name: "leaf", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  const asked = async () => {
    const before = registry.requests.length;
    await (await proxy.fetch("/cargo/le/af/leaf")).text();
    return registry.requests.slice(before).map(({ path }) => path);
  };
  await asked();
  for (let i = 0; i < 3; i++) assert.deepEqual(await asked(), ["/le/af/leaf"]);
  proxy.clock.now += LATER;
  assert.deepEqual(await asked(), ["/config.json", "/le/af/leaf"]);
});

Deno.test("config.json is read once, not for each file", async () => {
  await using registry = startCargoRegistry();
  for (const version of ["1.0.0", "1.1.0", "1.2.0"]) registry.publish({ name: "leaf", version });
  await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
  const download = async (version: string) => {
    const file = await proxy.fetch(`/cargo/crates/leaf/${version}/download`);
    assert.equal(file.status, 200);
    await file.bytes();
  };
  await download("1.0.0");
  const original = JSON.parse;
  const parsed: string[] = [];
  JSON.parse = (text, ...rest) => {
    parsed.push(text);
    return original(text, ...rest);
  };
  try {
    await download("1.1.0");
    await download("1.2.0");
  } finally {
    JSON.parse = original;
  }
  assert.deepEqual(parsed.filter((text) => text.includes('"dl"')), []);
});

for (const fault of [GARBAGE, DOWN]) {
  Deno.test(`publish times that are known stay known while the API fails with a ${fault.kind}`, async () => {
    await using registry = startCargoRegistry({ separate: true });
    registry.publish({ name: "leaf", version: "1.0.0", pubtime: false });
    await using proxy = await testProxy({ upstreams: { cargo: registry.url } });
    const yanked = async () => {
      const index = await proxy.fetch("/cargo/le/af/leaf");
      const lines = (await index.text()).trimEnd().split("\n");
      return lines.map((line) => JSON.parse(line).yanked);
    };
    assert.deepEqual(await yanked(), [false]);
    registry.files.fault(/api/, fault);
    registry.publish({ name: "leaf", version: "1.0.1", pubtime: false });
    proxy.clock.now += LATER;
    assert.deepEqual(await yanked(), [false, true], "of the new one nobody knows");
  });
}

Deno.test("a page beside an index that cannot be read replaces none that could", async () => {
  await using cargo = startCargoRegistry();
  await using pypi = startPypiRegistry();
  cargo.publish({ name: "leaf", version: "1.0.0" });
  pypi.publish({ name: "demo", version: "1.0" });
  await using proxy = await testProxy({ upstreams: { cargo: cargo.url, pypi: pypi.index } });
  for (
    const [registry, path] of [
      [cargo, "/cargo/api/v1/crates/leaf"],
      [cargo, "/cargo/api/v1/crates/leaf/1.0.0"],
      [pypi, "/pypi/demo/json"],
      [pypi, "/pypi/demo/1.0/json"],
    ] as const
  ) {
    registry.mend();
    const good = await (await proxy.fetch(path)).json();
    registry.fault(/\/(?:api|pypi)\//, GARBAGE);
    proxy.clock.now += LATER;
    const response = await proxy.fetch(path);
    assert.deepEqual(await response.json(), good, path);
  }
});

/** What upstream allows every answer to be used for. */
const LONG = { cacheControl: "max-age=600" };
/** Longer than an index is taken for confirmed a moment ago. */
const MOMENT = 5_000;

/** Three registries with `demo` 1.0.0, whose indexes are held, and then 2.0.0 is published. */
async function published() {
  const npm = startNpmRegistry(LONG);
  const pypi = startPypiRegistry(LONG);
  const cargo = startCargoRegistry(LONG);
  const publish = (version: string) => {
    npm.publish({ name: "demo", version });
    cargo.publish({ name: "demo", version });
    return pypi.publish({ name: "demo", version });
  };
  publish("1.0.0");
  const proxy = await testProxy({
    upstreams: { npm: npm.url, pypi: pypi.index, cargo: cargo.url },
  });
  const status = async (path: string, init?: RequestInit) => {
    const response = await proxy.fetch(path, init);
    await response.bytes();
    return response.status;
  };
  for (const path of ["/npm/demo", "/pypi/simple/demo/", "/cargo/de/mo/demo"]) {
    assert.equal(await status(path), 200);
  }
  proxy.clock.now += MOMENT;
  const [{ path }] = publish("2.0.0");
  return {
    npm,
    pypi,
    proxy,
    status,
    files: [
      "/npm/demo/-/demo-2.0.0.tgz",
      `/pypi/${path}`,
      `/pypi/${path}.metadata`,
      "/cargo/crates/demo/2.0.0/download",
    ],
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const registry of [npm, pypi, cargo]) await registry[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a file that only a newer index than ours has is found in that one", async () => {
  await using it = await published();
  for (const path of it.files) assert.equal(await it.status(path), 200, path);
});

Deno.test("one version's page that only a newer index than ours has is found by that one", async () => {
  for (
    const path of [
      "/npm/demo/2.0.0",
      "/pypi/demo/2.0.0/json",
      "/cargo/api/v1/crates/demo/2.0.0",
      "/why/pkg:npm/demo@2.0.0",
    ]
  ) {
    await using it = await published();
    assert.equal(await it.status(path), 200, path);
  }
});

Deno.test("a lockfile's version that only a newer index than ours has is judged by that one", async () => {
  await using it = await published();
  const response = await it.proxy.fetch("/check?filename=requirements.txt", {
    method: "POST",
    body: "demo==2.0.0\n",
  });
  const { summary } = await response.json();
  assert.deepEqual([summary.total, summary.allow], [1, 1]);
});

Deno.test("whoever asks for what there is not makes one request to upstream in five seconds", async () => {
  await using it = await published();
  const asked = () => it.npm.requests.filter(({ path }) => path === "/demo").length;
  const before = asked();
  for (let round = 1; round <= 3; round++) {
    const paths = Array.from({ length: 20 }, (_, i) => `/npm/demo/-/demo-9.0.${i}.tgz`);
    paths.push("/npm/demo/9.9.9", "/npm/demo/sometime", "/why/pkg:npm/demo@9.9.9");
    const together = await Promise.all(paths.map((path) => it.status(path)));
    for (const path of paths) together.push(await it.status(path));
    assert.deepEqual([...new Set(together)], [404]);
    assert.equal(asked() - before, round);
    it.proxy.clock.now += MOMENT;
  }
});

Deno.test("a file of one project makes nobody ask again for another that its name could mean", async () => {
  const listing = (name: string, filename: string) => ({
    body: JSON.stringify({
      meta: { "api-version": "1.0" },
      name,
      files: [{ filename, url: `/packages/${filename}`, hashes: {} }],
    }),
    type: "application/vnd.pypi.simple.v1+json",
  });
  await using registry = serveRegistry((_, path) => {
    if (path === "/simple/demo/") return listing("demo", "demo-extra-1.0.tar.gz");
    if (path === "/simple/demo-extra/") return listing("demo-extra", "demo_extra-2.0.tar.gz");
    return path.startsWith("/packages/") ? { body: "bytes", type: "application/gzip" } : null;
  }, LONG);
  await using proxy = await testProxy({
    upstreams: { pypi: `${registry.url}simple/` },
    policy: { rules: { min_age: { level: "off" } } },
  });
  for (let i = 0; i < 3; i++) {
    const response = await proxy.fetch("/pypi/packages/demo-extra-1.0.tar.gz");
    assert.equal(await response.text(), "bytes");
    proxy.clock.now += MOMENT;
  }
  const indexes = registry.requests.filter(({ path }) => path.startsWith("/simple/"));
  assert.deepEqual(indexes.map(({ path }) => path), ["/simple/demo-extra/", "/simple/demo/"]);
});

/** A list of projects that is larger than what is held of documents. */
async function longList() {
  const [projects, type] = [["demo", "other"], "application/vnd.pypi.simple.v1+json"];
  const list = () => ({
    meta: { "api-version": "1.4" },
    projects: projects.map((name) => ({ name, filler: "x".repeat(10_000) })),
  });
  const server = serveRegistry((_, path) =>
    path === "/simple/" ? { body: JSON.stringify(list()), type } : null
  );
  const proxy = await testProxy({
    upstreams: { pypi: `${server.url}simple/` },
    policies: { acme: { rules: { min_age: { level: "off" } } } },
    settings: { cacheBytes: 200_000 },
  });
  return {
    server,
    proxy,
    projects,
    async ask(accept: string, prefix = "") {
      const headers = { accept, "accept-encoding": "gzip" };
      const response = await proxy.fetch(`${prefix}/pypi/simple/`, { headers });
      const { body } = response;
      const unzipped = response.headers.get("content-encoding") === "gzip"
        ? body?.pipeThrough(new DecompressionStream("gzip"))
        : body;
      return await new Response(unzipped).text();
    },
    /** Requests to upstream: all, and those that ask for the whole list. */
    asked: () => [
      server.requests.length,
      server.requests.filter(({ headers }) => !headers.has("if-none-match")).length,
    ],
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a list of projects too large to be held is had once for each form, however it is asked for", async () => {
  await using it = await longList();
  const page = await it.ask("text/html");
  assert.match(page, /href="demo\/"/);
  for (const accept of ["text/html, a/b", "text/html, a/c", "*/*", ""]) {
    assert.equal(await it.ask(accept), page);
  }
  for (const prefix of ["/o-acme", "/o-acme/u-alice", "/before/2026-01-01"]) {
    assert.equal(await it.ask("text/html", prefix), page);
  }
  assert.deepEqual(it.asked(), [1, 1]);
  it.proxy.clock.now += LATER;
  assert.equal(await it.ask("text/html"), page);
  assert.deepEqual(it.asked(), [2, 1]);
  const type = "application/vnd.pypi.simple.v1+json";
  for (const accept of [type, `${type}, a/b`]) {
    assert.equal(JSON.parse(await it.ask(accept)).projects.length, 2);
  }
  assert.deepEqual(it.asked(), [3, 2]);
  it.projects.push("third");
  it.proxy.clock.now += LATER;
  assert.match(await it.ask("text/html"), /href="third\/"/);
});

Deno.test("a list of projects is given from what was made of it while upstream fails", async () => {
  await using it = await longList();
  const page = await it.ask("text/html");
  it.server.fault(/.*/, DOWN);
  it.proxy.clock.now += LATER;
  assert.equal(await it.ask("text/html"), page);
});
