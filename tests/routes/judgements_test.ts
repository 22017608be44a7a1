/** Judgements that are kept: for how long they hold, and what they share. */
import assert from "node:assert/strict";
import { DAY, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";

const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0", "accept": "application/json" };

async function versions(proxy: Awaited<ReturnType<typeof testProxy>>, org = "default") {
  const response = await proxy.fetch(`/o-${org}/npm/left`, { headers: NPM });
  return Object.keys((await response.json()).versions);
}

/** What is kept of the package, by policy. */
function judged({ deps }: Awaited<ReturnType<typeof testProxy>>) {
  const source = deps.publicSources.get("npm");
  assert.ok(source);
  const kept = deps.indexes.peek(deps.ecosystems[0], "left", { source, purpose: "file" });
  assert.ok(kept);
  return deps.judgements.get(kept.value) ?? new Map<string, never>();
}

Deno.test("a clock that was ahead for a moment lets nothing out for longer than that", async () => {
  await using registry = startNpmRegistry();
  await using proxy = await testProxy({ upstreams: { npm: registry.url } });
  const old = { name: "left", publishedAt: new Date(proxy.clock.now - 100 * DAY) };
  registry.publish({ ...old, version: "1.0.0" });
  const young = new Date(proxy.clock.now - 9.5 * DAY);
  registry.publish({ ...old, version: "1.1.0", publishedAt: young });
  const right = proxy.clock.now;
  proxy.clock.now += DAY;
  assert.deepEqual(await versions(proxy), ["1.0.0", "1.1.0"]);
  proxy.clock.now = right;
  assert.deepEqual(await versions(proxy), ["1.0.0"]);
  registry.publish({ ...old, version: "1.0.1" });
  proxy.clock.now += 1;
  assert.deepEqual(await versions(proxy), ["1.0.0", "1.0.1"], "and upstream is asked again");
});

Deno.test("orgs with the same rules hold one judgement of a package", async () => {
  await using registry = startNpmRegistry();
  const blocking = (reason: string) => ({
    rules: { block: { entries: [{ purl: "pkg:npm/left@1.1.0", reason }] } },
  });
  const policies = { a: blocking("bad"), b: blocking("bad"), c: blocking("worse") };
  await using proxy = await testProxy({ upstreams: { npm: registry.url }, policies });
  registry.publish({ name: "left", version: "1.0.0" });
  registry.publish({ name: "left", version: "1.1.0" });
  for (const org of Object.keys(policies)) {
    assert.deepEqual(await versions(proxy, org), ["1.0.0"]);
  }
  const held = [...judged(proxy).values()];
  assert.equal(held.length, 3);
  assert.equal(new Set(held.map(({ judgement }) => judgement)).size, 2, "c gives another reason");
});

Deno.test("whoever asks for many instants pushes out no policy's judgement", async () => {
  await using registry = startNpmRegistry();
  const policies = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`org-${i}`, { rules: { min_age: { age: `${i}d` } } }]),
  );
  await using proxy = await testProxy({ upstreams: { npm: registry.url }, policies });
  registry.publish({ name: "left", version: "1.0.0" });
  const orgs = Object.keys(policies);
  for (const org of orgs) await versions(proxy, org);
  for (let day = 1; day <= 20; day++) {
    const instant = `2026-01-${String(day).padStart(2, "0")}`;
    await (await proxy.fetch(`/before/${instant}/npm/left`, { headers: NPM })).text();
  }
  const revisions = [...judged(proxy).keys()];
  const ofInstants = revisions.filter((revision) => revision.includes(" before "));
  assert.equal(revisions.length - ofInstants.length, orgs.length);
  assert.ok(ofInstants.length > 0 && ofInstants.length <= 8, String(ofInstants.length));
});

Deno.test("a policy that is changed again and again holds one judgement of a package", async () => {
  await using registry = startNpmRegistry();
  await using proxy = await testProxy({ upstreams: { npm: registry.url } });
  registry.publish({ name: "left", version: "1.0.0" });
  registry.publish({ name: "left", version: "1.1.0" });
  for (let change = 0; change < 10; change++) {
    const withheld = `1.${change % 2}.0`;
    const policy = { rules: { block: { entries: [{ purl: `pkg:npm/left@${withheld}` }] } } };
    await proxy.deps.policies.replace("default", policy, { by: "test" });
    assert.deepEqual(await versions(proxy), withheld === "1.0.0" ? ["1.1.0"] : ["1.0.0"]);
  }
  assert.equal(judged(proxy).size, 1);
});
