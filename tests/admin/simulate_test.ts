/** What another policy would have refused, with real registries on loopback and a clock that moves. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { simulation } from "../../admin/simulation_summary.ts";
import type { RecordInput } from "../../policy/types.ts";
import { DAY, type ProxyOptions, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { advisory, startOsv } from "../registry/osv.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import { isObject, member } from "./world.ts";

const HOUR = DAY / 24;
const OPEN = { rules: { min_age: { level: "off" }, malware: { level: "off" } } };

async function setting(options: Omit<ProxyOptions, "upstreams" | "osv"> = {}) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const osv = startOsv();
  const upstreams = { npm: npm.url, pypi: pypi.index };
  const proxy = await testProxy({ policy: OPEN, osv: osv.url, ...options, upstreams });
  const post = async (body: unknown, { org = "acme", token = proxy.rootToken } = {}) => {
    const response = await proxy.fetch(`/admin/v1/orgs/${org}/simulate`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer: unknown = await response.json();
    assert(isObject(answer));
    return { status: response.status, answer };
  };
  return {
    npm,
    pypi,
    osv,
    proxy,
    post,
    async simulate(body: unknown, options: Parameters<typeof post>[1] = {}) {
      const { status, answer } = await post(body, options);
      assert.equal(status, 200, JSON.stringify(answer));
      return v.parse(simulation, answer);
    },
    async install(who: string, path: string): Promise<void> {
      const response = await proxy.fetch(`${who}${path}`);
      await response.arrayBuffer();
      assert.equal(response.status, 200, path);
      proxy.clock.now += 1_000;
    },
    async record(more: Partial<RecordInput>): Promise<void> {
      await proxy.deps.records.add("install", {
        ...{ org: "acme", user: "alice", ip: "", ecosystem: "npm", package: "left" },
        ...{ version: "1.0.0", filename: "left-1.0.0.tgz", purl: "pkg:npm/left@1.0.0" },
        ...{ bytes: 1, verdict: "allow", policy: "01" },
        ...more,
      });
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [npm, pypi, osv]) await server[Symbol.asyncDispose]();
    },
  };
}

const tarball = (name: string, version: string) => `/npm/${name}/-/${name}-${version}.tgz`;

Deno.test("each install is judged as at its own time: young then is not young today", async () => {
  await using it = await setting();
  const { clock } = it.proxy;
  const published = clock.now - 2 * DAY;
  it.npm.publish({ name: "left", version: "1.0.0" });
  it.npm.publish({ name: "left", version: "1.1.0", publishedAt: new Date(published) });
  await it.install("/o-acme/u-alice", tarball("left", "1.1.0"));
  await it.install("/o-acme/u-alice", tarball("left", "1.0.0"));
  clock.now = published + 10 * DAY - HOUR;
  await it.install("/o-acme/u-bob", tarball("left", "1.1.0"));
  clock.now = published + 10 * DAY;
  await it.install("/o-acme/u-carol", tarball("left", "1.1.0"));
  await it.install("/o-globex/u-dave", tarball("left", "1.1.0"));
  clock.now = published + 20 * DAY;

  const policy = { rules: { min_age: { age: "10d" }, malware: { level: "off" } } };
  const found = await it.simulate({ policy });
  assert.deepEqual(
    [found.installs, found.refused, found.warned, found.allowed, found.unknown, found.cut],
    [4, 2, 0, 2, 0, null],
  );
  assert.deepEqual(found.by_code, { min_age: { refused: 2, warned: 0 } });
  assert.deepEqual(
    found.packages.map(({ purl, refused, users, code }) => [purl, refused, users, code]),
    [["pkg:npm/left@1.1.0", 2, 2, "min_age"]],
  );
  assert.deepEqual(
    found.users.map(({ user, refused, packages }) => [user, refused, packages]).sort(),
    [["alice", 1, 1], ["bob", 1, 1]],
  );
  assert.equal(found.examples.length, 2);
  const [example] = found.examples;
  assert.deepEqual([example.user, example.filename, example.verdict], [
    "alice",
    "left-1.1.0.tgz",
    "deny",
  ]);
  assert.match(example.reason, /published/);
  assert.equal((await it.simulate({ policy }, { org: "globex" })).refused, 0);

  const audit = await it.simulate({ policy: { ...policy, mode: "audit" } });
  assert.deepEqual([audit.refused, audit.warned, audit.allowed], [0, 2, 2]);
});

Deno.test("nothing is stored or recorded, and viewers may ask", async () => {
  await using it = await setting();
  it.npm.publish({ name: "left", version: "1.0.0" });
  await it.install("/o-acme/u-alice", tarball("left", "1.0.0"));
  const make = async (role: "viewer" | "client") =>
    (await it.proxy.deps.tokens.create({
      ...{ org: "acme", user: role, role, expires: null, by: "root" },
    })).secret;
  const policy = { rules: { block: { entries: [{ purl: "pkg:npm/left" }] } } };
  const found = await it.simulate({ policy }, { token: await make("viewer") });
  assert.deepEqual(found.by_code, { blocked: { refused: 1, warned: 0 } });
  assert.equal((await it.post({ policy }, { token: await make("client") })).status, 403);
  assert.equal((await it.post({ policy }, { org: "x", token: await make("viewer") })).status, 403);
  assert.equal(await it.proxy.deps.policies.read("acme"), null);
  assert.equal((await it.proxy.installs("acme")).length, 1);
  assert.equal((await it.proxy.refusals("acme")).length, 0);
});

Deno.test("a patch is merged into the policy the org lives under; thinkst's document is a policy too", async () => {
  await using it = await setting({
    policies: { acme: { ...OPEN, exceptions: [{ purl: "pkg:npm/left", rules: ["license"] }] } },
  });
  it.npm.publish({ name: "left", version: "1.0.0", extra: { license: "AGPL-3.0" } });
  it.npm.publish({ name: "right", version: "1.0.0", extra: { license: "AGPL-3.0" } });
  for (const name of ["left", "right"]) {
    await it.install("/o-acme/u-alice", tarball(name, "1.0.0"));
  }
  const license = { level: "deny", deny: ["AGPL-*"] };
  const patched = await it.simulate({ patch: { rules: { license } } });
  assert.deepEqual(patched.packages.map(({ purl }) => purl), ["pkg:npm/right@1.0.0"]);
  const whole = await it.simulate({ policy: { ...OPEN, rules: { ...OPEN.rules, license } } });
  assert.equal(whole.refused, 2);
  const legacy = await it.simulate({ policy: { MIN_AGE_DAYS: 1, blocklist: ["npm:left@1.0.0"] } });
  assert.deepEqual(legacy.packages.map(({ code, package: name }) => [name, code]), [
    ["left", "blocked"],
  ]);
});

Deno.test("advisories count as they are known today", async () => {
  await using it = await setting();
  it.npm.publish({ name: "left", version: "1.0.0" });
  await it.install("/o-acme/u-alice", tarball("left", "1.0.0"));
  const [old] = it.pypi.publish({ name: "tool", version: "1.0" });
  await it.install("/o-acme/u-alice", `/pypi/${old.path}`);
  it.osv.add(advisory("MAL-2026-1", { name: "left", versions: ["1.0.0"] }));
  it.proxy.clock.now += 2 * HOUR;
  const found = await it.simulate({ policy: {} });
  assert.deepEqual(found.by_code, { malware: { refused: 1, warned: 0 } });
  assert.match(found.packages[0].reason, /MAL-2026-1/);
  assert.deepEqual([found.allowed, found.unknown], [1, 0]);
});

Deno.test("what the registry no longer says anything about is unknown, never silently left out", async () => {
  await using it = await setting();
  it.npm.publish({ name: "left", version: "1.0.0" });
  it.npm.publish({ name: "broken", version: "1.0.0" });
  for (const name of ["left", "broken"]) {
    await it.install("/o-acme/u-alice", tarball(name, "1.0.0"));
  }
  await it.record({ version: "9.9.9", filename: "left-9.9.9.tgz", purl: "pkg:npm/left@9.9.9" });
  await it.record({ package: "gone", purl: "pkg:npm/gone@1.0.0" });
  await it.record({ ecosystem: "maven", package: "a.b:c", purl: "pkg:maven/a.b/c@1.0.0" });
  it.npm.fault(/broken/, { kind: "body", body: "<html>" });
  it.proxy.clock.now += 2 * DAY;
  const found = await it.simulate({ policy: {} });
  assert.deepEqual([found.installs, found.allowed, found.unknown], [5, 1, 4]);
  const reasons = new Map(
    found.unknown_packages.map((one) => [one.package, `${one.installs} ${one.reason}`]),
  );
  assert.match(reasons.get("left") ?? "", /^1 The registry has no such version/);
  assert.match(reasons.get("gone") ?? "", /^1 npm has no such package/);
  assert.match(reasons.get("a.b:c") ?? "", /^1 This proxy serves no packages of maven/);
  assert.ok(reasons.get("broken"), "of broken");
});

Deno.test("the policy in force says which registry is asked: another policy sends nobody's token anywhere", async () => {
  const stranger = startNpmRegistry();
  const own = startNpmRegistry({ authorization: "Bearer s3cret" });
  try {
    own.publish({ name: "@acme/tool", version: "1.0.0" });
    const registry = (url: string, packages: string) => ({
      registries: [{ ecosystem: "npm", packages, url, token_env: "REGISTRY_TOKEN_ACME" }],
    });
    await using it = await setting({
      policies: { acme: { ...OPEN, ...registry(own.url, "pkg:npm/@acme/*") } },
      settings: { registryToken: () => "s3cret" },
    });
    it.npm.publish({ name: "left", version: "1.0.0" });
    await it.install("/o-acme/u-alice", "/npm/@acme/tool/-/tool-1.0.0.tgz");
    await it.install("/o-acme/u-alice", tarball("left", "1.0.0"));
    const before = it.osv.requests.length;
    it.proxy.clock.now += 2 * HOUR;
    const found = await it.simulate({ policy: registry(stranger.url, "pkg:npm/*") });
    assert.deepEqual([found.installs, found.allowed], [2, 2]);
    const open = await it.simulate({ policy: {} });
    assert.deepEqual([open.installs, open.allowed], [2, 2]);
    assert.deepEqual(stranger.requests, []);
    assert.deepEqual(it.npm.requests.filter(({ path }) => path.includes("acme")), []);
    // Of left alone: the name of a private package is nobody else's business.
    assert.equal(it.osv.requests.length - before, 1);
  } finally {
    await stranger[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
  }
});

Deno.test("a name that the other policy refuses needs no registry to be refused", async () => {
  await using it = await setting();
  await it.record({ package: "internal-tool", purl: "pkg:npm/internal-tool@1.0.0" });
  it.proxy.clock.now += HOUR;
  const namespace = { level: "deny", names: ["pkg:npm/internal-*"] };
  const found = await it.simulate({ policy: { rules: { namespace } } });
  assert.deepEqual(found.by_code, { namespace: { refused: 1, warned: 0 } });
  assert.deepEqual(it.npm.requests, []);
});

Deno.test("a new dependency is judged by its age at the time of the install", async () => {
  await using it = await setting();
  const { clock } = it.proxy;
  const days = (count: number) => new Date(clock.now - count * DAY);
  it.npm.publish({ name: "fresh", version: "1.0.0", publishedAt: days(5) });
  it.npm.publish({ name: "app", version: "1.0.0", publishedAt: days(200) });
  const dependencies = { fresh: "^1.0.0" };
  it.npm.publish({ name: "app", version: "1.0.1", publishedAt: days(4), dependencies });
  await it.install("/o-acme/u-alice", tarball("app", "1.0.1"));
  clock.now += 8 * DAY;
  await it.install("/o-acme/u-bob", tarball("app", "1.0.1"));
  clock.now += 10 * DAY;
  const rules = { ...OPEN.rules, new_dependency: { level: "deny", age: "10d" } };
  const found = await it.simulate({ policy: { rules } });
  assert.deepEqual(found.by_code, { new_dependency: { refused: 1, warned: 0 } });
  assert.deepEqual(found.users.map(({ user }) => user), ["alice"]);
});

Deno.test("the period is days, or since and until", async () => {
  await using it = await setting();
  const { clock } = it.proxy;
  for (let day = 0; day < 40; day++) {
    await it.record({ user: `day-${day}` });
    clock.now += DAY;
  }
  const policy = { rules: { allow_only: { level: "deny", entries: [] } } };
  it.npm.publish({ name: "left", version: "1.0.0" });
  const refused = async (body: object) => (await it.simulate({ policy, ...body })).refused;
  assert.equal(await refused({}), 30);
  assert.equal(await refused({ days: 7 }), 7);
  assert.equal(await refused({ since: "10d", until: "5d" }), 5);
  const { since, until } = await it.simulate({ policy, since: "10d", until: "5d" });
  assert.equal(Date.parse(until) - Date.parse(since), 5 * DAY);
});

Deno.test("what is no policy or no period is answered with its faults, by pointer", async () => {
  await using it = await setting();
  const pointers = async (body: unknown) => {
    const { status, answer } = await it.post(body);
    assert.equal(status, 422, JSON.stringify(answer));
    const errors = answer.errors;
    assert(Array.isArray(errors));
    return errors.map((one) => member(one, "pointer")).sort();
  };
  const rules = { min_age: { age: "soon" }, typo: {} };
  assert.deepEqual(await pointers({ policy: { rules } }), [
    "/policy/rules/min_age/age",
    "/policy/rules/typo",
  ]);
  assert.deepEqual(await pointers({ patch: { mode: "perhaps" } }), ["/patch/mode"]);
  assert.deepEqual(await pointers({}), [""]);
  assert.deepEqual(await pointers({ policy: {}, patch: {} }), [""]);
  assert.deepEqual(await pointers({ policy: null }), ["/policy"]);
  assert.deepEqual(await pointers([]), [""]);
  assert.deepEqual(await pointers({ policy: {}, days: 0 }), ["/days"]);
  assert.deepEqual(await pointers({ policy: {}, day: 1 }), ["/day"]);
  assert.deepEqual(await pointers({ policy: {}, days: 1, since: "2d" }), ["/since"]);
  assert.deepEqual(await pointers({ policy: {}, since: "yesterday" }), ["/since"]);
  assert.deepEqual(await pointers({ policy: {}, since: "1d", until: "2d" }), ["/until"]);
});
