/** `POST <base>/check`: verdicts on a file before anything of it is installed. */
import assert from "node:assert/strict";
import { StoreUnavailable } from "../../policy/store/errors.ts";
import { createApp } from "../../routes/app.ts";
import type { Deps } from "../../routes/deps.ts";
import { DAY } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { brief, checkWorld } from "./check_world.ts";

Deno.test("every verdict there is, of three ecosystems, withheld ones first", async () => {
  await using it = await checkWorld();
  const checked = await it.check([
    "pkg:npm/left@1.0.0",
    "pkg:npm/left@4.0.0",
    "pkg:npm/left@2.0.0",
    "pkg:npm/left@3.0.0",
    "pkg:npm/left@9.9.9",
    "pkg:npm/nowhere@1.0.0",
    "pkg:npm/%40acme/tool@1.0.0",
    "pkg:pypi/demo-tool@1.0.0",
    "pkg:pypi/demo-tool@2.0",
    "pkg:pypi/demo-tool@3.0",
    "pkg:cargo/a_b@1.0.0",
    "pkg:cargo/a_b@1.0.1",
    "pkg:golang/example.com/x@1.0.0",
    "pkg:npm/versionless",
  ]);
  assert.deepEqual(brief(checked), [
    ["pkg:npm/left@2.0.0", "deny", "min_age"],
    ["pkg:npm/left@3.0.0", "deny", "blocked"],
    ["pkg:pypi/demo-tool@2.0", "deny", "min_age"],
    ["pkg:cargo/a_b@1.0.1", "deny", "yanked"],
    ["pkg:npm/left@9.9.9", "unknown", "not_found"],
    ["pkg:npm/nowhere@1.0.0", "unknown", "not_found"],
    ["pkg:npm/left@4.0.0", "warn", "deprecated"],
    ["pkg:pypi/demo-tool@3.0", "warn", "min_age"],
    ["pkg:golang/example.com/x@1.0.0", "unsupported", "unsupported"],
    ["pkg:npm/left@1.0.0", "allow", null],
    ["pkg:npm/%40acme/tool@1.0.0", "allow", null],
    ["pkg:pypi/demo-tool@1.0.0", "allow", null],
    ["pkg:cargo/a_b@1.0.0", "allow", null],
  ]);
  assert.deepEqual(checked.summary, {
    total: 13,
    allow: 4,
    warn: 2,
    deny: 4,
    unknown: 2,
    unsupported: 1,
    skipped: 1,
    ok: false,
  });
  assert.deepEqual(checked.skipped, [{ name: "versionless", reason: "has no version" }]);
  assert.equal(checked.org, "default");
  assert.notEqual(checked.policy, "");
  const [young] = checked.entries;
  assert.deepEqual(young, {
    purl: "pkg:npm/left@2.0.0",
    ecosystem: "npm",
    package: "left",
    version: "2.0.0",
    verdict: "deny",
    code: "min_age",
    reason: young.reason,
    until: it.grownUp,
    line: 3,
    why: "http://proxy.example/why/pkg:npm/left@2.0.0",
  });
  assert.match(young.reason ?? "", /10d/);
  const partly = checked.entries.find(({ purl }) => purl === "pkg:pypi/demo-tool@3.0");
  assert.match(partly?.reason ?? "", /^1 of 2 files are withheld: /);
  assert.equal(partly?.until, it.grownUp);
});

Deno.test("what is at hand all passes, and nothing of it is an install", async () => {
  await using it = await checkWorld();
  const checked = await it.check(["pkg:npm/left@1.0.0", "pkg:pypi/demo-tool@1.0"]);
  assert.equal(checked.summary.ok, true);
  assert.deepEqual([await it.proxy.installs(), await it.proxy.refusals()], [[], []]);
  const line = it.proxy.lines.findLast(({ event }) => event === "checked");
  assert.deepEqual([line?.total, line?.allow, line?.org], [2, 2, "default"]);
});

Deno.test("the verdict is the download's: /why's page and the file say the same", async () => {
  await using it = await checkWorld();
  const { entries: [entry] } = await it.check(["pkg:npm/left@2.0.0"]);
  const why = await it.proxy.fetch(new URL(entry.why ?? "").pathname, {
    headers: { accept: "application/json" },
  });
  const { versions: [version] } = await why.json();
  assert.deepEqual(
    [version.verdict, version.code, version.reason, version.until],
    [entry.verdict, entry.code, entry.reason, entry.until],
  );
  const file = await it.proxy.fetch("/npm/left/-/left-2.0.0.tgz");
  assert.equal(file.status, 403);
  await file.body?.cancel();
  it.proxy.clock.now += 10 * DAY;
  assert.equal((await it.check(["pkg:npm/left@2.0.0"])).summary.ok, true);
});

