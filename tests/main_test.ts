/** The process itself: how it starts, what it says, how it ends. */
import assert from "node:assert/strict";
import { keys } from "../policy/store/keys.ts";
import { MIGRATIONS } from "../policy/store/migrations.ts";
import { run, start, temporary } from "./process.ts";
import { startNpmRegistry } from "./registry/npm.ts";

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

Deno.test("a database of a newer version is one line and exit code 1, and stays as it is", async () => {
  await using folder = await temporary();
  const KV_URL = folder.file("proxy.sqlite");
  const everything = async (change?: (kv: Deno.Kv) => Promise<unknown>) => {
    using kv = await Deno.openKv(KV_URL);
    await change?.(kv);
    return await Array.fromAsync(kv.list({ prefix: [] }));
  };
  const before = await everything((kv) => kv.set(keys.meta("schema"), 1_000));
  const { code, out, err } = await run({ KV_URL, PORT: "0" });
  assert.match(
    err,
    /^Cannot use the database \(KV_URL\): it was written by a newer version \(schema 1000, [^\n]*\n$/,
  );
  assert.deepEqual([code, out], [1, ""]);
  assert.deepEqual(await everything(), before);
});

Deno.test("a new database is of this version from the first start on", async () => {
  await using folder = await temporary();
  const KV_URL = folder.file("proxy.sqlite");
  await (await start({ KV_URL }))[Symbol.asyncDispose]();
  using kv = await Deno.openKv(KV_URL);
  assert.equal((await kv.get(keys.meta("schema"))).value, MIGRATIONS.length + 1);
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

Deno.test({
  name: "a signal ends it within 10 s with exit code 0, a stalled download under way",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using registry = startNpmRegistry();
    registry.publish({ name: "left", version: "1.0.0" });
    registry.fault(/\.tgz$/, { kind: "stall_body", after: 10 });
    await Promise.all((["SIGTERM", "SIGINT"] as const).map(async (signal) => {
      await using proxy = await start({ UPSTREAM_NPM: registry.url });
      const download = await fetch(`${proxy.url}/npm/left/-/left-1.0.0.tgz`);
      assert.equal(download.status, 200);
      const body = download.arrayBuffer().catch((error: unknown) => error);
      const asked = Date.now();
      proxy.process.kill(signal);
      const { code } = await proxy.process.status;
      assert.equal(code, 0, signal);
      assert.ok(Date.now() - asked < 10_000, `${signal}: ${Date.now() - asked} ms`);
      assert.ok(await body instanceof Error, "the download must not end well");
    }));
  },
});

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

Deno.test({
  name: "after a stop the database is one file, for whoever copies it",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporary();
    const [KV_URL, copy] = [folder.file("proxy.sqlite"), folder.file("copy.sqlite")];
    {
      await using proxy = await start({ KV_URL });
      proxy.process.kill("SIGTERM");
      assert.equal((await proxy.process.status).code, 0);
    }
    await Deno.copyFile(KV_URL, copy);
    using kv = await Deno.openKv(copy);
    assert.equal((await kv.get(keys.meta("schema"))).value, MIGRATIONS.length + 1);
  },
});

Deno.test({
  name:
    "more connections than files may be open end nothing: it lets people in again when some are closed",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using proxy = await start({}, { openFiles: 128 });
    const { hostname, port } = new URL(proxy.url);
    const idle: Deno.Conn[] = [];
    await until(async () => {
      const connection = await Deno.connect({ hostname, port: Number(port) }).catch(() => null);
      if (connection !== null) idle.push(connection);
      return proxy.printed().includes("Too many open files");
    });
    for (const connection of idle) connection.close();
    await until(async () => {
      const headers = { "user-agent": "curl/8" };
      const health = await fetch(`${proxy.url}/health`, { headers }).catch(() => null);
      await health?.body?.cancel();
      return health?.status === 200;
    });
    proxy.process.kill("SIGTERM");
    assert.equal((await proxy.process.status).code, 0);
  },
});

async function until(check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!await check()) {
    assert.ok(performance.now() < end, "not within a minute");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
