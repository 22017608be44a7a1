import assert from "node:assert/strict";
import { StoreUnavailable } from "../../policy/store/errors.ts";
import type { Role } from "../../policy/types.ts";
import { inWorld } from "./world.ts";

const ORG = "/admin/v1/orgs/acme";
/** Each route with the least role that may use it, and a body that is accepted. */
const ROUTES: [method: string, path: string, least: Role, body?: unknown][] = [
  ["GET", "/admin/v1/orgs", "viewer"],
  ["GET", `${ORG}/policy`, "viewer"],
  ["PUT", `${ORG}/policy`, "editor", {}],
  ["PATCH", `${ORG}/policy`, "editor", {}],
  ["DELETE", `${ORG}/policy`, "editor"],
  ["GET", `${ORG}/policy/history`, "viewer"],
  ["GET", `${ORG}/block`, "viewer"],
  ["POST", `${ORG}/block`, "editor", { purl: "pkg:npm/a" }],
  ["DELETE", `${ORG}/block/0123456789ab`, "editor"],
  ["GET", `${ORG}/exceptions`, "viewer"],
  ["POST", `${ORG}/exceptions`, "editor", { purl: "pkg:npm/a", rules: ["min_age"] }],
  ["DELETE", `${ORG}/exceptions/0123456789ab`, "editor"],
  ["GET", `${ORG}/tokens`, "viewer"],
  ["POST", `${ORG}/tokens`, "editor", { user: "bob", role: "client" }],
  ["DELETE", `${ORG}/tokens/unknown`, "editor"],
  ["GET", `${ORG}/installs`, "viewer"],
  ["GET", `${ORG}/refusals`, "viewer"],
  ["GET", `${ORG}/packages`, "viewer"],
  ["GET", `${ORG}/users`, "viewer"],
  ["GET", `${ORG}/stats`, "viewer"],
];
const RANKS: Role[] = ["client", "viewer", "editor", "admin"];

for (const [method, path, least, body] of ROUTES) {
  Deno.test(`${method} ${path} is for ${least} and above, of that org`, () =>
    inWorld(async ({ call, secrets, tokens }) => {
      for (const role of RANKS) {
        const { status, headers } = await call(method, path, { token: secrets[role], body });
        const allowed = RANKS.indexOf(role) >= RANKS.indexOf(least);
        if (!allowed) assert.equal(status, 403, role);
        else assert(status < 300 || status === 404, `${role}: ${status}`);
        assert.equal(headers.get("cache-control"), "no-store");
      }
      const { status: ofRoot } = await call(method, path, { body });
      assert(ofRoot < 300 || ofRoot === 404, `root: ${ofRoot}`);

      const stranger = async (role: Role) =>
        (await tokens.create({ org: "other", user: "eve", role, expires: null, by: "root" }))
          .secret;
      const token = await stranger("editor");
      const { status, body: answer } = path.startsWith(ORG)
        ? await call(method, path, { token, body })
        : { status: 403, body: { detail: "The token is for another org." } };
      assert.deepEqual([status, answer.detail], [403, "The token is for another org."]);
      const admin = await stranger("admin");
      const { status: ofAdmin } = await call(method, path, { token: admin, body });
      assert(ofAdmin < 300 || ofAdmin === 404, `another org's admin: ${ofAdmin}`);
    }));

  Deno.test(`${method} ${path} without a valid token is 401 with a challenge`, () =>
    inWorld(async ({ call, policies }) => {
      for (const authorization of [null, "", "Basic eDp5", "Bearer", "Bearer pp_wrong", "pp_x"]) {
        const { status, headers, body: answer } = await call(method, path, {
          token: null,
          body,
          headers: authorization === null ? {} : { authorization },
        });
        assert.equal(status, 401, String(authorization));
        assert.match(headers.get("www-authenticate") ?? "", /^Bearer realm="package-proxy"/);
        assert.equal(headers.get("content-type"), "application/problem+json");
        assert.equal(answer.status, 401);
      }
      assert.equal(await policies.read("acme"), null);
    }));
}

Deno.test("an expired token is 401", () =>
  inWorld(async ({ call, tokens, clock }) => {
    const { secret } = await tokens.create({
      org: "acme",
      user: "bob",
      role: "viewer",
      expires: new Date(clock.now + 1_000).toISOString(),
      by: "root",
    });
    assert.equal((await call("GET", `${ORG}/policy`, { token: secret })).status, 200);
    clock.now += 1_000;
    assert.equal((await call("GET", `${ORG}/policy`, { token: secret })).status, 401);
  }));

