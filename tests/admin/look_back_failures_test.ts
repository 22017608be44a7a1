/** What raises no alert, and what happens where something fails. */
import assert from "node:assert/strict";
import { AdvisoryStore } from "../../policy/store/advisories.ts";
import { keys } from "../../policy/store/keys.ts";
import { advisory, HAS_FIXTURES, recorded } from "../registry/osv.ts";
import { handOut, HOUR, MADE_UP, setting } from "./look_back_world.ts";

Deno.test("what was withdrawn, or is said of other versions, raises nothing", async () => {
  await using it = await setting();
  await handOut(it);
  it.osv.add(
    advisory("MAL-2026-1", {
      name: "axios",
      versions: ["1.14.1"],
      withdrawn: "2026-11-01T00:00:00Z",
    }),
    advisory("MAL-2026-2", { name: "axios", versions: ["1.14.2"] }),
    advisory("MAL-2026-3", { name: "axios-fork", versions: ["1.14.1"] }),
  );
  if (HAS_FIXTURES) it.osv.add(recorded("mal/npm-ctrl-plex-MAL-2026-4377-withdrawn.json"));
  assert.deepEqual((await it.later()).raised, 0);
  assert.deepEqual(await it.alerts("acme"), []);
});

Deno.test("vulnerable releases raise alerts where the org's rule looks at them, exceptions aside", async () => {
  const vulnerable = { level: "warn", severity: "high" };
  const waived = { purl: "pkg:npm/axios", rules: ["vulnerable"], until: "2999-01-01T00:00:00Z" };
  await using it = await setting({
    policies: {
      acme: { rules: { vulnerable } },
      globex: { rules: { vulnerable: { ...vulnerable, severity: "critical" } } },
      initech: { rules: { vulnerable }, exceptions: [waived] },
    },
  });
  await handOut(it);
  await it.install("/o-initech/u-dora", "/npm/axios/-/axios-1.14.1.tgz");
  await it.install("/o-open/u-eve", "/npm/axios/-/axios-1.14.1.tgz");
  const word = (severity: string) => ({ database_specific: { severity } });
  it.osv.add(
    advisory("GHSA-aaaa-bbbb-cccc", {
      name: "axios",
      events: [{ introduced: "1.0.0" }, { fixed: "1.14.1" }],
      ...word("HIGH"),
    }),
    advisory("GHSA-dddd-eeee-ffff", {
      name: "axios",
      events: [{ introduced: "0" }, { fixed: "1.15.0" }],
      ...word("HIGH"),
    }),
    advisory("GHSA-gggg-hhhh-iiii", {
      name: "axios",
      events: [{ introduced: "0" }],
      ...word("LOW"),
    }),
  );
  assert.equal((await it.later()).raised, 1);
  const [alert] = await it.alerts("acme");
  assert.equal(alert.advisory.id, "GHSA-dddd-eeee-ffff");
  assert.deepEqual([alert.advisory.malware, alert.advisory.severity], [false, "high"]);
  assert.deepEqual(alert.versions, ["1.14.1", "0.30.4"]);
  for (const org of ["globex", "initech", "open"]) assert.deepEqual(await it.alerts(org), [], org);
});

Deno.test("while OSV fails the job ends with a line in the log, and the next one finds everything", async () => {
  await using it = await setting();
  await handOut(it);
  it.osv.add(MADE_UP.axios, MADE_UP.litellm);
  it.osv.fault(/./, { kind: "status", status: 503 });
  const failed = await it.later();
  assert.equal(failed.raised, 0);
  assert.equal(failed.ended, "the advisory database does not answer");
  assert.ok(failed.unasked > 0);
  const logged = it.proxy.lines.filter(({ event }) => event === "look_back").at(-1);
  assert.deepEqual({ ...failed, event: "look_back" }, logged);
  it.osv.mend();
  const done = await it.later();
  assert.deepEqual([done.raised, done.ended], [4, null]);
});

Deno.test("one package whose advisories cannot be read keeps nobody else from being told", async () => {
  await using it = await setting();
  await handOut(it);
  it.osv.add(MADE_UP.axios, MADE_UP.litellm);
  it.osv.fault(/vulns\/MAL-2026-2307/, { kind: "body", body: '{"id": "MAL-2026-2307"}' });
  const done = await it.later();
  assert.deepEqual([done.raised, done.unasked, done.ended], [2, 2, null]);
  it.osv.mend();
  assert.equal((await it.later()).raised, 2);
});

