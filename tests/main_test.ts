/** The process itself: how it starts, what it says, how it ends. */
import assert from "node:assert/strict";
import { startNpmRegistry } from "./registry/npm.ts";

const ROOT = new URL("../", import.meta.url);
const MAIN = new URL("main.ts", ROOT).pathname;
/** For a start on a machine that is busy with other tests. */
const START_MS = 60_000;

interface Started extends AsyncDisposable {
  /** Without trailing slash. */
  readonly url: string;
  /** What it printed up to the line with its address. */
  readonly lines: readonly string[];
  readonly process: Deno.ChildProcess;
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function command(variables: Readonly<Record<string, string>>): Deno.Command {
  const passed = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "TMPDIR"];
  const env = Object.fromEntries(passed.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", MAIN],
    cwd: ROOT,
    clearEnv: true,
    env: {
      ...env,
      NO_COLOR: "1",
      UPSTREAM_NPM: "http://127.0.0.1:9/",
      KV_URL: ":memory:",
      ...variables,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** For a start that fails by itself. */
async function run(variables: Readonly<Record<string, string>>): Promise<Ended> {
  const process = command(variables).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), START_MS);
  const { code, stdout, stderr } = await process.output();
  clearTimeout(timer);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

async function start(variables: Readonly<Record<string, string>> = {}): Promise<Started> {
  const process = command({ PORT: "0", ...variables }).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), START_MS);
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const errors = new Response(process.stderr).text();
  let text = "";
  let url: string | undefined;
  while (url === undefined) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The proxy did not start: ${text}${await errors}`);
    text += value;
    url = /listens on (http:\S+)\/\n/.exec(text)?.[1];
  }
  clearTimeout(timer);
  const rest = drain(reader);
  return {
    url,
    lines: text.trim().split("\n"),
    process,
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGKILL");
      } catch (error) {
        // It has ended by itself, as the test wanted.
        if (!(error instanceof TypeError)) throw error;
      }
      await Promise.all([process.status, rest, errors]);
    },
  };
}

/** A pipe that nobody reads would stop the process that writes. */
async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}

async function temporary(): Promise<AsyncDisposable & { file(name: string): string }> {
  const folder = await Deno.makeTempDir();
  return {
    file: (name) => `${folder}/${name}`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("a bad value stops the start with one line and exit code 1", async () => {
  const { code, out, err } = await run({ PORT: "eighty" });
  assert.equal(err, 'Cannot use PORT="eighty": a whole number from 0 to 65535 is accepted\n');
  assert.deepEqual([code, out], [1, ""]);
});

Deno.test("a database that cannot be opened is one line and exit code 1", async () => {
  await using folder = await temporary();
  const { code, err } = await run({ KV_URL: folder.file("missing/proxy.sqlite"), PORT: "0" });
  assert.match(err, /^Cannot open the database \(KV_URL\): [^\n]*missing\/proxy\.sqlite[^\n]*\n$/);
  assert.equal(code, 1);
});

Deno.test("a port in use is one line and exit code 1", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const { code, err } = await run({ PORT: String(port) });
  assert.match(err, new RegExp(`^Cannot listen on HOST=127.0.0.1 PORT=${port}: .*in use[^\n]*\n$`));
  assert.equal(code, 1);
});

Deno.test("the administrator's token is made at the first start alone, shown once, and works", async () => {
  await using folder = await temporary();
  const KV_URL = folder.file("proxy.sqlite");
  let secret: string | undefined;
  {
    await using first = await start({ KV_URL });
    assert.match(first.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const shown = first.lines.filter((line) => line.includes("pp_"));
    assert.equal(shown.length, 1);
    secret = /pp_\S+$/.exec(shown[0])?.[0];
    assert.equal(await orgs(first.url, secret), 200);
    assert.equal(await orgs(first.url, `${secret}x`), 401);
  }
  await using second = await start({ KV_URL });
  assert.ok(!second.lines.join("\n").includes("pp_"), second.lines.join("\n"));
  assert.equal(await orgs(second.url, secret), 200);
});

Deno.test("ADMIN_TOKEN is the administrator's, and is not printed", async () => {
  const token = "0123456789abcdef";
  await using proxy = await start({ ADMIN_TOKEN: token });
  assert.equal(await orgs(proxy.url, token), 200);
  assert.deepEqual(proxy.lines, [`Package Proxy listens on ${proxy.url}/`]);
});

async function orgs(url: string, token: string | undefined): Promise<number> {
  const response = await fetch(`${url}/admin/v1/orgs`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await response.body?.cancel();
  return response.status;
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test({
    name: `${signal} ends it within seconds with exit code 0, a stalled download under way`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using registry = startNpmRegistry();
      registry.publish({ name: "left", version: "1.0.0" });
      registry.fault(/\.tgz$/, { kind: "stall_body", after: 10 });
      await using proxy = await start({ UPSTREAM_NPM: registry.url });
      const download = await fetch(`${proxy.url}/npm/left/-/left-1.0.0.tgz`);
      assert.equal(download.status, 200);
      const body = download.arrayBuffer().catch((error: unknown) => error);
      const asked = Date.now();
      proxy.process.kill(signal);
      const { code } = await proxy.process.status;
      assert.equal(code, 0);
      assert.ok(Date.now() - asked < 8_000, `${Date.now() - asked} ms`);
      assert.ok(await body instanceof Error, "the download must not end well");
    },
  });
}

Deno.test({
  name: "SIGTERM without anything under way ends it at once",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using proxy = await start();
    // By Deno's own User-Agent it would be the npm package of this name.
    const headers = { "user-agent": "curl/8" };
    const health = await fetch(`${proxy.url}/health`, { headers });
    assert.equal((await health.json()).status, "ok");
    const asked = Date.now();
    proxy.process.kill("SIGTERM");
    assert.equal((await proxy.process.status).code, 0);
    assert.ok(Date.now() - asked < 3_000, `${Date.now() - asked} ms`);
  },
});