Deno.test("two orgs, two policies; the time machine's prefix counts", async () => {
  await using it = await checkWorld({
    policies: {
      lax: { rules: { min_age: { age: "0" } } },
      audit: { mode: "audit" },
    },
  });
  const file = ["pkg:npm/left@2.0.0"];
  assert.equal((await it.check(file)).summary.ok, false);
  const lax = await it.check(file, "/o-lax/u-alice/check");
  assert.deepEqual([lax.org, lax.summary.ok], ["lax", true]);
  assert.equal(
    lax.entries[0].why,
    "http://proxy.example/o-lax/u-alice/why/pkg:npm/left@2.0.0",
  );
  assert.deepEqual(brief(await it.check(file, "/o-audit/check")), [
    ["pkg:npm/left@2.0.0", "warn", "min_age"],
  ]);
  assert.deepEqual(brief(await it.check(file, "/o-lax/before/2026-01-01/check")), [
    ["pkg:npm/left@2.0.0", "deny", "freeze"],
  ]);
});

Deno.test("the org's `auth` applies, and a token for another org is refused", async () => {
  await using it = await checkWorld({
    policies: { strict: { auth: "token" }, named: { auth: "identify" } },
  });
  const file = "pkg:npm/left@1.0.0";
  const anonymous = await it.refused(file, "/o-strict/check");
  assert.deepEqual([anonymous.status, anonymous.code], [401, "token_required"]);
  assert.match(anonymous.headers.get("www-authenticate") ?? "", /^Token/);
  assert.equal((await it.refused(file, "/o-named/check")).code, "user_required");
  assert.deepEqual(it.asked(), []);
  assert.equal((await it.check(file, "/o-named/u-bob/check")).summary.ok, true);
  const token = async (org: string) =>
    (await it.proxy.deps.tokens.create({
      org,
      user: "alice",
      role: "client",
      expires: null,
      by: "test",
    })).secret;
  const authorization = `Bearer ${await token("strict")}`;
  const checked = await it.check(file, "/check", { authorization });
  assert.deepEqual([checked.org, checked.summary.ok], ["strict", true]);
  const other = { authorization: `Bearer ${await token("other")}` };
  assert.equal((await it.post(file, "/o-strict/check", other)).status, 403);
});

Deno.test("ORGS=closed: an org without a policy is 404", async () => {
  await using it = await checkWorld({ settings: { orgs: "closed" } });
  assert.equal((await it.refused("pkg:npm/left@1.0.0", "/o-nobody/check")).status, 404);
  assert.deepEqual(it.asked(), []);
});

Deno.test("`strict` holds what this proxy does not serve against a file", async () => {
  await using it = await checkWorld();
  const file = "pkg:golang/example.com/x@1.0.0";
  assert.equal((await it.check(file)).summary.ok, true);
  assert.equal((await it.check(file, "/check?strict=0")).summary.ok, true);
  assert.equal((await it.check(file, "/check?strict=1")).summary.ok, false);
  assert.equal((await it.check(file)).entries[0].why, null);
});

Deno.test("an upstream that fails is no pass: each of its packages is unknown, with the reason", async () => {
  await using it = await checkWorld();
  it.pypi.fault(/.*/, { kind: "status", status: 500 });
  const checked = await it.check(["pkg:npm/left@1.0.0", "pkg:pypi/demo-tool@1.0"]);
  assert.deepEqual(brief(checked), [
    ["pkg:pypi/demo-tool@1.0", "unknown", "upstream_status"],
    ["pkg:npm/left@1.0.0", "allow", null],
  ]);
  assert.equal(checked.summary.ok, false);
  it.pypi.mend();
  it.pypi.fault(/.*/, { kind: "body", body: "<<<", type: "application/json" });
  const [entry] = (await it.check(["pkg:pypi/demo-tool@1.0"])).entries;
  assert.deepEqual([entry.verdict, entry.code], ["unknown", "metadata_invalid"]);
});

Deno.test("a store that fails is no pass either", async () => {
  await using it = await checkWorld();
  const down = () => Promise.reject(new StoreUnavailable("the test says so"));
  const { deps } = it.proxy;
  const post = async (broken: Partial<Deps>) => {
    const app = createApp({ ...deps, ...broken });
    const body = "pkg:npm/left@1.0.0";
    return await app(new Request("http://proxy.example/check", { method: "POST", body }));
  };
  const policies = Object.assign(Object.create(deps.policies), {
    get: down,
    peek: () => undefined,
    recall: () => undefined,
    failing: () => false,
  });
  const refused = await post({ policies });
  assert.equal(refused.status, 503);
  assert.equal((await refused.json()).code, "store_unavailable");
  const lifts = { add: down, find: down, peek: () => undefined };
  const checked = await post({ lifts });
  assert.equal(checked.headers.get("check-result"), "fail");
  const { entries: [entry] } = await checked.json();
  assert.deepEqual([entry.verdict, entry.code], ["unknown", "store_unavailable"]);
});