for (const status of [404, 500]) {
  Deno.test(`a record that OSV answers with ${status} keeps no org after it from being told`, async () => {
    await using it = await setting();
    // More than are asked about at once, and first in order, all of one org.
    const { records } = it.proxy.deps;
    for (const name of ["poison", ...Array.from({ length: 100 }, (_, i) => `package-${i}`)]) {
      await records.add("install", {
        ...{ org: "aaa", user: "alice", ip: "", ecosystem: "npm", package: name },
        ...{ version: "1.0.0", filename: `${name}-1.0.0.tgz`, purl: `pkg:npm/${name}@1.0.0` },
        ...{ bytes: 1, verdict: "allow", policy: "01" },
      });
    }
    await handOut(it);
    it.osv.add(
      advisory("GHSA-xxxx-yyyy-zzzz", { name: "poison", versions: ["1.0.0"] }),
      MADE_UP.axios,
    );
    const headers = { "content-type": "application/json" };
    it.osv.fault(/vulns\/GHSA-xxxx/, { kind: "status", status, body: "{}", headers });
    const done = await it.later();
    assert.deepEqual([done.raised, done.unasked, done.ended], [2, 1, null]);
    assert.equal((await it.alerts("globex")).length, 1);
  });
}

Deno.test("a record without an answer in an org of its own keeps no other from being told", async () => {
  await using it = await setting();
  it.npm.publish({ name: "poison", version: "1.0.0" });
  await it.install("/o-aaa/u-alice", "/npm/poison/-/poison-1.0.0.tgz");
  await handOut(it);
  it.osv.add(advisory("GHSA-xxxx-yyyy-zzzz", { name: "poison", versions: ["1.0.0"] }));
  it.osv.add(MADE_UP.axios);
  it.osv.fault(/vulns\/GHSA-xxxx/, { kind: "reset", after: 1 });
  const done = await it.later();
  assert.deepEqual([done.raised, done.unasked, done.ended], [2, 1, null]);
});

Deno.test("OSV is asked for many packages at once, and for no name of ours", async () => {
  const registries = [{
    ecosystem: "npm",
    packages: "pkg:npm/@acme/*",
    url: "http://127.0.0.1:9/",
  }];
  const namespace = { level: "deny", names: ["pkg:npm/internal-*"] };
  await using it = await setting({ policies: { acme: { registries, rules: { namespace } } } });
  const { records } = it.proxy.deps;
  const names = Array.from({ length: 150 }, (_, i) => `package-${i}`);
  for (const name of [...names, "@acme/tool", "internal-tool"]) {
    for (const org of ["acme", "globex"]) {
      if (org === "globex" && !name.startsWith("package-")) continue;
      await records.add("install", {
        ...{ org, user: "alice", ip: "", ecosystem: "npm", package: name, version: "1.0.0" },
        ...{ filename: `${name}-1.0.0.tgz`, purl: `pkg:npm/${name}@1.0.0`, bytes: 1 },
        ...{ verdict: "allow", policy: "01" },
      });
    }
  }
  it.osv.add(advisory("MAL-2026-7", { name: "package-77", versions: ["1.0.0"] }));
  for (const name of ["@acme/tool", "internal-tool"]) {
    it.osv.add(advisory(`MAL-${name.length}`, { name, versions: ["1.0.0"] }));
  }
  const done = await it.later();
  assert.deepEqual([done.packages, done.raised], [300, 2]);
  assert.deepEqual(await it.alerts("acme").then((list) => list.map((one) => one.package)), [
    "package-77",
  ]);
  // What one org has asked the other needs not.
  const batches = it.asked().filter((path) => path === "/v1/querybatch").length;
  assert.ok(batches >= 2 && batches <= 15, `${batches} questions for 150 packages`);
  assert.deepEqual(it.asked().filter((path) => path !== "/v1/querybatch"), [
    "/v1/vulns/MAL-2026-7",
  ]);
});

Deno.test("without OSV, what was imported is what packages are held against", async () => {
  await using it = await setting({ osv: undefined });
  await handOut(it);
  assert.equal((await it.later()).raised, 0);
  const store = new AdvisoryStore(it.proxy.kv);
  const malware = { malware: true, reviewed: false, severity: null, ranges: [], fixed: [] };
  await store.replaceBulk(
    "npm",
    new Map([["axios", [{ id: "MAL-2026-2307", versions: ["1.14.1"], ...malware }]]]),
    { at: it.proxy.clock.now, now: it.proxy.clock.now },
  );
  const done = await it.later();
  assert.deepEqual([done.raised, done.ended], [2, null]);
  assert.deepEqual(it.asked(), []);
});

Deno.test("an org whose policy cannot be read is left out, the others are not", async () => {
  await using it = await setting({ policies: { acme: {} } });
  await handOut(it);
  it.osv.add(MADE_UP.axios);
  await it.proxy.kv.set(keys.policy("acme"), { revision: 7 });
  it.proxy.clock.now += HOUR;
  assert.equal((await it.later()).raised, 1);
  assert.equal((await it.alerts("globex")).length, 1);
  const failures = it.proxy.lines.filter(({ path }) => path === "look_back");
  assert.deepEqual(failures.map(({ org }) => org), ["acme"]);
});

Deno.test("whoever has lost the lease stops", async () => {
  await using it = await setting();
  await handOut(it);
  it.osv.add(MADE_UP.axios);
  const done = await it.later(AbortSignal.abort());
  assert.deepEqual([done.raised, done.ended], [0, "another instance took over"]);
});
