import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { DAY, testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { runTool } from "./tool.ts";

const NPM = { "user-agent": "npm/12.0.0", accept: "application/json" };

const query = (args: readonly string[], env: Record<string, string> = {}) =>
  runTool("query", args, env);

async function withFile(content: string, work: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, content);
    await work(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("deno task query simulate says what another policy would have refused, as the API does", async (t) => {
  await using npm = startNpmRegistry();
  await using proxy = await testProxy({
    upstreams: { npm: npm.url },
    policy: { rules: { min_age: { level: "off" }, malware: { level: "off" } } },
  });
  const young = new Date(proxy.clock.now - 2 * DAY);
  npm.publish({ name: "old", version: "1.0.0" });
  npm.publish({ name: "young", version: "1.0.0", publishedAt: young });
  for (const name of ["old", "young"]) {
    const path = `/o-default/u-alice/npm/${name}/-/${name}-1.0.0.tgz`;
    const response = await proxy.fetch(path, { headers: NPM });
    assert.equal(response.status, 200, await response.text());
  }
  proxy.clock.now += 1_000;
  const env = { PROXY_URL: proxy.listen(), PROXY_TOKEN: proxy.rootToken };
  const policy = { rules: { min_age: { level: "deny", age: "5d" }, malware: { level: "off" } } };

  await withFile(JSON.stringify(policy), async (path) => {
    const simulate = (...args: string[]) => query(["simulate", "--policy", path, ...args], env);
    await t.step("as the API, in JSON", async () => {
      const { code, stdout, stderr } = await simulate("--since", "7d", "--format", "json");
      assert.deepEqual([code, stderr], [0, ""]);
      const response = await proxy.fetch("/admin/v1/orgs/default/simulate", {
        method: "POST",
        headers: {
          authorization: `Bearer ${proxy.rootToken}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ policy, since: "7d" }),
      });
      // The command line reads its own clock.
      const times = { since: "", until: "" };
      assert.deepEqual({ ...JSON.parse(stdout), ...times }, { ...await response.json(), ...times });
    });
    await t.step("by reason code, package and user, in lines", async () => {
      const { stdout } = await simulate();
      const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      const [total, code, release, user, ...rest] = rows;
      assert.deepEqual(total, {
        by: "total",
        value: "",
        installs: 2,
        refused: 1,
        warned: 0,
        unknown: 0,
      });
      assert.deepEqual(code, { by: "code", value: "min_age", refused: 1, warned: 0 });
      assert.deepEqual([release.by, release.value, release.code], [
        "package",
        "pkg:npm/young@1.0.0",
        "min_age",
      ]);
      assert.deepEqual(user, { by: "user", value: "alice", refused: 1, warned: 0 });
      assert.deepEqual(rest, []);
    });
    await t.step("as a table and as CSV", async () => {
      const table = await simulate("--format", "table");
      assert.match(table.stdout, /^BY +VALUE +INSTALLS +REFUSED [^]*\npackage +pkg:npm\/young@1/);
      const csv = await simulate("--format", "csv", "--limit", "1");
      assert.equal(
        csv.stdout,
        "by,value,installs,refused,warned,unknown,code,reason\r\ntotal,,2,1,0,0,,\r\n",
      );
    });
    await t.step("what cannot be judged is told of", async () => {
      await proxy.deps.records.add("install", {
        org: "default",
        user: "bob",
        ip: "10.0.0.1",
        ecosystem: "npm",
        package: "gone",
        version: "1.0.0",
        filename: "gone-1.0.0.tgz",
        purl: "pkg:npm/gone@1.0.0",
        bytes: 1,
        verdict: "allow",
        policy: "01",
      });
      proxy.clock.now += 1_000;
      const rows = (await simulate()).stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.equal(rows[0].unknown, 1);
      assert.partialDeepStrictEqual(rows.at(-1), { by: "unknown", value: "npm gone", unknown: 1 });
    });
  });

  await t.step("a merge patch on the policy in force", async () => {
    await withFile('{"rules": {"min_age": {"level": "warn"}}}', async (path) => {
      const { stdout } = await query(["simulate", "--patch", path, "--limit", "1"], env);
      assert.partialDeepStrictEqual(JSON.parse(stdout), { refused: 0, warned: 1 });
    });
  });
  await t.step("a file is looked for where the command was called", async () => {
    await withFile('{"rules": {"min_age": {"level": "warn"}}}', async (path) => {
      const { code, stdout, stderr } = await query(
        ["simulate", "--patch", basename(path), "--limit", "1"],
        { ...env, INIT_CWD: dirname(path) },
      );
      assert.deepEqual([code, stderr], [0, ""]);
      assert.partialDeepStrictEqual(JSON.parse(stdout), { refused: 0, warned: 1 });
    });
  });
  await t.step("a policy that is not accepted is a failure that names each fault", async () => {
    await withFile('{"mode": "perhaps"}', async (path) => {
      const { code, stdout, stderr } = await query(["simulate", "--policy", path], env);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /422.*\/policy\/mode/);
    });
  });
  await t.step("a file that is missing or no JSON is bad usage", async () => {
    const missing = await query(["simulate", "--policy", "/nowhere/policy.json"], env);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /--policy/);
    await withFile("{", async (path) => {
      const broken = await query(["simulate", "--patch", path], env);
      assert.equal(broken.code, 2);
      assert.match(broken.stderr, /--patch/);
    });
  });
});

Deno.test("deno task query simulate: bad usage is 2 and names what is missing", async (t) => {
  const cases: [string[], RegExp][] = [
    [["simulate", "--policy", "p.json"], /needs --url/],
    [["simulate", "--url", "http://127.0.0.1:9/", "--token", "t"], /--policy or --patch/],
    [["simulate", "--policy", "p", "--patch", "q"], /--policy or --patch/],
    [["installs", "--policy", "p"], /--policy: simulate only/],
    [["audit", "--patch", "p"], /--patch: simulate only/],
    [["simulate", "--user", "alice", "--policy", "p"], /--user/],
  ];
  for (const [args, message] of cases) {
    await t.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await query(args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, message);
    });
  }
});
