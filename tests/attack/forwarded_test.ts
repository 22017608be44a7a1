/** What anybody can claim of where they are and which address they asked: believed of nobody. */
import assert from "node:assert/strict";
import { ask } from "./wire.ts";
import { assertNothingLeaks, attackWorld, CANARY } from "./world.ts";

const CLAIMS: Readonly<Record<string, string>> = {
  "X-Forwarded-Host": "evil.example",
  "X-Forwarded-Server": "evil.example",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Scheme": "https",
  "X-Forwarded-Ssl": "on",
  "X-Forwarded-Port": "4443",
  "X-Forwarded-Prefix": "/evil",
  "X-Forwarded-For": "10.6.6.6",
  "X-Real-IP": "10.6.6.6",
  "X-Client-IP": "10.6.6.6",
  "True-Client-IP": "10.6.6.6",
  "CF-Connecting-IP": "10.6.6.6",
  "X-Cluster-Client-IP": "10.6.6.6",
  "X-Host": "evil.example",
  "X-HTTP-Host-Override": "evil.example",
  "X-Original-Host": "evil.example",
  "X-Original-URL": "/o-vault/npm/left",
  "Forwarded": "for=10.6.6.6;host=evil.example;proto=https;by=evil.example",
  "Front-End-Https": "on",
  "Base-Url": "https://evil.example",
  "Referer": "https://evil.example/",
};
const HEADERS = Object.entries(CLAIMS).map((pair) => pair.join(": "));
const PATHS = [
  "/setup",
  "/npm/left",
  "/npm/left/1.0.0",
  "/npm/",
  "/pypi/simple/demo-tool/",
  "/pypi/simple/Demo.Tool",
  "/pypi/demo-tool/json",
  "/cargo/config.json",
  "/cargo/api/v1/crates/demo",
  "/why/pkg:npm/left@1.1.0",
  "/npm/left/-/left-1.1.0.tgz",
  "/admin/openapi.json",
  "/admin/v1/orgs",
];

/** Of letters and digits, but no address can have them. */
const NO_HOSTS = ["x.example:99999", "1.2.3.256", "1.2.3.4.5", "xn--a", "[1:2]", "[:::::]"];

Deno.test("no claim of a host gets into an answer, and none into the next one's", async (t) => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  for (const path of PATHS) {
    await t.step(path, async () => {
      // The first to ask makes the prepared answer: that is the liar, each header by itself and all.
      for (const headers of [HEADERS, ...HEADERS.map((header) => [header]), []]) {
        const { statuses, text } = await ask(base, `GET ${path} HTTP/1.1`, headers);
        assert.equal(statuses.length, 1);
        assert.ok(!/evil|4443|https:\/\/proxy|10\.6\.6\.6/.test(text), `${headers}\n${text}`);
        assert.ok(!text.includes(CANARY), text);
      }
    });
  }
});

Deno.test("no claim of an address gets into a record, a log line or a limit", async () => {
  await using it = await attackWorld({
    policy: { limits: { per_address: "5/m", per_user: "off", per_token: "off" } },
  });
  const base = it.proxy.listen();
  const statuses: number[] = [];
  for (let i = 0; i < 7; i++) {
    const claim = `10.6.6.${i}`;
    const headers = [`X-Forwarded-For: ${claim}`, `Forwarded: for=${claim}`, `X-Real-IP: ${claim}`];
    const reply = await ask(base, "GET /npm/left/-/left-1.0.0.tgz HTTP/1.1", headers);
    statuses.push(...reply.statuses);
  }
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429], "seven claims are one address");
  const ips = (await it.proxy.installs()).map(({ ip }) => ip);
  assert.deepEqual([...new Set(ips)], ["127.0.0.1"]);
  assert.ok(!JSON.stringify(it.proxy.lines).includes("10.6.6."), "nor a log line");
});

