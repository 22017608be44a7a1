/** Which address means what: the proxy's own pages, the ecosystems' mounts, older addresses, subdomains. */
import assert from "node:assert/strict";
import { BROWSER, CURL, NPM, OWN, setting } from "./world.ts";

const CORGI = { accept: "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8" };

Deno.test("a reserved name is the npm package for npm's family, by User-Agent or by Accept", async () => {
  await using it = await setting();
  const agents = [
    "npm/12.0.0 node/v24.0.0 linux x64 workspaces/false",
    "pnpm/11.0.0 npm/? node/v24.0.0 linux x64",
    "yarn/1.22.22 npm/? node/v24.0.0 linux x64",
    "Bun/1.3.0",
    "Deno/2.9.6",
  ];
  for (const name of OWN) {
    for (const headers of [...agents.map((agent) => ({ "user-agent": agent })), CORGI]) {
      for (const prefix of ["", "/o-acme", "/o-acme/u-alice"]) {
        assert.equal((await it.json(`${prefix}/${name}`, headers)).name, name);
      }
    }
  }
});

Deno.test("a reserved name is the proxy's own for everybody else", async () => {
  await using it = await setting();
  assert.equal((await it.json("/health")).status, "ok");
  assert.equal(await it.status("/health", BROWSER), 200);
  for (const agent of ["Deno/2.9.6", "node"]) {
    const script = { "user-agent": agent, "accept-language": "*" };
    assert.equal((await it.json("/health", script)).status, "ok");
  }
  assert.match(await (await it.get("/setup")).text(), /Package Proxy/);
  assert.equal(await it.status("/why"), 404);
  assert.equal(await it.status("/admin"), 404);
  assert.equal(await it.status("/admin/v1/orgs"), 401);
  assert.equal(await it.status("/npm"), 200);
  assert.equal((await it.json("/npm")).registry, "npm");
  assert.equal(await it.status("/cargo"), 404);
  assert.equal(await it.status("/files"), 404);
  assert.deepEqual(it.asked().filter((path) => /^\/(?:why|admin|cargo|files|npm)$/.test(path)), []);
});

Deno.test("below a reserved name the proxy's own routes win for npm's family too", async () => {
  await using it = await setting();
  assert.equal(await it.status("/admin/v1/orgs", NPM), 401);
  assert.equal(await it.status("/why/pkg:npm/left", NPM), 200);
  assert.equal((await it.json("/npm/left", NPM)).name, "left");
  assert.equal((await it.json("/npm/npm", NPM)).name, "npm");
  assert.equal((await it.json("/npm/health", NPM)).name, "health");
  assert.equal(await it.status("/health/1.0.0", NPM), 404);
});

Deno.test("npm's paths work at the root", async () => {
  await using it = await setting();
  assert.equal((await it.json("/left", NPM)).name, "left");
  assert.equal((await it.json("/left")).name, "left");
  for (const path of ["/@acme%2ftool", "/@acme%2Ftool", "/@acme/tool"]) {
    const { name, versions } = await it.json(path, NPM);
    assert.equal(name, "@acme/tool");
    const { tarball } = versions["1.0.0"].dist;
    assert.equal(tarball, "http://proxy.example/@acme/tool/-/tool-1.0.0.tgz");
    assert.equal(await it.status(new URL(tarball).pathname, NPM), 200);
  }
  assert.equal((await it.json("/left/1.0.0")).version, "1.0.0");
  assert.equal((await it.json("/left/latest")).version, "1.0.0");
  assert.equal(await it.status("/-/ping"), 200);
  assert.equal(await it.status("/"), 200);
});

