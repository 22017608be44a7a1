/**
 * What comparable systems got wrong, across the whole proxy. Each test is named
 * after the defect; those that belong to one part are tested there:
 *
 * | defect | where |
 * |---|---|
 * | one global object for org, user and config: concurrent requests of two orgs mix | contract: "two orgs with different ages, 200 mixed requests at once" |
 * | the publisher check never fires on npm; after one downgrade the next untrusted release passes | pitfalls/npm |
 * | `latest` becomes the last key of `versions`; other tags dangle | pitfalls/npm |
 * | allow-listing a PyPI version removes its files; hyphenated sdists parse wrongly | ecosystems/pypi/pitfalls |
 * | `/pkg/1.0.0` answers 500; HEAD 405; `/@scope/name` loses its scope | pitfalls/npm |
 * | age is checked in metadata only: a lockfile's pinned URL passes | here |
 * | the cargo download blocklist looks up a key that is never stored | ecosystems/cargo/pitfalls |
 * | any audit request opens a window in which nothing is filtered | routes/audit |
 * | `/pypi/x/json` unfiltered; always JSON whatever Accept says | ecosystems/pypi/pitfalls |
 * | the cache is asked before the policy; files need no authentication | here |
 * | every rule parses and prints the whole document again | ecosystems/pypi/pitfalls |
 * | the abbreviated and full packument shared an ETag (pnpm#14925) | pitfalls/npm |
 * | a filter that failed served the original document (git-pkgs/proxy) | here, ecosystems/cargo/pitfalls |
 * | `latest` falls back by publish time and picks a backport (verdaccio#6051) | pitfalls/npm, ecosystems/cargo/pitfalls |
 * | unknown publish date: fails open (nora#679), or blocks everything (nora#741) | contract: "an unknown publish time follows its own setting" |
 * | packuments over a size cap truncated silently (git-pkgs 8b762ff) | pitfalls/npm |
 * | the whole packument parsed again for each tarball (git-pkgs#296) | pitfalls/npm, ecosystems/cargo/pitfalls |
 * | a package without versions crashes (safe-chain#107) | pitfalls/npm, ecosystems/{pypi,cargo}/pitfalls |
 * | PURL `@` against `%40` (git-pkgs#197) | pitfalls/npm, routes/why_addresses ("`/why/` takes PURLs in every spelling") |
 * | a JSON-less PyPI proxy breaks uv; an HTML-only filter is bypassed | ecosystems/pypi/pitfalls |
 * | one upstream look-up per version times the client out (nora#969) | ecosystems/cargo/pitfalls |
 * | filtered answers cached past a version's coming of age, or stale across replicas | here; contract: "an unchanged index is 304"; durability: "within 5 s in another" |
 * | a refusal that looks like a permission error (jfrog-cli#3150) | here |
 * | exceptions that nobody removes (renovate#40595) | pitfalls/npm |
 * | tokens inside resolved URLs of committed lockfiles (edit-flow#1000) | here |
 * | a malformed reply of the advisory service let malware through (setup-vp#161) | routes/audit: "an advisory service that ..." |
 * | trust-downgrade alarms so noisy that teams dropped the check (pnpm#10202) | pitfalls/npm, policy/rules/publisher_downgrade |
 */
import assert from "node:assert/strict";
import { DRIVERS } from "../contract/drivers.ts";
import { DAY, testProxy } from "../proxy.ts";

const NOW = Date.now();
const ago = (days: number) => new Date(NOW - days * DAY);

