/** What was handed out before anybody knew: one alert for each org, with who had it and when. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { alertSchema } from "../../policy/store/alert.ts";
import type { Alert } from "../../policy/store/alerts.ts";
import { temporary } from "../process.ts";
import { startReceiver } from "../receiver.ts";
import { HAS_FIXTURES, type OsvRecord, recorded } from "../registry/osv.ts";
import { handOut, HOUR, MADE_UP, setting } from "./look_back_world.ts";

const MESSAGE = v.object({
  events: v.array(v.object({
    org: v.string(),
    event: v.string(),
    text: v.string(),
    link: v.string(),
    details: v.object({ alert: alertSchema }),
  })),
});

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