Deno.test("private registries are asked for their packages alone, names that are ours nobody", async () => {
  await using inside = startNpmRegistry({ authorization: "Bearer inside" });
  inside.publish({ name: "@acme/tool", version: "5.0.0" });
  await using it = await checkWorld({
    policy: {
      registries: [{
        ecosystem: "npm",
        packages: "pkg:npm/@acme/*",
        url: inside.url,
        token_env: "REGISTRY_TOKEN_A",
      }],
      rules: { namespace: { level: "deny", names: ["pkg:npm/ours-*"] } },
    },
    settings: { registryToken: () => "inside" },
  });
  const checked = await it.check([
    "pkg:npm/%40acme/tool@1.0.0",
    "pkg:npm/%40acme/tool@5.0.0",
    "pkg:npm/ours-only@1.0.0",
    "pkg:npm/left@1.0.0",
  ]);
  assert.deepEqual(brief(checked), [
    ["pkg:npm/ours-only@1.0.0", "deny", "namespace"],
    ["pkg:npm/%40acme/tool@1.0.0", "unknown", "not_found"],
    ["pkg:npm/%40acme/tool@5.0.0", "allow", null],
    ["pkg:npm/left@1.0.0", "allow", null],
  ]);
  assert.deepEqual(it.npm.requests.map(({ path }) => path), ["/left"]);
  assert.equal(inside.requests.length, 1);
});

Deno.test("an npm client's audit lifts what it lifts for its downloads", async () => {
  await using it = await checkWorld();
  it.npm.advise("left", { vulnerable_versions: "<2.0.0" });
  const audit = { left: ["1.0.0"] };
  const url = "/npm/-/npm/v1/security/advisories/bulk";
  assert.equal((await it.check(["pkg:npm/left@2.0.0"])).summary.ok, false);
  const answer = await it.post(JSON.stringify(audit), url, { "content-type": "application/json" });
  assert.equal(answer.status, 200, await answer.text());
  assert.equal((await it.check(["pkg:npm/left@2.0.0"])).summary.ok, true);
});

Deno.test("a package is loaded once, however many of its versions a file names", async () => {
  await using it = await checkWorld();
  await it.check(["pkg:npm/left@1.0.0", "pkg:npm/left@2.0.0", "pkg:npm/left@3.0.0"]);
  assert.deepEqual(it.asked(), ["/left"]);
});

Deno.test("what is not judged within four minutes is unknown", async () => {
  await using it = await checkWorld();
  const { deps } = it.proxy;
  let asked = 0;
  const now = () => asked++ < 2 ? deps.now() : deps.now() + 240_000;
  const app = createApp({ ...deps, now });
  const response = await app(
    new Request("http://proxy.example/check", { method: "POST", body: "pkg:npm/left@1.0.0" }),
  );
  const { entries: [entry], summary } = await response.json();
  assert.deepEqual([entry.verdict, entry.code], ["unknown", "not_checked"]);
  assert.equal(summary.ok, false);
  assert.deepEqual(it.asked(), []);
});

Deno.test("the four minutes end among the versions of one package, too", async () => {
  await using it = await checkWorld();
  const { deps } = it.proxy;
  let now = deps.now();
  const app = createApp({ ...deps, now: () => now += 1_000 });
  const body = Array.from({ length: 300 }, (_, i) => `pkg:npm/left@1.0.${i}`).join("\n");
  const response = await app(new Request("http://proxy.example/check", { method: "POST", body }));
  const { entries } = await response.json();
  const codes = Map.groupBy(entries, ({ code }: { code: string | null }) => code);
  assert.deepEqual(new Set(codes.keys()), new Set([null, "not_found", "not_checked"]));
  assert.deepEqual(it.asked(), ["/left"]);
});

Deno.test("files wait for each other in the order they came, and each is answered", async () => {
  await using it = await checkWorld();
  const sent = Array.from({ length: 12 }, (_, i) => `pkg:npm/left@${i % 2 + 1}.0.0`);
  const results = await Promise.all(sent.map((file) => it.check(file)));
  assert.deepEqual(
    results.map(({ summary }) => summary.ok),
    sent.map((file) => file.endsWith("1.0.0")),
  );
});

Deno.test("a lockfile's entries are judged at their lines, and what is from no registry is named", async () => {
  await using it = await checkWorld();
  const at = (name: string, version: string, resolved: string) => ({
    [`node_modules/${name}`]: { version, resolved, integrity: "sha512-AAAA" },
  });
  const commit = "0123456789012345678901234567890123456789";
  const lock = {
    name: "project",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: {
      "": { name: "project", version: "1.0.0" },
      ...at("left", "2.0.0", "https://registry.example/left/-/left-2.0.0.tgz"),
      ...at("@acme/tool", "1.0.0", "https://registry.example/@acme/tool/-/tool-1.0.0.tgz"),
      ...at("forked", "1.0.0", `git+https://git.example/a/b.git#${commit}`),
    },
  };
  const text = JSON.stringify(lock, null, 2);
  const checked = await it.check(text, "/check?filename=package-lock.json");
  assert.deepEqual(brief(checked), [
    ["pkg:npm/left@2.0.0", "deny", "min_age"],
    ["pkg:npm/%40acme/tool@1.0.0", "allow", null],
  ]);
  const lines = text.split("\n");
  for (const { package: name, line } of checked.entries) {
    const near = lines.slice((line ?? 0) - 1, line ?? 0).join("");
    assert.ok(near.includes(name), `${name}: ${near}`);
  }
  assert.equal(checked.skipped.length, 1);
  assert.match(checked.skipped[0].name, /^forked/);
});
