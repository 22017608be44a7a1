/** With how little the process runs, and that it is enough. */
import assert from "node:assert/strict";
import { ECOSYSTEMS } from "../ecosystems/mod.ts";
import { defaultUpstreams, readSettings } from "../routes/settings.ts";
import { run, start, temporary } from "./process.ts";
import { startNpmRegistry } from "./registry/npm.ts";

/** What `deno task start:narrow` gives it. */
function narrow(database: string): string[] {
  return ["-P", `--allow-read=${database}`, `--allow-write=${database}`];
}

const PROBE = "permissions_probe.ts";

for (const task of ["start", "start:narrow"]) {
  Deno.test(`\`deno task ${task}\`: once it has started, the process opens no file and runs nothing`, async () => {
    await using folder = await temporary();
    const KV_URL = folder.file("proxy.sqlite");
    const permissions = task === "start" ? undefined : narrow(KV_URL);
    const { code, out, err } = await run({ KV_URL, PORT: "0" }, { permissions, entry: PROBE });
    assert.equal(code, 0, err);
    const outcomes = Object.entries(JSON.parse(out.trim().split("\n").at(-1) ?? ""));
    assert.ok(outcomes.length >= 9);
    for (const [what, outcome] of outcomes) assert.equal(outcome, "NotCapable", what);
  });
}

Deno.test("`deno task start:narrow`: a file that is not the database is not opened", async () => {
  await using folder = await temporary();
  const [KV_URL, other] = [folder.file("other.sqlite"), folder.file("proxy.sqlite")];
  const { code, out, err } = await run({ KV_URL, PORT: "0" }, { permissions: narrow(other) });
  assert.match(
    err,
    /^Cannot open the database \(KV_URL\): Requires (?:read|write) access to "[^"]*other\.sqlite"[^\n]*\n$/,
  );
  assert.deepEqual([code, out], [1, ""]);
});

Deno.test("the narrow permissions are enough for every part, those that are loaded late too", async () => {
  await using folder = await temporary();
  await using registry = startNpmRegistry();
  registry.publish({ name: "left", version: "1.0.0" });
  const KV_URL = folder.file("proxy.sqlite");
  const token = "0123456789abcdef";
  await using proxy = await start({
    KV_URL,
    ADMIN_TOKEN: token,
    UPSTREAM_NPM: registry.url,
    // Nobody speaks TLS there: what it takes to try it is what counts.
    UPSTREAM_PYPI: registry.url.replace("http:", "https:"),
    PUBLIC_URL: "http://localhost:8000",
    OIDC_ISSUER: "http://localhost:9",
    OIDC_CLIENT_ID: "proxy",
    OIDC_CLIENT_SECRET: "secret",
    OIDC_ALLOWED: "@acme.example=acme:viewer",
    WEBHOOK_ALLOW: "127.0.0.1:*",
    ISSUER_ALLOW: "localhost:*",
  }, { permissions: narrow(KV_URL) });
  const authorization = `Bearer ${token}`;
  const json = { authorization, "content-type": "application/json" };
  const issuer = "https://localhost:9";
  const policy = {
    webhooks: [{ url: registry.url.replace("http:", "https:") }],
    identities: [{ issuer, audience: "a", claims: { sub: "x" } }],
  };
  const jwt = [{ alg: "RS256", kid: "a" }, { iss: issuer, aud: "a", sub: "x", exp: 9_999_999_999 }]
    .map((part) => btoa(JSON.stringify(part)).replaceAll("=", "")).join(".");
  const asked: [
    status: number,
    method: string,
    path: string,
    headers?: HeadersInit,
    body?: string,
  ][] = [
    [200, "GET", "/npm/left"],
    [200, "GET", "/npm/left/-/left-1.0.0.tgz"],
    [502, "GET", "/pypi/simple/demo/"],
    [200, "GET", "/admin/openapi.json"],
    [201, "PUT", "/admin/v1/orgs/acme/policy", json, JSON.stringify(policy)],
    [200, "POST", "/admin/v1/orgs/acme/simulate", json, '{"policy":{},"days":1}'],
    [200, "GET", "/admin/v1/orgs/default/installs?format=csv", { authorization }],
    [200, "POST", "/check?filename=pnpm-lock.yaml", {}, "lockfileVersion: '9.0'\npackages: {}\n"],
    [200, "POST", "/check?filename=uv.lock", {}, "version = 1\n"],
    [503, "GET", "/admin/sign-in"],
    [503, "GET", "/o-acme/npm/left", { authorization: `Bearer ${jwt}.c2ln` }],
    [404, "GET", "/npm/no%0Asuch%22line%0D"],
    [200, "GET", "/health"],
  ];
  for (const [status, method, path, headers, body] of asked) {
    const response = await fetch(`${proxy.url}${path}`, {
      method,
      headers: { "user-agent": "curl/8", ...Object.fromEntries(new Headers(headers)) },
      body,
    });
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path} ${text}`);
  }
  proxy.process.kill("SIGTERM");
  assert.equal((await proxy.process.status).code, 0);
  const printed = proxy.printed();
  assert.doesNotMatch(printed, /NotCapable|Requires \w+ access/);
  const lines = printed.trim().split("\n").slice(1);
  assert.ok(lines.length >= 4, printed);
  // One line a decision, whatever was asked.
  for (const line of lines) assert.equal(typeof JSON.parse(line).event, "string", line);
});

Deno.test("the tasks start with what is tested here", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  const of = (task: string) => tasks[task].command;
  assert.equal(of("start"), "deno run -P --allow-read --allow-write --quiet main.ts");
  assert.equal(of("start:narrow"), `deno run ${narrow('"$KV_URL"').join(" ")} --quiet main.ts`);
});

Deno.test("every setting may be read: its name is among the permitted variables", async () => {
  const text = await Deno.readTextFile(new URL("../deno.json", import.meta.url));
  const permitted: string[] = JSON.parse(text).permissions.default.env;
  const asked = new Set<string>();
  const env = (name: string) => void asked.add(name);
  const settings = readSettings(env, ECOSYSTEMS, await defaultUpstreams(env, ECOSYSTEMS));
  settings.registryToken("REGISTRY_TOKEN_X", { org: "acme", url: "https://a.example" });
  assert.ok(asked.size >= 20, [...asked].join(", "));
  for (const name of asked) {
    const fits = (entry: string) =>
      entry === name || (entry.endsWith("*") && name.startsWith(entry.slice(0, -1)));
    assert.ok(permitted.some(fits), name);
  }
});
