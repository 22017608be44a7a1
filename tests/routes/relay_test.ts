/** The proxy is no open relay: request lines as no HTTP client library would write them. */
import assert from "node:assert/strict";
import { testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import { serveRegistry } from "../registry/server.ts";

/** Sends one request as it is written here. */
async function raw(base: string, line: string, headers: readonly string[] = []) {
  const { hostname, port } = new URL(base);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const lines = [line, "Host: proxy.example", "Connection: close", ...headers, "", ""];
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(lines.join("\r\n")));
  const text = await new Response(connection.readable).text();
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  return { status: Number(status), text };
}

async function setting() {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  npm.publish({ name: "left", version: "1.0.0" });
  const victim = serveRegistry(() => ({ body: "inside", type: "text/plain" }));
  const proxy = await testProxy({
    upstreams: { npm: npm.url, pypi: pypi.index, cargo: cargo.url },
  });
  return {
    victim,
    base: proxy.listen(),
    asked: () => [npm, pypi, cargo].flatMap(({ requests }) => requests.map(({ path }) => path)),
    npm,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [npm, pypi, cargo, victim]) await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a foreign address in a path or a request line is fetched by nobody", async () => {
  await using it = await setting();
  const { host } = new URL(it.victim.url);
  for (
    const target of [
      `//${host}/`,
      `///${host}/x`,
      `/http://${host}/`,
      `/http:/${host}/`,
      `/npm/http://${host}/`,
      `/npm/http:%2f%2f${host}%2f`,
      `/npm//${host}/x`,
      `/npm/%2f%2f${host}/x`,
      `/npm/-/npm/v1/attestations/http:%2f%2f${host}@1.0.0`,
      `/npm/left/-/http:%2f%2f${host}%2fx.tgz`,
      `/pypi//${host}/simple/`,
      `/pypi/simple/http:%2f%2f${host}/`,
      `/pypi/packages/http://${host}/x-1.0.tar.gz`,
      `/pypi/integrity/x/1.0/..%2f..%2f${host}/provenance`,
      `/cargo/http://${host}/`,
      `/cargo/crates/..%2f..%2f${host}/1.0.0/download`,
      `/cargo/api/v1/crates/http:%2f%2f${host}`,
      `/why/http://${host}/`,
      `/why/pkg:npm/http:%2f%2f${host}`,
      `http://${host}/`,
      `http://${host}/secret`,
      `http://user:password@${host}/npm/left`,
      `https://${host}/x/y/z`,
    ]
  ) {
    const { status, text } = await raw(it.base, `GET ${target} HTTP/1.1`);
    assert.ok([200, 301, 400, 404].includes(status), `${target} ${text.slice(0, 200)}`);
    assert.ok(!text.includes("inside"), target);
    // A page about the proxy itself at most: no package came of it.
    if (status === 200) assert.ok(!/"versions"/.test(text), `${target} ${text}`);
  }
  assert.deepEqual(it.victim.requests, []);
  for (const path of it.asked()) assert.ok(!/%2f%2f|127\.0\.0\.1|\/\//i.test(path), path);
});

Deno.test("CONNECT and absolute request lines do not make a tunnel", async () => {
  await using it = await setting();
  const { host } = new URL(it.victim.url);
  const { status, text } = await raw(it.base, `CONNECT ${host} HTTP/1.1`);
  assert.ok(status >= 400 || Number.isNaN(status), text);
  assert.deepEqual(it.victim.requests, []);
  // The request line's authority is what the addresses in the answer begin with, nothing else.
  const absolute = await raw(it.base, "GET http://other.example/npm/left HTTP/1.1");
  assert.equal(absolute.status, 200);
  assert.deepEqual(it.asked(), ["/left"]);
  const plain = await raw(it.base, "GET /npm/left HTTP/1.1");
  assert.ok(plain.text.includes("http://proxy.example/npm/left/-/left-1.0.0.tgz"));
  assert.ok(!plain.text.includes("other.example"), "one client's address is not another's");
});

Deno.test("dot segments and backslashes leave no mount", async () => {
  await using it = await setting();
  for (
    const target of [
      "/npm/../../etc/passwd",
      "/npm/..%2f..%2fetc%2fpasswd",
      "/npm/%2e%2e/%2e%2e/etc/passwd",
      "/npm/.%2e/x/y",
      "/npm/left/-/../../secret.tgz",
      "/npm/left/-/%2e%2e/secret.tgz",
      "/npm/left/-/..%5c..%5csecret.tgz",
      "/npm\\..\\..\\etc\\passwd",
      "/npm/left\\..\\secret",
      "/npm/@acme%2f..%2f..%2fadmin",
      "/npm/@..%2f..",
      "/pypi/simple/../../etc/passwd",
      "/pypi/simple/%2e%2e/x/",
      "/pypi/packages/../../x-1.0.tar.gz",
      "/pypi/packages/%2e%2e/%2e%2e/x-1.0.tar.gz",
      "/cargo/../../etc/passwd/x",
      "/cargo/crates/%2e%2e/%2e%2e/download",
      "/cargo/de/mo/..%5cdemo",
      "/npm/left%00",
      "/npm/%ff%fe",
      "/npm/left%0d%0aX-Evil:%201",
    ]
  ) {
    const { status, text } = await raw(it.base, `GET ${target} HTTP/1.1`);
    assert.ok([301, 400, 404].includes(status), `${target} ${text.slice(0, 300)}`);
    assert.ok(!/^x-evil/im.test(text), target);
    assert.ok(!text.includes("root:"), target);
  }
  for (const path of it.asked()) assert.ok(!/\.\.|%2e|%5c|\\|secret|%00/i.test(path), path);
});

Deno.test("a prefix that climbs names no org, and a host that is none is refused", async () => {
  await using it = await setting();
  for (
    const target of ["/o-../npm/left", "/o-%2e%2e/npm/left", "/o-/npm/left", "/o-acme/u-%2f/x"]
  ) {
    const { status } = await raw(it.base, `GET ${target} HTTP/1.1`);
    assert.ok([400, 404].includes(status), `${target} ${status}`);
  }
  for (const host of ["evil.example/<script>", "a b", "x@evil.example", '"']) {
    const { status, text } = await raw(it.base, "GET /npm/left HTTP/1.1", [`Host: ${host}`]);
    assert.ok(!(status === 200 && text.includes(host)), host);
  }
});