Deno.test("corepack's paths, with a slash too many, work where npm's do and go no further", async () => {
  await using it = await setting({ settings: { baseDomain: "packages.example" } });
  for (
    const base of [
      "http://proxy.example/npm/",
      "http://proxy.example/o-acme/npm/",
      "http://proxy.example/o-acme/u-alice/npm/",
      "http://proxy.example/",
      "http://proxy.example/o-acme/",
      "http://npm.acme.packages.example/",
      "http://npm.acme.packages.example/npm/",
    ]
  ) {
    for (const path of ["left/1.0.0", "@acme/tool/latest"]) {
      const { status, text } = await it.at(`${base}/${path}`);
      assert.equal(status, 200, `${base} ${text}`);
      const { tarball } = JSON.parse(text).dist;
      assert.ok(tarball.startsWith(`${base}${path.replace(/[^/]+$/, "")}-/`), tarball);
      assert.equal((await it.at(tarball)).status, 200);
    }
  }
  const asked = new Set(it.asked().filter((path) => path.includes("left")));
  assert.deepEqual([...asked].sort(), ["/left", "/left/-/left-1.0.0.tgz"]);
});

Deno.test("older addresses keep working", async () => {
  await using it = await setting();
  const { filename, path } = it.wheel;
  for (
    const address of [
      "/npmfiles/left/-/left-1.0.0.tgz",
      "/npm/left/-/left-1.0.0.tgz",
      `/pypi/${path}`,
      `/files/${path}`,
      `/pypi/${path}.metadata`,
      `/files/${path}.metadata`,
      "/pypi/demo-tool/",
      "/pypi/demo-tool/json",
      "/pypi/demo-tool/1.0/json",
      "/cargo-rs/config.json",
      "/cargo-rs/de/mo/demo",
      "/cargo/crates/demo/1.0.0/download",
      "/cargo-rs/crates/demo/1.0.0/download",
      "/cargofiles/demo/1.0.0/download",
      "/cargofiles/crates/demo/1.0.0/download",
    ]
  ) {
    assert.equal(await it.status(address), 200, address);
    assert.equal(await it.status(`/o-acme/u-alice${address}`), 200, address);
    assert.equal(await it.status(address, CURL, { method: "HEAD" }), 200, `HEAD ${address}`);
  }
  const installs = await it.proxy.installs();
  assert.equal(installs.length, 8, "every file, companions and HEAD not counted");
  assert.equal(installs.filter((install) => install.filename === filename).length, 2);
});

Deno.test("PyPI's un-normalised names redirect below the very address that was asked", async () => {
  await using it = await setting();
  for (
    const [asked, to] of [
      ["/pypi/simple/Demo.Tool/", "/pypi/simple/demo-tool/"],
      ["/pypi/simple/demo-tool", "/pypi/simple/demo-tool/"],
      ["/o-acme/u-alice/pypi/simple/DEMO_TOOL", "/o-acme/u-alice/pypi/simple/demo-tool/"],
    ]
  ) {
    const response = await it.get(asked);
    assert.equal(response.status, 301);
    assert.equal(response.headers.get("location"), `http://proxy.example${to}`);
  }
});

Deno.test("addresses in an index are below the base that was asked", async () => {
  await using it = await setting();
  const base = "http://proxy.example/o-acme/u-alice";
  const npm = await it.json("/o-acme/u-alice/npm/left");
  assert.equal(npm.versions["1.0.0"].dist.tarball, `${base}/npm/left/-/left-1.0.0.tgz`);
  const { files } = await it.json("/o-acme/u-alice/pypi/simple/demo-tool/", {
    accept: "application/vnd.pypi.simple.v1+json",
  });
  assert.equal(files[0].url, `${base}/pypi/${it.wheel.path}`);
  const config = await it.json("/o-acme/u-alice/cargo-rs/config.json");
  assert.equal(config.dl, `${base}/cargo-rs/crates`);
  const root = await it.json("/o-acme/left");
  const { tarball } = root.versions["1.0.0"].dist;
  assert.equal(tarball, "http://proxy.example/o-acme/left/-/left-1.0.0.tgz");
});

Deno.test("PUBLIC_URL is the outside address of everything rewritten", async () => {
  await using it = await setting({ settings: { publicUrl: "https://packages.example/proxy" } });
  const base = "https://packages.example/proxy";
  const { versions } = await it.json("/o-acme/npm/left");
  assert.equal(versions["1.0.0"].dist.tarball, `${base}/o-acme/npm/left/-/left-1.0.0.tgz`);
  assert.equal((await it.json("/cargo/config.json")).dl, `${base}/cargo/crates`);
  const redirect = await it.get("/pypi/simple/Demo.Tool/");
  assert.equal(redirect.headers.get("location"), `${base}/pypi/simple/demo-tool/`);
  assert.ok((await (await it.get("/", BROWSER)).text()).includes(`${base}/npm/`));
});

