/** `deno task check`, as a process, against a real proxy on a port. */
import assert from "node:assert/strict";
import { checkWorld } from "../routes/check_world.ts";
import { runTool } from "./tool.ts";

const NOBODY = "http://127.0.0.1:9";

const check = (args: readonly string[], env: Record<string, string> = {}) =>
  runTool("check", args, { PROXY_URL: NOBODY, ...env });

/** A proxy that listens, and a folder with files to check. */
async function world() {
  const proxy = await checkWorld({
    policies: {
      acme: { rules: { min_age: { age: "0" } } },
      locked: { auth: "token" },
    },
  });
  const folder = await Deno.makeTempDir();
  const files = {
    "good.txt": "pkg:npm/left@1.0.0\npkg:cargo/a_b@1.0.0\n",
    "bad.txt": "pkg:npm/left@1.0.0\npkg:npm/left@2.0.0\n",
    "unknown.txt": "pkg:npm/nowhere@1.0.0\n",
    "other.txt": "pkg:golang/example.com/x@1.0.0\n",
    "notes.txt": "what is this?\n",
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  const env = { PROXY_URL: proxy.proxy.listen(), INIT_CWD: folder };
  return {
    ...proxy,
    folder,
    env,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("deno task check: the exit status says it all, the table says why", async (t) => {
  await using it = await world();
  const { env } = it;
  await t.step("nothing withheld", async () => {
    const { code, stdout, stderr } = await check(["good.txt"], env);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(
      stdout,
      /^good\.txt \(list of PURLs\) for the org "default": .*2 allowed: pass\n$/,
    );
  });
  await t.step("something withheld", async () => {
    const { code, stdout } = await check(["bad.txt"], env);
    assert.equal(code, 1);
    const [head, row, sum] = stdout.split("\n");
    assert.match(head, /^VERDICT +PACKAGE/);
    assert.match(row, new RegExp(`^deny +npm left +2\\.0\\.0 +${it.grownUp} +2 +min_age: `));
    assert.match(sum, /1 withheld, .*: FAIL$/);
  });
  await t.step("something not known", async () => {
    const { code, stdout } = await check(["unknown.txt"], env);
    assert.equal(code, 1);
    assert.match(stdout, /^unknown +npm nowhere .*not_found: npm has no such package$/m);
  });
  await t.step("what is not served passes, unless --strict", async () => {
    assert.equal((await check(["other.txt"], env)).code, 0);
    assert.equal((await check(["other.txt", "--strict"], env)).code, 1);
  });
  await t.step("several files: the worst counts, and each is told of", async () => {
    const { code, stdout, stderr } = await check(["good.txt", "bad.txt", "good.txt"], env);
    assert.deepEqual([code, stderr], [1, ""]);
    assert.equal(stdout.match(/^\S+\.txt \(list of PURLs\)/gm)?.length, 3);
    const broken = await check(["notes.txt", "bad.txt"], env);
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /^notes\.txt: /);
    assert.match(broken.stdout, /^bad\.txt .*FAIL$/m);
  });
  await t.step(
    "another org by --org or in the address, a token where one is asked for",
    async () => {
      assert.equal((await check(["bad.txt", "--org", "acme"], env)).code, 0);
      const PROXY_URL = `${env.PROXY_URL}/o-acme/u-alice/`;
      assert.equal((await check(["bad.txt"], { ...env, PROXY_URL })).code, 0);
      const args = ["good.txt", "--org", "locked"];
      const refused = await check(args, env);
      assert.equal(refused.code, 3);
      assert.match(refused.stderr, /answers 401: This registry asks for a token/);
      const { secret } = await it.proxy.deps.tokens.create({
        org: "locked",
        user: "ci",
        role: "client",
        expires: null,
        by: "test",
      });
      assert.equal((await check(args, { ...env, PROXY_TOKEN: secret })).code, 0);
      assert.equal((await check([...args, "--token", secret], env)).code, 0);
      assert.equal((await check([...args, "--token", "pp_unknown"], env)).code, 3);
    },
  );
});

Deno.test("deno task check writes what code scanners and test reports read", async (t) => {
  await using it = await world();
  const { env, folder } = it;
  await t.step("SARIF into a file", async () => {
    const args = ["bad.txt", "--format", "sarif", "--output", "check.sarif"];
    const { code, stdout } = await check(args, env);
    assert.deepEqual([code, stdout], [1, "bad.txt: FAIL, see check.sarif\n"]);
    const sarif = JSON.parse(await Deno.readTextFile(`${folder}/check.sarif`));
    const [{ physicalLocation }] = sarif.runs[0].results[0].locations;
    assert.equal(physicalLocation.artifactLocation.uri, "bad.txt");
    assert.equal(physicalLocation.region.startLine, 2);
  });
  await t.step("JUnit and JSON on the terminal", async () => {
    const junit = await check(["bad.txt", "--format", "junit"], env);
    assert.equal(junit.code, 1);
    assert.match(junit.stdout, /^<\?xml [^]*<failure type="min_age"[^]*<\/testsuites>\n$/);
    const json = await check([`${folder}/good.txt`, "--format", "json"], env);
    assert.equal(json.code, 0);
    const { filename, summary } = JSON.parse(json.stdout);
    assert.deepEqual([filename, summary.ok], ["good.txt", true]);
  });
  await t.step("a place that cannot be written is bad usage", async () => {
    const { code, stderr } = await check(["good.txt", "--output", "no/such/folder.txt"], env);
    assert.equal(code, 2);
    assert.match(stderr, /--output: /);
  });
});

Deno.test("deno task check: bad usage is 2 and names the argument", async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /Which file/],
    [["no-such-file.txt"], /no-such-file\.txt: No such file/],
    [["a.txt", "--frobnicate"], /--frobnicate/],
    [["a.txt", "--format", "xml"], /--format.*junit/],
    [["a.txt", "b.txt", "--format", "json"], /--format json: one file/],
    [["a.txt", "b.txt", "--output", "c.txt"], /--output: one file/],
    [["a.txt", "--org", "Not An Org"], /--org/],
    [["a.txt", "--org", "acme", "--url", "http://127.0.0.1:9/o-beta/"], /--org/],
    [["a.txt", "--url", "ftp://proxy.example/"], /--url/],
    [["a.txt", "--url", "https://alice@proxy.example/"], /--url/],
    [["a.txt", "--token", "ä"], /--token/],
    [["a.txt", "--output", ""], /--output/],
  ];
  for (const [args, message] of cases) {
    await t.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await check(args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, message);
    });
  }
  await t.step("help", async () => {
    const { code, stdout } = await check(["--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /--strict[^]*Exit status/);
  });
});

Deno.test("deno task check: a proxy that is not there, or is none, is 3", async (t) => {
  await using it = await world();
  await t.step("nobody listens", async () => {
    const { code, stderr } = await check(["good.txt"], { ...it.env, PROXY_URL: NOBODY });
    assert.equal(code, 3);
    assert.match(stderr, /Cannot reach the proxy at http:\/\/127\.0\.0\.1:9/);
  });
  const answers: Record<string, () => Response> = {
    "something else": () => new Response("<html>"),
    "an error with control characters": () =>
      Response.json({ error: "no \u001b[31m way" }, { status: 500 }),
    "a redirect": () => new Response(null, { status: 302, headers: { location: NOBODY } }),
  };
  for (const [name, answer] of Object.entries(answers)) {
    await t.step(name, async () => {
      await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
      const PROXY_URL = `http://127.0.0.1:${server.addr.port}`;
      const { code, stdout, stderr } = await check(["good.txt"], { ...it.env, PROXY_URL });
      assert.deepEqual([code, stdout], [3, ""]);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(stderr, /\u001b/);
    });
  }
});
