/** One suite that every ecosystem must pass. */
import assert from "node:assert/strict";
import type { ServerOptions } from "../registry/server.ts";
import { DAY, type ProxyOptions, type TestProxy, testProxy } from "../proxy.ts";
import { type Driver, DRIVERS, type Published, type World } from "./drivers.ts";

/** A registry with `package` 1.0.0 (old) and 1.1.0 (published an hour ago), behind a proxy. */
interface Setting extends AsyncDisposable {
  readonly world: World;
  readonly proxy: TestProxy;
  readonly old: Published;
  readonly young: Published;
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** The visible versions, as its client sees them. */
  visible(init?: RequestInit): Promise<string[]>;
}

async function setting(
  driver: Driver,
  options: ProxyOptions & { server?: ServerOptions } = {},
): Promise<Setting> {
  const world = driver.start(options.server);
  const hourAgo = new Date(Date.now() - 3600_000);
  const old = world.publish({
    name: "package",
    version: "1.0.0",
    publishedAt: new Date("2020-01-01"),
  });
  const young = world.publish({ name: "package", version: "1.1.0", publishedAt: hourAgo });
  const proxy = await testProxy({ ...options, upstreams: { [driver.id]: world.upstream } });
  const ask = (path: string, init: RequestInit = {}) =>
    proxy.fetch(`${driver.mount}${path}`, {
      ...init,
      headers: { ...driver.headers, ...init.headers },
    });
  return {
    world,
    proxy,
    old,
    young,
    ask,
    async visible(init) {
      const response = await ask(driver.index("package"), init);
      assert.equal(response.status, 200, await response.clone().text());
      return driver.visible(await response.text());
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await world.server[Symbol.asyncDispose]();
    },
  };
}

