import assert from "node:assert/strict";
import { openAlerts } from "../../policy/store/alerts.ts";
import { openJournal } from "../../policy/store/journal.ts";
import { openRequests } from "../../policy/store/requests.ts";
import { found } from "../policy/store/alerts_fixture.ts";
import { DAY, type TestProxy, testProxy } from "../proxy.ts";
import { runTool } from "./tool.ts";

const query = (args: readonly string[], env: Record<string, string> = {}) =>
  runTool("query", args, env);

/** Something to be seen in every view of the org `acme`. */
async function furnish(proxy: TestProxy): Promise<void> {
  const now = () => proxy.clock.now;
  const { policies, tokens } = proxy.deps;
  const journal = openJournal({ now });
  const soon = new Date(now() + DAY).toISOString();
  const late = new Date(now() + 30 * DAY).toISOString();
  const entry = (name: string, until: string) => ({
    purl: `pkg:npm/${name}`,
    rules: ["min_age"],
    until,
    reason: "=cmd, \u202e too",
  });
  await policies.replace("acme", {
    exceptions: [entry("ends", soon), entry("stays", late)],
    webhooks: [{ url: "https://hooks.example/", secret: "s3cret" }],
  }, { by: "alice", reason: "for the build" });
  await tokens.create({ org: "acme", user: "bob", role: "client", expires: null, by: "alice" });
  await policies.update("acme", (document) => ({ ...document, mode: "audit" }), { by: "bob" });
  // Two journals do not order what they write within one millisecond.
  proxy.clock.now += 1;
  await openAlerts(proxy.kv, { now, journal }).raise(found(), "axios");
  const requests = openRequests(proxy.kv, { now, journal, policies });
  for (const version of ["1.0.0", "2.0.0"]) {
    const { request } = await requests.ask({
      org: "acme",
      user: "carol",
      authenticated: true,
      ip: "10.0.0.1",
      ecosystem: "npm",
      package: "left-pad",
      version,
      purl: `pkg:npm/left-pad@${version}`,
      rules: ["min_age"],
      codes: ["min_age"],
      message: "too young",
      reason: "the build needs it",
      ticket: "T-1",
      origin: null,
    });
    if (version === "1.0.0") {
      await requests.decide("acme", request.id, {
        decision: "approve",
        by: "alice",
        role: "editor",
        until: null,
        comment: null,
      });
    }
  }
  proxy.clock.now += 2 * DAY;
  await proxy.exceptions.expire();
  proxy.clock.now -= 2 * DAY;
}