Deno.test("a lie of the host is one client's own: the next gets addresses of its own host", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  for (const path of ["/npm/left", "/pypi/demo-tool/json", "/cargo/config.json", "/setup"]) {
    for (const host of ["evil.example", "proxy.example", "evil.example:8080", "other.example"]) {
      const { text } = await ask(base, `GET ${path} HTTP/1.1`, [`Host: ${host}`]);
      const named = [...text.matchAll(/https?:\/\/([a-z.]+\.example(?::\d+)?)\//g)]
        .map(([, name]) => name)
        .filter((name) => /^(?:evil|proxy|other)\./.test(name));
      assert.ok(named.length > 0, `${path} ${text}`);
      assert.deepEqual([...new Set(named)], [host], path);
    }
  }
});

Deno.test("behind a trusted proxy the last one's word counts, not what a client put before it", async () => {
  const { readTrust } = await import("../../routes/forwarded.ts");
  await using it = await attackWorld({ settings: { trustProxy: readTrust("1") } });
  const base = it.proxy.listen();
  const { text } = await ask(base, "GET /npm/left HTTP/1.1", [
    "X-Forwarded-Host: evil.example, packages.example",
    "X-Forwarded-Proto: http, https",
    "X-Forwarded-For: 10.6.6.6, 192.0.2.1",
    "Forwarded: host=worse.example",
  ]);
  assert.ok(text.includes("https://packages.example/npm/left/-/"), text);
  assert.ok(!/evil|worse/.test(text), text);
  const syntax = ["evil.example/x", "a b", "<script>", "evil.example#", "user@evil.example"];
  for (const host of [...syntax, ...NO_HOSTS]) {
    const { statuses } = await ask(base, "GET /npm/left HTTP/1.1", [`X-Forwarded-Host: ${host}`]);
    assert.deepEqual(statuses, [400], host);
  }
});

Deno.test("what only looks like a host is 400, wherever it is sent", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  for (const host of NO_HOSTS) {
    for (const path of ["/npm/left", "/setup", "/admin/v1/orgs", "/o-a/admin/", "/health"]) {
      const { statuses } = await ask(base, `GET ${path} HTTP/1.1`, [`Host: ${host}`]);
      assert.deepEqual(statuses, [400], `${host} ${path}`);
    }
  }
  for (const host of ["x.example:59999", "1.2.3.255", "[::1]:80", "a_b.example", "x.example."]) {
    const { statuses } = await ask(base, "GET /setup HTTP/1.1", [`Host: ${host}`]);
    assert.deepEqual(statuses, [200], host);
  }
});

Deno.test("with BASE_DOMAIN no spelling of another org's host goes around its policy", async () => {
  await using it = await attackWorld({ settings: { baseDomain: "packages.example" } });
  const base = it.proxy.listen();
  const stranger = `Authorization: Bearer ${it.strangers.client}`;
  for (
    const host of [
      "vault.packages.example",
      "VAULT.Packages.Example",
      "vault.packages.example.",
      "vault.packages.example:8000",
      "npm.vault.packages.example",
      "NPM.VAULT.packages.example.",
      "nest.packages.example",
      "acme.vault.packages.example",
      "vault..packages.example",
      ".packages.example",
      "vault.packages.example..",
      "x-vault.packages.example",
      "vault.packages.example.evil.example",
      "evilpackages.example",
    ]
  ) {
    for (const path of ["/npm/@vault%2ftool", "/@vault%2ftool", "/npm/@nest%2fegg", "/npm/left"]) {
      for (const headers of [[], [stranger]]) {
        const { statuses, text } = await ask(base, `GET ${path} HTTP/1.1`, [
          `Host: ${host}`,
          ...headers,
        ]);
        assert.equal(statuses.length, 1, `${host} ${text}`);
        assertNothingLeaks(text, it, `${host}${path}`);
        // What is vault's host for certain asks for a token of vault's.
        if (/^(?:npm\.)?vault\.packages\.example\.?(?::\d+)?$/i.test(host)) {
          assert.ok([401, 403].includes(statuses[0]), `${host}${path} ${text}`);
        }
      }
    }
  }
});
