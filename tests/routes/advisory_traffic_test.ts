/** How often OSV is asked, about what, and when. */
import assert from "node:assert/strict";
import { startNpmRegistry } from "../registry/npm.ts";
import { advisory } from "../registry/osv.ts";
import { mal, setting } from "./advisory_world.ts";

const HOUR = 3_600_000;

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    assert.ok(i < 1_000, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("three hundred packages are asked for in a few batches, and again in fewer", async () => {
  await using it = await setting();
  const names = Array.from({ length: 300 }, (_, i) => `package-${i}`);
  for (const [i, name] of names.entries()) {
    it.npm.publish({ name, version: "1.0.0" });
    if (i % 10 !== 0) continue;
    it.osv.add(
      advisory(`GHSA-0000-0000-${i}`, { name, versions: ["0.9.0"] }),
      advisory(`GHSA-0001-0000-${i}`, { name, versions: ["0.8.0"] }),
    );
  }
  const install = async () => {
    const before = it.osv.requests.length;
    const waiting = names.values();
    await Promise.all(Array.from({ length: 15 }, async () => {
      for (const name of waiting) assert.deepEqual(await it.versions(name), ["1.0.0"]);
    }));
    await it.proxy.advisories.settled();
    return it.osv.requests.slice(before).map(({ path }) => path);
  };
  const cold = await install();
  const count = (paths: string[], path: string) => paths.filter((one) => one === path).length;
  assert.equal(count(cold, "/v1/query"), 30, "one for each package with new records");
  assert.ok(count(cold, "/v1/querybatch") <= 60, `${count(cold, "/v1/querybatch")} batches`);
  assert.deepEqual(await install(), []);
  it.proxy.clock.now += 2 * HOUR;
  const warm = await install();
  assert.equal(count(warm, "/v1/querybatch"), warm.length, "nothing has changed");
  assert.ok(warm.length <= 60, `${warm.length} batches`);
});

Deno.test("OSV is asked as soon as upstream is, and once, though the index comes later", async () => {
  await using it = await setting();
  for (const version of ["1.0.0", "1.0.1"]) it.npm.publish({ name: "bad", version });
  it.osv.add(mal("bad", "1.0.1"));
  it.npm.fault(/bad/, { kind: "status", status: 503 });
  assert.deepEqual(await it.versions("bad"), ["503"]);
  await until(() => it.osv.requests.length === 2);
  assert.ok(it.asked()[1].startsWith("GET /v1/vulns/MAL-"));
  it.npm.mend();
  assert.deepEqual(await it.versions("bad"), ["1.0.0"]);
  assert.equal(it.osv.requests.length, 2);
});

Deno.test("what failed ahead of an index is asked again for the index", async () => {
  await using it = await setting();
  for (const version of ["1.0.0", "1.0.1"]) it.npm.publish({ name: "bad", version });
  it.osv.add(mal("bad", "1.0.1"));
  it.npm.fault(/bad/, { kind: "status", status: 503 });
  it.osv.fault(/./, { kind: "status", status: 500 });
  assert.deepEqual(await it.versions("bad"), ["503"]);
  await until(() => it.osv.requests.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  it.npm.mend();
  it.osv.mend();
  assert.deepEqual(await it.versions("bad"), ["1.0.0"]);
});

Deno.test("OSV is not asked about a name so long that it would fail for the others of its batch", async () => {
  await using it = await setting();
  it.pypi.publish({ name: "other", version: "1.0" });
  const names = ["other", "a".repeat(500), "b".repeat(501), "c".repeat(3_000)];
  const pages = await Promise.all(names.map((name) => it.text(`/pypi/simple/${name}/`)));
  assert.deepEqual(pages.map(({ status }) => status), [200, 404, 404, 404]);
  assert.deepEqual(it.osv.batches.flat().toSorted(), [names[1], "other"]);
});

Deno.test("dependencies of the newest release are asked about together, before anybody asks for them", async () => {
  await using own = startNpmRegistry();
  await using it = await setting({
    policy: {
      registries: [{ ecosystem: "npm", packages: "pkg:npm/@acme/*", url: own.url }],
      rules: { namespace: { level: "deny", names: ["pkg:npm/ours-*"] } },
    },
  });
  const names = ["first", "second", "third"];
  for (const name of names) it.npm.publish({ name, version: "1.0.0" });
  const dependencies = Object.fromEntries(
    [...names, "@acme/tool", "ours-too"].map((name) => [name, "^1.0.0"]),
  );
  it.npm.publish({ name: "whole", version: "0.9.0", dependencies: { old: "1" } });
  it.npm.publish({ name: "whole", version: "1.0.0", dependencies });
  assert.deepEqual(await it.versions("whole"), ["0.9.0", "1.0.0"]);
  await until(() => it.osv.requests.length === 2);
  for (const name of names) assert.deepEqual(await it.versions(name), ["1.0.0"]);
  assert.deepEqual(it.osv.batches, [["whole"], names]);
});

Deno.test("OSV is not told of packages of private registries", async () => {
  await using own = startNpmRegistry();
  own.publish({ name: "@acme/tool", version: "1.0.0" });
  await using it = await setting({
    policy: { registries: [{ ecosystem: "npm", packages: "pkg:npm/@acme/*", url: own.url }] },
  });
  assert.deepEqual(await it.versions("@acme/tool"), ["1.0.0"]);
  assert.deepEqual(it.asked(), []);
});