Deno.test("with BASE_DOMAIN the host names the org, and the ecosystem before it", async () => {
  await using it = await setting({
    settings: { baseDomain: "packages.example" },
    policies: { acme: { rules: { block: { entries: [{ purl: "pkg:npm/left" }] } } } },
  });
  const at = async (url: string, headers?: HeadersInit) => await it.at(url, headers);
  const tarball = ({ text }: { text: string }) => JSON.parse(text).versions["1.0.0"].dist.tarball;
  assert.equal((await at("http://acme.packages.example/npm/left")).status, 403);
  assert.equal((await at("http://packages.example/npm/left")).status, 200);
  assert.equal((await at("http://other.example/npm/left")).status, 200);
  assert.equal((await at("http://npm.acme.packages.example/left")).status, 403);
  assert.equal(
    tarball(await at("http://npm.beta.packages.example/left")),
    "http://npm.beta.packages.example/left/-/left-1.0.0.tgz",
  );
  assert.equal(
    tarball(await at("http://npm.beta.packages.example/npm/left")),
    "http://npm.beta.packages.example/npm/left/-/left-1.0.0.tgz",
  );
  assert.equal(
    (await at("http://npm.beta.packages.example/left/-/left-1.0.0.tgz")).status,
    200,
  );
  assert.equal((await at("http://pypi.beta.packages.example/simple/demo-tool/")).status, 200);
  assert.equal((await at("http://cargo.beta.packages.example/de/mo/demo")).status, 200);
  assert.equal(
    JSON.parse((await at("http://cargo.beta.packages.example/config.json")).text).dl,
    "http://cargo.beta.packages.example/crates",
  );
  assert.match((await at("http://npm.acme.packages.example/why/pkg:npm/left")).text, /"acme"/);
  assert.equal(JSON.parse((await at("http://npm.acme.packages.example/health")).text).status, "ok");
  assert.match((await at("http://npm.acme.packages.example/", BROWSER)).text, /Package Proxy/);
  // Only its own ecosystem is there.
  assert.equal((await at("http://npm.beta.packages.example/pypi/simple/demo-tool/")).status, 404);
  assert.equal((await at("http://cargo.beta.packages.example/left")).status, 404);
  assert.equal((await at("http://acme.packages.example/o-beta/npm/left")).status, 400);
  assert.equal((await at("http://Bad_Org!.packages.example/npm/left")).status, 400);
  const installs = await it.proxy.installs("beta");
  assert.equal(installs.length, 1);
});

Deno.test("ORGS=closed: an org without a policy is 404 everywhere, the default org is not", async () => {
  await using it = await setting({
    settings: { orgs: "closed" },
    policies: { acme: {} },
    policy: {},
  });
  for (const path of ["/npm/left", "/npm/left/-/left-1.0.0.tgz", "/why/pkg:npm/left", "/setup"]) {
    assert.equal(await it.status(`/o-nobody${path}`), 404, path);
    assert.equal(await it.status(`/o-acme${path}`), 200, path);
    assert.equal(await it.status(path), 200, path);
  }
  assert.equal(await it.status("/o-nobody/", BROWSER), 404);
  assert.equal(await it.status("/o-nobody/health"), 200);
  assert.deepEqual(it.asked().filter((path) => path !== "/left" && !path.endsWith(".tgz")), []);
});

Deno.test("ORGS=closed: the default org and those with a token need no policy of their own", async () => {
  await using it = await setting({ settings: { orgs: "closed" } });
  assert.equal(await it.status("/npm/left"), 200);
  const { secret } = await it.proxy.deps.tokens.create({
    org: "beta",
    user: "ci",
    role: "client",
    expires: null,
    by: "test",
  });
  assert.equal(await it.status("/npm/left", { authorization: `Bearer ${secret}` }), 200);
  assert.equal(await it.status("/o-beta/npm/left"), 404);
});

