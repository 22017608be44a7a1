import assert from "node:assert/strict";
import { openRecords } from "../../policy/store/records.ts";
import { input, schemes } from "../policy/store/records_fixture.ts";
import { type Run, runTool } from "./tool.ts";

const DAY = 86_400_000;

const query = (args: readonly string[], env: Record<string, string> = {}) =>
  runTool("query", args, env);

/** A KV file with a history of its own. */
async function withHistory(run: (env: { KV_URL: string }) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const KV_URL = `${folder}/kv`;
    const kv = await Deno.openKv(KV_URL);
    const clock = { now: Date.now() - 10 * DAY };
    const records = openRecords(kv, { schemes, now: () => clock.now, retentionMs: 400 * DAY });
    await records.add("install", input("pypi:requests@2.31.0", { org: "default" }));
    await records.add("install", input("pypi:requests@2.31.0", { user: "bob" }));
    clock.now += 5 * DAY;
    await records.add("install", input("pypi:types_requests@2.32.0"));
    await records.add("install", input("npm:@acme/ui@1.0.0", { user: "=cmd" }));
    await records.add(
      "refusal",
      input("npm:lodash@9.9.9", {
        verdict: "deny",
        code: "min_age",
        reason: "evil \u202e\u001b[31m text",
      }),
    );
    kv.close();
    await run({ KV_URL });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function lines(text: string): Record<string, unknown>[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

Deno.test("deno task query answers from KV", async (t) => {
  await withHistory(async (env) => {
    await t.step("installs of the default org as JSONL when piped", async () => {
      const { code, stdout, stderr } = await query([], env);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.deepEqual(lines(stdout).map((row) => row.package), ["requests"]);
    });
    await t.step("all filters of the contract's example", async () => {
      const args = ["installs", "--org", "acme", "--ecosystem", "pypi", "--package", "*requests"];
      const more = ["--version", "<2.32", "--user", "bob", "--since", "20d", "--limit", "5"];
      const { code, stdout } = await query([...args, ...more], env);
      assert.equal(code, 0);
      assert.deepEqual(lines(stdout).map((row) => [row.package, row.version, row.user]), [
        ["requests", "2.31.0", "bob"],
      ]);
    });
    await t.step("since and until as ages and dates", async () => {
      const names = async (...args: string[]) =>
        lines((await query(["--org", "acme", ...args], env)).stdout).map((row) => row.package);
      const date = new Date(Date.now() - 7 * DAY).toISOString();
      const young = ["@acme/ui", "types_requests"];
      assert.deepEqual(await names("--since", "7d"), young);
      assert.deepEqual(await names("--since", date.slice(0, 10)), young);
      assert.deepEqual(await names("--until", date), ["requests"]);
      assert.deepEqual(await names("--limit", "1"), ["@acme/ui"]);
    });
    await t.step("refusals as a table that controls no terminal", async () => {
      const args = ["refusals", "--org", "acme", "--format", "table", "--code", "min_age"];
      const { code, stdout } = await query(args, env);
      assert.equal(code, 0);
      const [head, row, ...rest] = stdout.trimEnd().split("\n");
      assert.match(head, /^AT +USER +.*CODE +REASON$/);
      assert.match(row, /lodash +9\.9\.9 +deny +min_age +evil \\u\{202e\}\\u\{1b\}\[31m text$/);
      assert.deepEqual(rest, []);
    });
    await t.step("packages as JSON", async () => {
      const { code, stdout } = await query(["packages", "--org", "acme", "--format", "json"], env);
      assert.equal(code, 0);
      const rows: { package: string; users: string[] }[] = JSON.parse(stdout);
      assert.deepEqual(rows.map((row) => [row.package, row.users]), [
        ["@acme/ui", ["=cmd"]],
        ["requests", ["bob"]],
        ["types_requests", ["alice"]],
      ]);
    });
    await t.step("users as CSV without formulas", async () => {
      const { code, stdout } = await query(["users", "--org", "acme", "--format", "csv"], env);
      assert.equal(code, 0);
      const rows = stdout.split("\r\n").map((line) => line.split(",").slice(0, 3).join(","));
      assert.deepEqual(rows, ["user,count,packages", "'=cmd,1,1", "alice,1,1", "bob,1,1", ""]);
    });
    await t.step("stats in every format", async () => {
      const stats = async (format: string) =>
        (await query(["stats", "--org", "acme", "--format", format], env)).stdout;
      const whole: { installs: number; by_code: unknown } = JSON.parse(await stats("json"));
      assert.deepEqual([whole.installs, whole.by_code], [3, { min_age: 1 }]);
      assert.deepEqual(lines(await stats("jsonl"))[0], {
        by: "total",
        value: "",
        installs: 3,
        refusals: 1,
      });
      assert.match(await stats("csv"), /^ecosystem,pypi,2,0\r$/m);
      assert.match(await stats("table"), /^code +min_age +1$/m);
    });
    await t.step("no results are no failure", async () => {
      for (const format of ["table", "json", "jsonl", "csv"]) {
        const { code, stderr } = await query(["--org", "nobody", "--format", format], env);
        assert.deepEqual([code, stderr], [0, ""], format);
      }
    });
  });
});

Deno.test("deno task query: bad usage is 2 and names the argument, failures are 1", async (t) => {
  const KV_URL = ":memory:";
  const cases: [string[], RegExp][] = [
    [["nonsense"], /"nonsense".*installs/],
    [["installs", "users"], /"users"/],
    [["--frobnicate"], /--frobnicate/],
    [["--org", "Not An Org"], /--org/],
    [["--ecosystem", "gems"], /--ecosystem.*npm/],
    [["--ecosystem", "npm", "--version", "no range"], /--version/],
    [["--ecosystem", "pypi", "--version", "^2.31"], /--version.*pypi/],
    [["--version", ">>2"], /--version.*npm, pypi, cargo/],
    [["--since", "yesterday"], /--since/],
    [["--until", "2026-13-01"], /--until/],
    [["--limit", "0"], /--limit/],
    [["--format", "xml"], /--format.*jsonl/],
    [["--user", ""], /--user/],
    [["--code", "min_age"], /--code/],
    [["stats", "--package", "x"], /--package/],
    [["--url", "ftp://proxy.example/", "--token", "t"], /--url/],
    [["--url", "http://proxy.example/"], /--token/],
    [["--url", "http://proxy.example/o-acme/", "--token", "t", "--org", "globex"], /--org.*"acme"/],
    [["--url", "http://proxy.example/o-Acme/", "--token", "t"], /--url.*"Acme"/],
    [["--token", "t"], /--token/],
  ];
  for (const [args, message] of cases) {
    await t.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await query(args, { KV_URL });
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, message);
    });
  }
  await t.step("a KV that cannot be opened", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { code, stderr } = await query([], { KV_URL: `${folder}/missing/kv` });
      assert.equal(code, 1);
      assert.notEqual(stderr, "");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
  await t.step("a database that is not there is not made by asking", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const KV_URL = `${folder}/kv`;
      const runs = [["query"], ["query", "alerts"], ["advisories", "status"]] as const;
      for (const [tool, ...args] of runs) {
        const { code, stdout, stderr } = await runTool(tool, args, { KV_URL });
        assert.deepEqual([code, stdout], [1, ""], tool);
        assert.match(stderr, /^There is no database at .*\/kv \(KV_URL\)[^\n]*\n$/);
      }
      assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
  await t.step("help", async () => {
    const { code, stdout } = await query(["--help"], { KV_URL });
    assert.equal(code, 0);
    assert.match(stdout, /--package[^]*Exit status/);
  });
});

Deno.test("deno task query asks a running proxy, page by page", async (t) => {
  const asked: URL[] = [];
  const tokens = new Set<string | null>();
  const answer = (url: URL): Response => {
    const page = Number(url.searchParams.get("cursor") ?? "0");
    const view = url.pathname.split("/").at(-1);
    if (url.pathname.includes("/orgs/secret/")) {
      return Response.json({ detail: "not \u001b[31m yours" }, { status: 403 });
    }
    if (url.pathname.includes("/orgs/odd/")) return new Response("<html>");
    if (view === "stats") {
      return Response.json({
        installs: 7,
        refusals: 0,
        by_ecosystem: { npm: { installs: 7, refusals: 0 } },
        by_day: {},
        by_code: {},
      });
    }
    const items = [{ package: `p${page}a` }, { package: `p${page}b` }];
    return Response.json({ items, cursor: page < 2 ? String(page + 1) : null });
  };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(new URL(request.url));
    tokens.add(request.headers.get("authorization"));
    return answer(new URL(request.url));
  });
  const PROXY_URL = `http://127.0.0.1:${server.addr.port}/prefix`;
  const env = { PROXY_URL, PROXY_TOKEN: "pp_secret" };
  const names = (run: Run) => lines(run.stdout).map((row) => row.package);

  await t.step("to the end", async () => {
    const run = await query(["--org", "acme", "--package", "@a/*", "--until", "2026-11-02"], env);
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(names(run), ["p0a", "p0b", "p1a", "p1b", "p2a", "p2b"]);
    assert.equal(asked[0].pathname, "/prefix/admin/v1/orgs/acme/installs");
    assert.deepEqual(Object.fromEntries(asked[1].searchParams), {
      package: "@a/*",
      until: "2026-11-02T00:00:00.000Z",
      limit: "1000",
      cursor: "1",
    });
    assert.deepEqual([...tokens], ["Bearer pp_secret"]);
  });
  await t.step("to the limit", async () => {
    const args = ["users", "--limit", "3", "--url", PROXY_URL, "--token", "pp_other"];
    assert.deepEqual(names(await query(args)), ["p0a", "p0b", "p1a"]);
    assert.equal(asked.at(-1)?.searchParams.get("limit"), "1");
    assert.equal(asked.at(-1)?.pathname, "/prefix/admin/v1/orgs/default/users");
    assert.ok(tokens.has("Bearer pp_other"));
  });
  await t.step("of the org that its address names", async () => {
    const named = { ...env, PROXY_URL: `${PROXY_URL}/o-globex/u-ci` };
    for (const args of [[], ["--org", "globex"]]) {
      assert.equal((await query(args, named)).code, 0);
      const { pathname } = asked.at(-1) ?? assert.fail();
      assert.equal(pathname, "/prefix/o-globex/u-ci/admin/v1/orgs/globex/installs");
    }
  });
  await t.step("stats", async () => {
    const { stdout } = await query(["stats", "--format", "csv"], env);
    assert.match(stdout, /^total,,7,0\r$/m);
  });
  await t.step("what it refuses or does not understand is a failure", async () => {
    const refused = await query(["--org", "secret"], env);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /403: not \\u\{1b\}\[31m yours/);
    const odd = await query(["--org", "odd"], env);
    assert.equal(odd.code, 1);
    assert.match(odd.stderr, /cannot be read/);
  });
});