for (const driver of DRIVERS) {
  Deno.test(`pitfall: age is checked in metadata only: a lockfile's pinned URL passes (${driver.id})`, async () => {
    const world = driver.start();
    await using server = world.server;
    const young = world.publish({ name: "package", version: "1.1.0", publishedAt: ago(1) });
    await using proxy = await testProxy({ upstreams: { [driver.id]: world.upstream } });
    // No index was asked for before; bun and deno do so with a lockfile.
    const response = await proxy.fetch(`${driver.mount}${young.path}`, { headers: driver.headers });
    await response.body?.cancel();
    assert.match(response.headers.get("policy-decision") ?? "", /^deny; code=min_age/);
    assert.deepEqual(server.requests.filter(({ path }) => world.files.test(path)), []);
  });

  Deno.test(`pitfall: the cache is asked before the policy, so one org's answer reaches another; files need no authentication (${driver.id})`, async () => {
    const world = driver.start({ cacheControl: "public, max-age=300" });
    await using _server = world.server;
    const file = world.publish({ name: "package", version: "1.0.0", publishedAt: ago(90) });
    const blocked = { rules: { block: { entries: [{ purl: `pkg:${driver.id}/package` }] } } };
    await using proxy = await testProxy({
      upstreams: { [driver.id]: world.upstream },
      policies: { acme: blocked, closed: { auth: "token" } },
    });
    const get = async (path: string) => {
      const response = await proxy.fetch(path, { headers: driver.headers });
      return { status: response.status, text: await response.text() };
    };
    for (let round = 0; round < 2; round++) {
      for (const path of [driver.index("package"), file.path]) {
        assert.equal((await get(`${driver.mount}${path}`)).status, 200);
        assert.equal((await get(`/o-closed${driver.mount}${path}`)).status, 401);
        const { status, text } = await get(`/o-acme${driver.mount}${path}`);
        // PyPI's and cargo's indexes keep the line, as withdrawn.
        if (status === 200) assert.deepEqual(driver.visible(text), []);
        else assert.ok(status === 403 || status === 302, `${path} ${status}`);
      }
    }
  });

  Deno.test(`pitfall: a filter that failed served the original document (${driver.id})`, async () => {
    const world = driver.start();
    await using server = world.server;
    world.publish({ name: "package", version: "1.0.0", publishedAt: ago(90) });
    const json = driver.id === "pypi" ? "application/vnd.pypi.simple.v1+json" : "application/json";
    for (
      const body of [
        "[]",
        "null",
        "{",
        '{"files":{},"versions":[],"vers":1}',
        '{"name":"package","versions":{"1.0.0":7},"files":[7],"meta":{"api-version":"1.0"}}',
        '{"name":"package","versions":{"1.0.0":{}},"time":[],"files":[{}],"meta":{"api-version":"9.0"}}',
        "\xff\xfe",
      ]
    ) {
      server.mend();
      // Anew each time, as a last good answer would be given instead.
      await using proxy = await testProxy({ upstreams: { [driver.id]: world.upstream } });
      server.fault(world.indexes, { kind: "body", body, type: json });
      const path = `${driver.mount}${driver.index("package")}`;
      const response = await proxy.fetch(path, { headers: driver.headers });
      const text = await response.text();
      assert.equal(response.status, 502, `${body} ${text}`);
      assert.ok(!text.includes(body) || body.length < 5, text);
    }
  });

  Deno.test(`pitfall: tokens inside resolved URLs of committed lockfiles (edit-flow#1000) (${driver.id})`, async () => {
    const world = driver.start();
    await using _server = world.server;
    world.publish({ name: "package", version: "1.0.0", publishedAt: ago(90) });
    await using proxy = await testProxy({ upstreams: { [driver.id]: world.upstream } });
    const { secret } = await proxy.deps.tokens.create({
      org: "default",
      user: "alice",
      role: "client",
      expires: null,
      by: "test",
    });
    const paths = [driver.index("package"), ...(driver.id === "cargo" ? ["config.json"] : [])];
    for (const path of paths) {
      for (
        const authorization of [
          `Bearer ${secret}`,
          `Bearer ${secret}:registry-secret`,
          `Basic ${btoa(`alice:${secret}`)}`,
          `Basic ${btoa(`${secret}:registry-secret`)}`,
          `Basic ${btoa("alice:passw0rd")}`,
        ]
      ) {
        const headers = { ...driver.headers, authorization };
        const response = await proxy.fetch(`${driver.mount}${path}`, { headers });
        assert.equal(response.status, 200);
        const text = await response.text();
        assert.ok(text.includes("package") || text.includes("proxy.example"));
        assert.ok(!/pp_|passw0rd|registry-secret|[a-z]@proxy\.example/.test(text), text);
      }
    }
  });

  Deno.test(`pitfall: filtered answers cached past a version's coming of age (${driver.id})`, async () => {
    const world = driver.start({ cacheControl: "public, max-age=300" });
    await using _server = world.server;
    world.publish({ name: "package", version: "1.0.0", publishedAt: ago(90) });
    const young = world.publish({
      name: "package",
      version: "1.1.0",
      publishedAt: new Date(NOW - 10 * DAY + 60_000),
    });
    await using proxy = await testProxy({ upstreams: { [driver.id]: world.upstream } });
    proxy.clock.now = NOW;
    const visible = async () => {
      const path = `${driver.mount}${driver.index("package")}`;
      const response = await proxy.fetch(path, { headers: driver.headers });
      return driver.visible(await response.text()).length;
    };
    assert.equal(await visible(), 1);
    // Upstream's answer is still fresh; ours must not be.
    proxy.clock.now += 61_000;
    assert.equal(await visible(), 2);
    const file = await proxy.fetch(`${driver.mount}${young.path}`, { headers: driver.headers });
    assert.equal(file.status, 200);
    await file.arrayBuffer();
  });

  Deno.test(`pitfall: a refusal that looks like a permission error sends people to the wrong door (jfrog-cli#3150) (${driver.id})`, async () => {
    const world = driver.start();
    await using server = world.server;
    const young = world.publish({ name: "package", version: "1.1.0", publishedAt: ago(1) });
    await using proxy = await testProxy({ upstreams: { [driver.id]: world.upstream } });
    const ask = () => proxy.fetch(`${driver.mount}${young.path}`, { headers: driver.headers });
    const refused = await ask();
    assert.equal(refused.headers.get("www-authenticate"), null);
    const location = refused.headers.get("location");
    const text = location === null
      ? await refused.text()
      : await (await proxy.fetch(new URL(location).pathname + new URL(location).search)).text();
    for (const part of ["package", "1.1.0", "min_age", "available from", "/why/"]) {
      if (part !== "/why/" || location === null) {
        assert.ok(text.includes(part), `${part} in ${text}`);
      }
    }
    // And upstream's own permission error is not taken for the policy's.
    proxy.clock.now += 30 * DAY;
    server.fault(/.*/, { kind: "status", status: 403 });
    const denied = await ask();
    assert.equal(denied.status, 403);
    assert.equal(denied.headers.get("policy-decision"), null);
    assert.match(await denied.text(), /Upstream 127\.0\.0\.1:\d+ answers 403; not this proxy/);
  });
}