function parse(text: string): Record<string, unknown>[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

Deno.test("deno task query answers the same from KV and from a running proxy", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    await using proxy = await testProxy({ kvPath: `${folder}/kv` });
    await furnish(proxy);
    const there = { PROXY_URL: proxy.listen(), PROXY_TOKEN: proxy.rootToken };
    const both = async (...args: string[]): Promise<string> => {
      const given = [...args, "--org", "acme"];
      const [direct, asked] = await Promise.all([
        query(given, { KV_URL: `${folder}/kv` }),
        query(given, there),
      ]);
      assert.deepEqual([direct.code, direct.stderr], [0, ""]);
      assert.deepEqual(asked, direct);
      return direct.stdout;
    };

    await t.step("audit: who changed what", async () => {
      const lines = parse(await both("audit"));
      assert.deepEqual(lines.slice(-3).map(({ by, action }) => [by, action]), [
        ["bob", "policy.replaced"],
        ["alice", "token.created"],
        ["alice", "policy.replaced"],
      ]);
      assert(lines.some(({ action }) => action === "exception.approved"));
      const one = await both("audit", "--action", "policy.replaced", "--by", "bob");
      assert.deepEqual(parse(one).map(({ changes }) => changes), [
        [{ pointer: "/mode", before: "enforce", after: "audit" }],
      ]);
      assert.equal(await both("audit", "--until", "7d"), "");
      assert.equal(parse(await both("audit", "--since", "7d", "--limit", "2")).length, 2);
      assert(!JSON.stringify(lines).includes("s3cret"));
    });
    await t.step("audit as a table names the members", async () => {
      const args = ["audit", "--by", "bob", "--format", "table"];
      const [head, row] = (await both(...args)).split("\n");
      assert.match(head, /^AT +BY +ACTION +TARGET +REASON +CHANGES$/);
      assert.match(row, /^\S+Z +bob +policy\.replaced +\/mode$/);
    });
    await t.step("audit as CSV has the columns of the API's", async () => {
      const csv = await both("audit", "--action", "token.created", "--format", "csv");
      const api = await proxy.fetch("/admin/v1/orgs/acme/audit?action=token.created&format=csv", {
        headers: { authorization: `Bearer ${proxy.rootToken}` },
      });
      assert.equal(csv, await api.text());
    });
    await t.step("alerts: what was handed out too early", async () => {
      const lines = parse(await both("alerts", "--status", "open"));
      assert.deepEqual(lines.map(({ package: name, status }) => [name, status]), [
        ["axios", "open"],
      ]);
      assert.equal(await both("alerts", "--status", "acknowledged"), "");
      const table = await both("alerts", "--format", "table");
      assert.match(table, /^AT +ADVISORY +SEVERITY +ECOSYSTEM +PACKAGE [^]*axios +1\.14\.1/);
      const csv = await both("alerts", "--format", "csv");
      const api = await proxy.fetch("/admin/v1/orgs/acme/alerts?format=csv", {
        headers: { authorization: `Bearer ${proxy.rootToken}` },
      });
      assert.equal(csv, await api.text());
    });
    await t.step("exceptions: what the policy waives, and what it waived", async () => {
      const purls = async (...args: string[]) =>
        parse(await both("exceptions", ...args)).map(({ purl }) => purl);
      const active = ["pkg:npm/stays", "pkg:npm/left-pad@1.0.0"];
      assert.deepEqual(await purls(), active);
      assert.deepEqual(await purls("--state", "active", "--limit", "1"), active.slice(0, 1));
      assert.deepEqual(await purls("--state", "ended"), ["pkg:npm/ends"]);
      const csv = await both("exceptions", "--state", "ended", "--format", "csv");
      assert.match(csv, /^id,purl,versions,rules,until,reason,ended\r\n/);
      assert.match(csv, /,pkg:npm\/ends,,min_age,[^,]*,"'=cmd, \\u\{202e\} too",/);
    });
    await t.step("requests: what was asked for", async () => {
      const versions = async (...args: string[]) =>
        parse(await both("requests", ...args)).map(({ version }) => version);
      assert.deepEqual(await versions(), ["2.0.0", "1.0.0"]);
      assert.deepEqual(await versions("--status", "open"), ["2.0.0"]);
      assert.deepEqual(await versions("--status", "approved"), ["1.0.0"]);
      assert.match(await both("requests", "--format", "table"), /^ID +AT +USER [^]*carol +pkg:npm/);
    });
    await t.step("what is asked of nobody is nothing", async () => {
      for (const view of ["audit", "alerts", "requests"]) {
        const { code, stdout, stderr } = await query([view], { KV_URL: ":memory:" });
        assert.deepEqual([code, stdout, stderr], [0, "", ""], view);
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("deno task query: filters of other views and unknown words are bad usage", async (t) => {
  const cases: [string[], RegExp][] = [
    [["audit", "--user", "x"], /--user.*audit.*action, by/],
    [["audit", "--action", "policy.replace"], /--action.*policy\.replaced/],
    [["installs", "--by", "x"], /--by/],
    [["alerts", "--status", "ended"], /--status.*acknowledged/],
    [["requests", "--status", "acknowledged"], /--status.*denied/],
    [["requests", "--since", "7d"], /--since/],
    [["exceptions", "--state", "open"], /--state.*ended/],
    [["exceptions", "--status", "open"], /--status/],
  ];
  for (const [args, message] of cases) {
    await t.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await query(args, { KV_URL: ":memory:" });
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, message);
    });
  }
});

Deno.test("deno task query: an unreadable policy is a failure that says so, from KV too", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const KV_URL = `${folder}/kv`;
    const kv = await Deno.openKv(KV_URL);
    await kv.set(["policy", "acme"], "nonsense");
    kv.close();
    const { code, stdout, stderr } = await query(["exceptions", "--org", "acme"], { KV_URL });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /Cannot read what is stored as policy of acme/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