Deno.test("the orgs a token sees are its own, an admin's are all", () =>
  inWorld(async ({ call, secrets, policies, tokens }) => {
    await policies.replace("other", {}, { by: "root" });
    await policies.replace("acme", {}, { by: "root" });
    await tokens.create({ org: "third", user: "x", role: "client", expires: null, by: "root" });
    const acme = { org: "acme", policy: true, tokens: true };
    assert.deepEqual((await call("GET", "/admin/v1/orgs")).body, {
      items: [acme, { org: "other", policy: true, tokens: false }, {
        org: "third",
        policy: false,
        tokens: true,
      }],
      cursor: null,
    });
    const own = await call("GET", "/admin/v1/orgs", { token: secrets.viewer });
    assert.deepEqual(own.items, [acme]);
  }));

Deno.test("what there is not is 404, a wrong method 405 with Allow, both as problems", () =>
  inWorld(async ({ call }) => {
    for (const path of ["/admin", "/admin/v1/", "/admin/v1/orgs/acme", `${ORG}/policy/`, "/x"]) {
      const { status, headers, body } = await call("GET", path);
      assert.deepEqual([status, body.status], [404, 404], path);
      assert.equal(headers.get("content-type"), "application/problem+json");
    }
    const wrong = await call("POST", `${ORG}/policy`, { body: {} });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get("allow"), "GET, HEAD, PUT, PATCH, DELETE");
    assert.equal(wrong.body.type, "urn:package-proxy:problem:method_not_allowed");
    assert.equal((await call("DELETE", `${ORG}/installs`)).headers.get("allow"), "GET, HEAD");
    assert.equal((await call("HEAD", `${ORG}/policy`)).status, 200);
  }));

Deno.test("HEAD says the length that GET has, of failures too", () =>
  inWorld(async ({ call, secrets }) => {
    const etag = (await call("GET", `${ORG}/policy`)).headers.get("etag") ?? "";
    for (const path of [`${ORG}/policy`, `${ORG}/installs?format=csv`, `${ORG}/none`]) {
      for (const token of [secrets.viewer, null]) {
        const get = await call("GET", path, { token });
        const head = await call("HEAD", path, { token });
        assert.deepEqual([head.status, head.text], [get.status, ""], path);
        const length = String(new TextEncoder().encode(get.text).length);
        assert.equal(head.headers.get("content-length"), length, path);
      }
    }
    const same = await call("HEAD", `${ORG}/policy`, { headers: { "if-none-match": etag } });
    assert.deepEqual([same.status, same.headers.get("content-length")], [304, null]);
  }));

Deno.test("an id that nothing can have is 404, however long", () =>
  inWorld(async ({ call, reported }) => {
    for (const id of ["a".repeat(65), "a".repeat(3_000), "%00", "a%2Fb"]) {
      const calls = [
        ["GET", `alerts/${id}`],
        ["POST", `alerts/${id}/acknowledge`],
        ["GET", `requests/${id}`],
        ["POST", `requests/${id}/decide`],
        ["DELETE", `tokens/${id}`],
        ["DELETE", `block/${id}`],
      ];
      for (const [method, path] of calls) {
        const body = method === "POST" ? { decision: "deny" } : undefined;
        const { status } = await call(method, `${ORG}/${path}`, { body });
        assert.equal(status, 404, `${method} ${path}`);
      }
    }
    assert.deepEqual(reported, []);
  }));

Deno.test("a name that is none is 400", () =>
  inWorld(async ({ call }) => {
    for (const org of ["Acme", "-a", "a%2Fb", "%00", "*", "a".repeat(64), "%ff"]) {
      const { status, body } = await call("GET", `/admin/v1/orgs/${org}/policy`);
      assert.deepEqual([status, body.type], [400, "urn:package-proxy:problem:name_invalid"], org);
    }
  }));

Deno.test("a store that fails is 503, anything else 500, and neither says why", async () => {
  const secret = "kv-connect-key";
  const read = (error: Error) => ({ policies: { read: () => Promise.reject(error) } });
  await inWorld(async ({ call, reported }) => {
    const { status, headers, text } = await call("GET", `${ORG}/policy`);
    assert.equal(status, 503);
    assert.equal(headers.get("retry-after"), "5");
    assert(!text.includes(secret));
    assert.equal(reported.length, 1);
  }, read(new StoreUnavailable(secret)));
  await inWorld(async ({ call, reported }) => {
    const { status, text } = await call("GET", `${ORG}/policy`);
    assert.equal(status, 500);
    assert(!text.includes(secret));
    assert.equal(reported.length, 1);
  }, read(new TypeError(secret)));
  await inWorld(async ({ call }) => {
    assert.equal((await call("GET", `${ORG}/policy`)).status, 503);
  }, { tokens: { find: () => Promise.reject(new StoreUnavailable(secret)) } });
});
