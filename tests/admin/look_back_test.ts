/** What was handed out before anybody knew: real registries and an OSV on loopback, the clock moved. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { type LookBack, lookBack } from "../../admin/look_back.ts";
import { SCHEMES } from "../../ecosystems/mod.ts";
import { AdvisoryStore } from "../../policy/store/advisories.ts";
import { type Alert, openAlerts } from "../../policy/store/alerts.ts";
import { alertSchema } from "../../policy/store/alert.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { keys } from "../../policy/store/keys.ts";
import { temporary } from "../process.ts";
import { type ProxyOptions, testProxy } from "../proxy.ts";
import { startReceiver } from "../receiver.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { advisory, HAS_FIXTURES, type OsvRecord, recorded, startOsv } from "../registry/osv.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

const HOUR = 3_600_000;
const PAGE = v.object({ items: v.array(alertSchema) });
const MESSAGE = v.object({
  events: v.array(v.object({
    org: v.string(),
    event: v.string(),
    text: v.string(),
    link: v.string(),
    details: v.object({ alert: alertSchema }),
  })),
});

async function setting(options: Omit<ProxyOptions, "upstreams"> & { osv?: string } = {}) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const osv = startOsv();
  const upstreams = { npm: npm.url, pypi: pypi.index };
  const proxy = await testProxy({ osv: osv.url, ...options, upstreams });
  const { kv, clock } = proxy;
  const now = () => clock.now;
  const alerts = openAlerts(kv, { now, journal: openJournal({ now }) });
  return {
    npm,
    pypi,
    osv,
    proxy,
    /** The job, an hour later. */
    later(signal?: AbortSignal): Promise<LookBack> {
      clock.now += HOUR;
      return this.again(signal);
    },
    async again(signal?: AbortSignal): Promise<LookBack> {
      const { records, policies } = proxy.deps;
      const { advisories } = proxy;
      const { log } = proxy.deps;
      const schemes = SCHEMES;
      return await lookBack({ records, policies, alerts, advisories, schemes, now, log, signal });
    },
    /** Installs a file, a minute after the one before. */
    async install(who: string, path: string): Promise<string> {
      clock.now += 60_000;
      const response = await proxy.fetch(`${who}${path}`);
      await response.arrayBuffer();
      assert.equal(response.status, 200, path);
      return new Date(clock.now).toISOString();
    },
    async alerts(org: string): Promise<Alert[]> {
      const response = await proxy.fetch(`/admin/v1/orgs/${org}/alerts`, {
        headers: { authorization: `Bearer ${proxy.rootToken}` },
      });
      return v.parse(PAGE, await response.json()).items;
    },
    async news(): Promise<string[]> {
      const list = kv.list<Record<string, unknown>>({ prefix: keys.allNews() });
      return (await Array.fromAsync(list))
        .filter(({ value }) => value.kind === "alert").map(({ value }) => String(value.org));
    },
    asked: () => osv.requests.map(({ path }) => path),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [npm, pypi, osv]) await server[Symbol.asyncDispose]();
    },
  };
}

type Setting = Awaited<ReturnType<typeof setting>>;

const ALICE = "/o-acme/u-alice";
const BOB = "/o-acme/u-bob";
const CAROL = "/o-globex/u-carol";

/** Hands out axios and litellm, good and bad, to three users of two orgs. */
async function handOut(it: Setting) {
  for (const version of ["1.14.0", "1.14.1", "0.30.4"]) it.npm.publish({ name: "axios", version });
  const files = new Map<string, string>();
  for (const version of ["1.82.6", "1.82.7", "1.82.8"]) {
    const [file] = it.pypi.publish({ name: "litellm", version });
    files.set(version, `/pypi/${file.path}`);
  }
  const litellm = (version: string) => files.get(version) ?? assert.fail(version);
  const axios = (version: string) => `/npm/axios/-/axios-${version}.tgz`;
  const times = {
    alice: await it.install(ALICE, axios("1.14.1")),
    bob: [await it.install(BOB, axios("0.30.4")), await it.install(BOB, axios("1.14.1"))],
    carol: await it.install(CAROL, axios("1.14.1")),
    litellm: await it.install(ALICE, litellm("1.82.8")),
    globex: await it.install(CAROL, litellm("1.82.7")),
  };
  await it.install(CAROL, axios("1.14.0"));
  await it.install(BOB, litellm("1.82.6"));
  return times;
}

const MADE_UP = {
  axios: advisory("MAL-2026-2307", {
    name: "axios",
    versions: ["0.30.4", "1.14.1"],
    summary: "Malicious code in axios (npm)",
  }),
  litellm: advisory("MAL-2026-2144", {
    ecosystem: "PyPI",
    name: "litellm",
    versions: ["1.82.7", "1.82.8"],
  }),
};

const users = ({ installs }: Alert) =>
  installs.users.map(({ user, versions, count, first, last }) => ({
    user,
    versions,
    count,
    first,
    last,
  }));