for (const driver of DRIVERS) {
  const test = (name: string, run: () => Promise<void>) => Deno.test(`${driver.id}: ${name}`, run);
  const index = driver.index("package");

  test("a version younger than the minimum age is not chosen", async () => {
    await using it = await setting(driver);
    assert.deepEqual(await it.visible(), ["1.0.0"]);
  });

  test("an allowed file arrives whole, unchanged and on record", async () => {
    await using it = await setting(driver);
    const response = await it.ask(it.old.path);
    assert.equal(response.status, 200);
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), it.old.bytes);
    const [record, ...more] = await it.proxy.installs();
    assert.deepEqual(more, []);
    assert.equal(record.package, "package");
    assert.equal(record.version, "1.0.0");
    assert.equal(record.ecosystem, driver.id);
    assert.equal(record.purl, `pkg:${driver.id}/package@1.0.0`);
    assert.equal(record.bytes, it.old.bytes.length);
    assert.equal(record.verdict, "allow");
    assert.equal(record.org, "default");
    assert.match(record.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test("a file downloaded again asks upstream nothing, is on record, and is refused once the policy says so", async () => {
    await using it = await setting(driver);
    const files = () =>
      it.world.server.requests.filter(({ path }) => it.world.files.test(path)).length;
    for (const downloads of [1, 2, 3]) {
      const response = await it.ask(it.old.path);
      assert.equal(response.status, 200);
      assert.deepEqual(await response.bytes(), it.old.bytes);
      assert.equal(Number(response.headers.get("content-length")), it.old.bytes.length);
      assert.equal(files(), 1);
      const records = await it.proxy.installs();
      assert.equal(records.length, downloads);
      const [{ id: _id, at: _at, ...newest }, { id: _, at: __, ...oldest }] = [
        records[0],
        records[records.length - 1],
      ];
      assert.deepEqual(newest, oldest);
    }
    const head = await it.ask(it.old.path, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(Number(head.headers.get("content-length")), it.old.bytes.length);
    assert.equal((await it.proxy.installs()).length, 3);
    const block = { entries: [{ purl: `pkg:${driver.id}/package` }] };
    await it.proxy.deps.policies.replace("default", { rules: { block } }, { by: "test" });
    const refused = await it.ask(it.old.path);
    assert.notEqual(refused.status, 200);
    await refused.text();
    assert.equal(files(), 1);
    assert.equal((await it.proxy.installs()).length, 3);
  });

  test("a withheld file is refused with package, rule, reason and date, and the refusal is on record", async () => {
    await using it = await setting(driver);
    let response = await it.ask(it.young.path);
    if (response.status === 302) {
      const decision = response.headers.get("policy-decision");
      assert.match(decision ?? "", /^deny; code=min_age; until="/);
      const address = new URL(response.headers.get("location") ?? "");
      assert.match(address.href, /package@1\.1\.0\?withheld=min_age$/);
      response = await it.proxy.fetch(address.pathname + address.search);
    } else {
      assert.match(response.headers.get("policy-decision") ?? "", /^deny; code=min_age; until="/);
    }
    assert.equal(response.status, 403);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const text = await response.text();
    for (const part of ["package", "1.1.0", "min_age", "available from"]) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
    assert.deepEqual(await it.proxy.installs(), []);
    const refusals = await it.proxy.refusals();
    assert.equal(refusals.length, 1);
    assert.equal(refusals[0].code, "min_age");
    assert.equal(refusals[0].version, "1.1.0");
    assert.equal(refusals[0].verdict, "deny");
  });

  test("`mode: audit` lets through and records what would have been withheld", async () => {
    await using it = await setting(driver, { policy: { mode: "audit" } });
    assert.deepEqual(await it.visible(), ["1.0.0", "1.1.0"]);
    const response = await it.ask(it.young.path);
    assert.equal(response.status, 200);
    await response.arrayBuffer();
    assert.equal((await it.proxy.installs())[0].verdict, "warn");
    assert.equal((await it.proxy.refusals())[0].verdict, "warn");
    assert.equal((await it.proxy.refusals())[0].code, "min_age");
  });

  test("a blocked version is withheld in the index and at download, another spelling of the name too", async () => {
    await using it = await setting(driver, {
      policy: {
        rules: {
          block: { entries: [{ purl: `pkg:${driver.id}/package@1.0.0` }] },
          min_age: { age: "0" },
        },
      },
    });
    assert.deepEqual(await it.visible(), ["1.1.0"]);
    const response = await it.ask(it.old.path);
    assert.notEqual(response.status, 200);
    assert.match(response.headers.get("policy-decision") ?? "", /code=blocked/);
  });

  test("an unknown publish time follows its own setting", async () => {
    await using it = await setting(driver);
    const file = it.world.publish({ name: "package", version: "0.9.0", publishedAt: null });
    assert.deepEqual(await it.visible(), ["1.0.0"]);
    const refused = await it.ask(file.path);
    assert.match(refused.headers.get("policy-decision") ?? "", /code=min_age_unknown/);
    await it.proxy.deps.policies.replace("default", { rules: { min_age: { unknown: "allow" } } }, {
      by: "t",
    });
    assert.deepEqual((await it.visible()).toSorted(), ["0.9.0", "1.0.0"]);
    assert.equal((await it.ask(file.path)).status, 200);
  });

  test("HEAD says what GET would, without a body or a record", async () => {
    await using it = await setting(driver);
    for (const path of [index, it.old.path]) {
      const get = await it.ask(path, { headers: { "accept-encoding": "identity" } });
      const size = (await get.arrayBuffer()).byteLength;
      const head = await it.ask(path, {
        method: "HEAD",
        headers: { "accept-encoding": "identity" },
      });
      assert.equal(head.status, 200, path);
      assert.equal(head.headers.get("content-type"), get.headers.get("content-type"));
      assert.equal(head.headers.get("content-length"), String(size));
      assert.equal(head.headers.get("etag"), get.headers.get("etag"));
      assert.equal(await head.text(), "");
    }
    assert.equal((await it.proxy.installs()).length, 1);
    const refused = await it.ask(it.young.path, { method: "HEAD" });
    assert.notEqual(refused.status, 200);
    assert.equal((await it.proxy.refusals()).length, 0);
  });

  test("an unchanged index is 304; a changed policy or a version come of age is not", async () => {
    await using it = await setting(driver);
    const first = await it.ask(index);
    const etag = first.headers.get("etag") ?? "";
    await first.text();
    assert.match(etag, /^"[\w-]{20,}"$/);
    assert.equal(first.headers.get("vary"), "Accept, Accept-Encoding, Authorization");
    assert.equal(first.headers.get("cache-control"), "private, no-cache");
    const again = () => it.ask(index, { headers: { "if-none-match": etag } });
    assert.equal((await again()).status, 304);
    await it.proxy.deps.policies.replace("default", { rules: { min_age: { age: "11d" } } }, {
      by: "t",
    });
    const changed = await again();
    assert.equal(changed.status, 200);
    const second = changed.headers.get("etag") ?? "";
    assert.notEqual(second, etag);
    await changed.text();
    it.proxy.clock.now += 11 * DAY;
    const older = await it.ask(index, { headers: { "if-none-match": second } });
    assert.equal(older.status, 200);
    assert.deepEqual(driver.visible(await older.text()).toSorted(), ["1.0.0", "1.1.0"]);
    assert.equal((await it.ask(it.young.path)).status, 200);
  });

  test("the boundary is exact: a millisecond too young is withheld", async () => {
    await using it = await setting(driver, { policy: { rules: { min_age: { age: "36h" } } } });
    const published = Math.floor(Date.now() / 1000) * 1000;
    it.world.publish({ name: "package", version: "1.2.0", publishedAt: new Date(published) });
    it.proxy.clock.now = published + 36 * 3600_000 - 1;
    assert.ok(!(await it.visible()).includes("1.2.0"));
    it.proxy.clock.now += 1;
    assert.ok((await it.visible()).includes("1.2.0"));
  });

  test("a body is gzipped for those who accept it, and only for them", async () => {
    await using it = await setting(driver);
    for (let i = 0; i < 30; i++) {
      it.world.publish({
        name: "package",
        version: `0.1.${i}`,
        publishedAt: new Date("2020-01-01"),
      });
    }
    const plain = await it.ask(index, { headers: { "accept-encoding": "identity" } });
    assert.equal(plain.headers.get("content-encoding"), null);
    const zipped = await it.ask(index, { headers: { "accept-encoding": "br, gzip;q=0.9" } });
    assert.equal(zipped.headers.get("content-encoding"), "gzip");
    assert.notEqual(zipped.headers.get("etag"), plain.headers.get("etag"));
    const stream = zipped.body?.pipeThrough(new DecompressionStream("gzip"));
    assert.equal(await new Response(stream).text(), await plain.text());
    const refused = await it.ask(index, { headers: { "accept-encoding": "gzip;q=0, *" } });
    assert.equal(refused.headers.get("content-encoding"), null);
    await refused.text();
  });

  test("an unknown package, version and file are 404", async () => {
    await using it = await setting(driver);
    for (
      const path of [
        driver.index("nothing"),
        it.old.path.replaceAll("1.0.0", "9.9.9"),
        it.old.path.replaceAll("package", "nothing"),
      ]
    ) {
      const response = await it.ask(path);
      assert.equal(response.status, 404, path);
      await response.text();
    }
  });

  test("methods that would write are 405, and say the proxy is read-only", async () => {
    await using it = await setting(driver);
    for (const method of ["PUT", "POST", "DELETE", "PATCH"]) {
      for (const path of [index, it.old.path]) {
        const response = await it.ask(path, { method, body: "{}" });
        assert.equal(response.status, 405, `${method} ${path}`);
        assert.match(await response.text(), /read-only/);
        assert.match(response.headers.get("allow") ?? "", /GET/);
      }
    }
    assert.deepEqual(it.world.server.requests.filter(({ method }) => method !== "GET"), []);
  });

  test("a path that leaves its package goes nowhere", async () => {
    await using it = await setting(driver);
    for (const path of driver.traversals) {
      const response = await it.ask(path);
      assert.ok([400, 404].includes(response.status), `${path} ${response.status}`);
      await response.text();
    }
    for (const { path } of it.world.server.requests) {
      assert.ok(!/\.\.|%2e|admin|passwd|secret/i.test(path), path);
    }
  });

  test("one request at upstream for many askers", async () => {
    await using it = await setting(driver);
    const responses = await Promise.all(Array.from({ length: 20 }, () => it.ask(index)));
    for (const response of responses) {
      assert.equal(response.status, 200);
      await response.text();
    }
    const asked = it.world.server.requests.filter(({ path }) => path.includes("package"));
    assert.ok(asked.length <= 2, `${asked.length} requests`);
  });

  test("two orgs with different ages, 200 mixed requests at once: no mix-up", async () => {
    await using it = await setting(driver, {
      policies: {
        strict: { rules: { min_age: { age: "10d" } } },
        quick: { rules: { min_age: { age: "30m" } } },
      },
    });
    const seen = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
      const org = i % 2 === 0 ? "strict" : "quick";
      const user = `u${i % 5}`;
      const path = `/o-${org}/u-${user}${driver.mount}${i % 4 < 2 ? index : it.young.path}`;
      const response = await it.proxy.fetch(path, { headers: driver.headers });
      const body = await response.text();
      if (i % 4 >= 2) return `${org} file ${response.status === 200}`;
      assert.ok(!body.includes(`/o-${org === "strict" ? "quick" : "strict"}/`));
      return `${org} ${driver.visible(body).toSorted()}`;
    }));
    assert.deepEqual([...new Set(seen)].toSorted(), [
      "quick 1.0.0,1.1.0",
      "quick file true",
      "strict 1.0.0",
      "strict file false",
    ]);
    assert.equal((await it.proxy.installs("quick")).length, 50);
    assert.equal((await it.proxy.installs("strict")).length, 0);
    assert.equal((await it.proxy.refusals("strict")).length, 50);
    for (const { user } of await it.proxy.installs("quick")) assert.match(user, /^u[1-4]|u0$/);
  });

  test("`auth: token` and `identify` hold for indexes and files alike", async () => {
    await using it = await setting(driver, {
      policies: { acme: { auth: "token" }, beta: { auth: "identify" } },
    });
    const { secret } = await it.proxy.deps.tokens.create({
      org: "acme",
      user: "ci",
      role: "client",
      expires: null,
      by: "t",
    });
    const get = (path: string, authorization?: string) =>
      it.proxy.fetch(path, {
        headers: { ...driver.headers, ...(authorization ? { authorization } : {}) },
      });
    const status = async (path: string, authorization?: string) => {
      const response = await get(path, authorization);
      await response.arrayBuffer();
      return response.status;
    };
    for (const path of [index, it.old.path]) {
      assert.equal(await status(`/o-acme${driver.mount}${path}`), 401);
      assert.equal(await status(`/o-acme${driver.mount}${path}`, "Bearer pp_wrong"), 401);
      assert.equal(await status(`/o-acme${driver.mount}${path}`, `Bearer ${secret}`), 200);
      assert.equal(await status(`/o-acme${driver.mount}${path}`, secret), 200);
      assert.equal(
        await status(`/o-acme${driver.mount}${path}`, `Basic ${btoa(`x:${secret}`)}`),
        200,
      );
      assert.equal(await status(`/o-beta${driver.mount}${path}`, `Bearer ${secret}`), 403);
      assert.equal(await status(`/o-beta${driver.mount}${path}`), 401);
      assert.equal(await status(`/o-beta${driver.mount}${path}`, `Basic ${btoa("alice:")}`), 200);
      assert.equal(await status(`/o-beta/u-bob${driver.mount}${path}`), 200);
    }
    const users = (await it.proxy.installs("acme")).map(({ user }) => user);
    assert.deepEqual([...new Set(users)], ["ci"]);
    assert.deepEqual((await it.proxy.installs("beta")).map(({ user }) => user).toSorted(), [
      "alice",
      "bob",
    ]);
  });

  test("`downloads: redirect` checks, records and sends to the upstream's file", async () => {
    await using it = await setting(driver, { policy: { downloads: "redirect" } });
    const response = await it.ask(it.old.path);
    assert.equal(response.status, 302);
    const location = response.headers.get("location") ?? "";
    assert.ok(location.startsWith(it.world.server.url), location);
    const file = await fetch(location);
    assert.deepEqual(new Uint8Array(await file.arrayBuffer()), it.old.bytes);
    assert.equal((await it.proxy.installs()).length, 1);
    const refused = await it.ask(it.young.path);
    assert.match(refused.headers.get("policy-decision") ?? "", /code=min_age/);
  });

  test("`downloads: direct` leaves the upstream's addresses in the index", async () => {
    await using it = await setting(driver, { policy: { downloads: "direct" } });
    const path = driver.id === "cargo" ? "config.json" : index;
    const text = await (await it.ask(path)).text();
    assert.ok(text.includes(new URL(it.world.server.url).host), text.slice(0, 300));
    assert.ok(!text.includes(`proxy.example${driver.mount}${it.old.path}`));
    assert.deepEqual(await it.visible(), ["1.0.0"]);
  });
}