Deno.test("what no ecosystem knows is 404", async () => {
  await using it = await setting();
  for (
    const path of [
      "/npm/left/-",
      "/npm/left/-/",
      "/npm/left/1.0.0/x",
      "/npm/-/nothing",
      "/npm/%E0%A4%A",
      "/pypi/simple/demo-tool/x/y",
      "/pypi/integrity/x",
      "/files/x",
      "/cargo/api/v1/me",
      "/cargo/x/y/z/demo",
      "/why/",
      "/health/x",
      "/setup/x",
      "/favicon.ico/x/y",
      "/.well-known/security.txt/x",
      "/a/b/c/d",
    ]
  ) {
    const status = await it.status(path);
    assert.ok(status === 404 || (path === "/why/" && status === 400), `${path} ${status}`);
  }
});

Deno.test("HEAD and OPTIONS are answered everywhere, and change nothing", async () => {
  await using it = await setting();
  for (
    const path of [
      "/",
      "/health",
      "/setup",
      "/why/pkg:npm/left",
      "/npm/",
      "/npm/left",
      "/npm/left/-/left-1.0.0.tgz",
      "/pypi/simple/",
      "/pypi/simple/demo-tool/",
      `/pypi/${it.wheel.path}`,
      "/cargo/config.json",
      "/cargo/de/mo/demo",
    ]
  ) {
    assert.equal(await it.status(path, CURL, { method: "HEAD" }), 200, path);
    const options = await it.get(path, CURL, { method: "OPTIONS" });
    assert.equal(options.status, 405, path);
    assert.match(options.headers.get("allow") ?? "", /GET, HEAD/);
    assert.equal(options.headers.get("access-control-allow-origin"), null);
    await options.text();
  }
  assert.deepEqual(await it.proxy.installs(), []);
});

Deno.test("the admin API is the same below a prefix", async () => {
  await using it = await setting();
  const headers = { authorization: `Bearer ${it.proxy.rootToken}` };
  for (const prefix of ["", "/o-acme", "/o-acme/u-alice"]) {
    const { status } = await it.get(`${prefix}/admin/v1/orgs/default/policy`, headers);
    assert.equal(status, 200, prefix);
  }
  const response = await it.get("/o-acme/admin/v1/orgs/acme/policy", {
    ...headers,
    "content-type": "application/json",
  }, { method: "PUT", body: '{"mode":"audit"}' });
  assert.equal(response.status, 201, await response.text());
  assert.equal((await it.proxy.deps.policies.get("acme")).mode, "audit");
});

Deno.test("the admin API answers with problem documents before it is known who asks, too", async () => {
  await using it = await setting();
  const { secret } = await it.proxy.deps.tokens.create({
    ...{ org: "acme", user: "alice", role: "admin", expires: null, by: "root" },
  });
  const path = "/admin/v1/orgs/globex/policy";
  for (
    const [address, token, status, code] of [
      [`/o-globex${path}`, secret, 403, "token_org"],
      [`/o-globex/u-ci${path}?x=1`, secret, 403, "token_org"],
      [path, "pp_unknown", 401, "token_unknown"],
      [`/o-Globex${path}`, secret, 400, "org_invalid"],
    ] as const
  ) {
    const response = await it.get(address, { authorization: `Bearer ${token}`, accept: "*/*" });
    assert.equal(response.status, status, address);
    assert.equal(response.headers.get("content-type"), "application/problem+json", address);
    const problem = await response.json();
    assert.deepEqual([problem.type, problem.status], [`urn:package-proxy:problem:${code}`, status]);
  }
  // What is no address of the API is answered as before.
  for (const address of ["/o-globex/npm/admin/", "/o-globex/admin/-/admin-1.0.0.tgz"]) {
    const response = await it.get(address, { authorization: `Bearer ${secret}` });
    assert.equal(response.status, 403);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain/, address);
    await response.body?.cancel();
  }
});