for (
  const [what, ignore, advisories] of [
    ["as recorded", !HAS_FIXTURES, () => ({
      axios: recorded("mal/npm-axios-MAL-2026-2307.json"),
      litellm: recorded("mal/pypi-litellm-MAL-2026-2144.json"),
    })],
    ["made up", false, () => MADE_UP],
  ] as const
) {
  Deno.test({
    name: `axios and litellm, handed out before their advisories (${what}): one alert for each org`,
    ignore,
    async fn() {
      await using it = await setting();
      const times = await handOut(it);
      assert.deepEqual((await it.later()).raised, 0);

      const { axios, litellm }: Record<string, OsvRecord> = advisories();
      it.osv.add(axios, litellm);
      const done = await it.later();
      assert.deepEqual([done.raised, done.ended, done.unasked], [4, null, 0]);

      const acme = await it.alerts("acme");
      assert.deepEqual(acme.map((alert) => alert.package).sort(), ["axios", "litellm"]);
      const [ofAxios] = acme.filter((alert) => alert.package === "axios");
      assert.equal(ofAxios.advisory.id, "MAL-2026-2307");
      assert.equal(ofAxios.advisory.malware, true);
      assert.equal(ofAxios.advisory.url, "https://osv.dev/vulnerability/MAL-2026-2307");
      assert.match(ofAxios.advisory.summary ?? "", /^Malicious code in axios/);
      assert.deepEqual(ofAxios.versions, ["1.14.1", "0.30.4"]);
      assert.equal(ofAxios.installs.count, 3);
      const [bobFirst, bobLast] = times.bob;
      assert.deepEqual(users(ofAxios), [
        { user: "bob", versions: ["1.14.1", "0.30.4"], count: 2, first: bobFirst, last: bobLast },
        { user: "alice", versions: ["1.14.1"], count: 1, first: times.alice, last: times.alice },
      ]);
      assert.deepEqual([ofAxios.first, ofAxios.last], [times.alice, bobLast]);
      const [ofLitellm] = acme.filter((alert) => alert.package === "litellm");
      assert.deepEqual(ofLitellm.versions, ["1.82.8"]);
      assert.deepEqual(users(ofLitellm).map(({ user, first }) => [user, first]), [
        ["alice", times.litellm],
      ]);

      const globex = await it.alerts("globex");
      assert.deepEqual(
        globex.map((alert) => [alert.package, alert.versions, users(alert)[0].first]).sort(),
        [["axios", ["1.14.1"], times.carol], ["litellm", ["1.82.7"], times.globex]],
      );
      assert.deepEqual((await it.news()).sort(), ["acme", "acme", "globex", "globex"]);

      const before = JSON.stringify([acme, globex]);
      assert.equal((await it.again()).raised, 0);
      const last = await it.later();
      assert.deepEqual([last.raised, last.updated], [0, 0]);
      assert.equal(JSON.stringify([await it.alerts("acme"), await it.alerts("globex")]), before);
      assert.equal((await it.news()).length, 4);
    },
  });
}

Deno.test("two processes that look back at once raise one alert for each org", async () => {
  await using folder = await temporary();
  const kvPath = folder.file("kv");
  await using it = await setting({ kvPath });
  await handOut(it);
  it.osv.add(MADE_UP.axios, MADE_UP.litellm);
  it.proxy.clock.now += HOUR;
  const script = new URL("look_back_process.ts", import.meta.url).pathname;
  const runs = Array.from({ length: 2 }, () =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        "--no-check",
        script,
        kvPath,
        it.osv.url,
        String(it.proxy.clock.now),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn());
  const readers = runs.map(({ stdout }) => stdout.pipeThrough(new TextDecoderStream()).getReader());
  for (const reader of readers) assert.equal((await reader.read()).value, "ready\n");
  await Promise.all(runs.map(async ({ stdin }) => {
    const writer = stdin.getWriter();
    await writer.write(new TextEncoder().encode("go\n"));
    await writer.close();
  }));
  const outcomes = await Promise.all(readers.map(async (reader) => {
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    return v.parse(v.object({ raised: v.number(), ended: v.null() }), JSON.parse(text));
  }));
  for (const { status } of runs) assert.equal((await status).code, 0);
  assert.equal(outcomes.reduce((sum, { raised }) => sum + raised, 0), 4);
  for (const org of ["acme", "globex"]) {
    const found = (await it.alerts(org)).map((alert) => alert.package).sort();
    assert.deepEqual(found, ["axios", "litellm"]);
  }
  assert.equal((await it.news()).length, 4);
});

Deno.test("installs that come to light later are added to the alert; nobody is told twice", async () => {
  await using it = await setting({ policies: { acme: { rules: { malware: { level: "warn" } } } } });
  await handOut(it);
  it.osv.add(MADE_UP.axios);
  assert.equal((await it.later()).raised, 2);
  const time = await it.install("/o-acme/u-dora", "/npm/axios/-/axios-1.14.1.tgz");
  const done = await it.later();
  assert.deepEqual([done.raised, done.updated], [0, 1]);
  const [alert] = await it.alerts("acme");
  assert.equal(alert.installs.count, 4);
  assert.deepEqual(users(alert).map(({ user }) => user), ["dora", "bob", "alice"]);
  assert.equal(alert.last, time);
  assert.equal((await it.news()).length, 2);
});

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

Deno.test("webhooks of the orgs hear of an alert once each, with what an answer needs", async () => {
  await using receiver = startReceiver();
  const webhooks = [{ url: receiver.url, events: ["alert"] }];
  await using it = await setting({
    settings: { webhookAllow: ["127.0.0.1:*"] },
    policies: { acme: { webhooks }, globex: { webhooks } },
  });
  await handOut(it);
  it.osv.add(MADE_UP.axios);
  for (let run = 0; run < 3; run++) {
    await it.later();
    await it.proxy.tellWebhooks();
  }
  const events = receiver.messages.flatMap(({ text }) => v.parse(MESSAGE, JSON.parse(text)).events);
  assert.deepEqual(events.map(({ org, event }) => `${org} ${event}`).sort(), [
    "acme alert",
    "globex alert",
  ]);
  const [{ text, link, details }] = events.filter(({ org }) => org === "acme");
  assert.match(text, /^axios 1\.14\.1, 0\.30\.4 \(npm\) is malware: MAL-2026-2307\./);
  assert.equal(link, "https://osv.dev/vulnerability/MAL-2026-2307");
  assert.deepEqual([details.alert], await it.alerts("acme"));
});
