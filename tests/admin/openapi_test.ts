import assert from "node:assert/strict";
import { keys } from "../../policy/store/keys.ts";
import type { News } from "../../policy/store/types.ts";
import { found } from "../policy/store/alerts_fixture.ts";
import { wish } from "../policy/store/exceptions_fixture.ts";
import { faultsOf } from "./json_schema.ts";
import { inWorld, isObject, type Json, member, type Reply } from "./world.ts";

/** Section 6 of the contract. */
const ROUTES = [
  "DELETE /admin/v1/orgs/{org}/block/{id}",
  "DELETE /admin/v1/orgs/{org}/exceptions/{id}",
  "DELETE /admin/v1/orgs/{org}/policy",
  "DELETE /admin/v1/orgs/{org}/tokens/{id}",
  "GET /admin/openapi.json",
  "GET /admin/v1/orgs",
  "GET /admin/v1/orgs/{org}/alerts",
  "GET /admin/v1/orgs/{org}/alerts/{id}",
  "GET /admin/v1/orgs/{org}/audit",
  "GET /admin/v1/orgs/{org}/block",
  "GET /admin/v1/orgs/{org}/exceptions",
  "GET /admin/v1/orgs/{org}/installs",
  "GET /admin/v1/orgs/{org}/packages",
  "GET /admin/v1/orgs/{org}/policy",
  "GET /admin/v1/orgs/{org}/policy/history",
  "GET /admin/v1/orgs/{org}/refusals",
  "GET /admin/v1/orgs/{org}/requests",
  "GET /admin/v1/orgs/{org}/requests/{id}",
  "GET /admin/v1/orgs/{org}/requests/{id}/decide",
  "GET /admin/v1/orgs/{org}/sbom",
  "GET /admin/v1/orgs/{org}/stats",
  "GET /admin/v1/orgs/{org}/tokens",
  "GET /admin/v1/orgs/{org}/users",
  "PATCH /admin/v1/orgs/{org}/policy",
  "POST /admin/v1/orgs/{org}/alerts/{id}/acknowledge",
  "POST /admin/v1/orgs/{org}/block",
  "POST /admin/v1/orgs/{org}/break-glass",
  "POST /admin/v1/orgs/{org}/exceptions",
  "POST /admin/v1/orgs/{org}/requests/{id}/decide",
  "POST /admin/v1/orgs/{org}/simulate",
  "POST /admin/v1/orgs/{org}/tokens",
  "PUT /admin/v1/orgs/{org}/policy",
];

Deno.test("the description is open to everybody, and names exactly the routes there are", () =>
  inWorld(async ({ call }) => {
    const { status, body } = await call("GET", "/admin/openapi.json", { token: null });
    assert.equal(status, 200);
    assert.equal(body.openapi, "3.1.0");
    assert.deepEqual(operations(body).map(({ route }) => route).sort(), ROUTES);
    const ids = operations(body).map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
  }));

Deno.test("every $ref of the description leads somewhere, every path parameter is declared", () =>
  inWorld(async ({ call }) => {
    const { body } = await call("GET", "/admin/openapi.json");
    let count = 0;
    visit(body, (node) => {
      if (typeof node.$ref !== "string") return;
      assert.match(node.$ref, /^#\/components\/schemas\/\w+$/);
      assert(isObject(member(body, ...node.$ref.slice(2).split("/"))), node.$ref);
      count++;
    });
    assert(count > 20, `${count} references`);
    for (const { route, operation } of operations(body)) {
      const parameters = operation.parameters;
      assert(Array.isArray(parameters));
      const inPath = parameters.filter((it) => it.in === "path").map(({ name }) => `{${name}}`);
      assert.deepEqual(route.match(/\{\w+\}/g) ?? [], inPath);
      for (const parameter of parameters) assert(isObject(parameter.schema), route);
    }
  }));

Deno.test("every route names the failures that its parameters and its body can cause", () =>
  inWorld(async ({ call }) => {
    const { body: description } = await call("GET", "/admin/openapi.json");
    for (const { route, operation } of operations(description)) {
      const { parameters, responses, requestBody } = operation;
      assert(Array.isArray(parameters) && isObject(responses));
      const expected = [
        429,
        ...(parameters.length > 0 ? [400, 500, 503] : []),
        ...(requestBody === undefined ? [] : [400, 408, 413, 415]),
        ...(parameters.some(({ name }) => name === "id") ? [404] : []),
        ...(parameters.some(({ name }) => name === "If-Match") ? [412] : []),
      ];
      for (const status of expected) assert(Object.hasOwn(responses, status), `${route} ${status}`);
    }
  }));

Deno.test("the policy's schema takes what the API takes and refuses unknown members", () =>
  inWorld(async ({ call }) => {
    const { body } = await call("GET", "/admin/openapi.json");
    const policy = { $ref: "#/components/schemas/Policy" };
    assert.deepEqual(faultsOf({}, policy, body), []);
    assert.deepEqual(faultsOf({ rules: { min_age: { age: "3d" } } }, policy, body), []);
    for (
      const wrong of [
        { mode: "perhaps" },
        { surplus: 1 },
        { rules: { yanked: { level: 1 } } },
        { exceptions: [{ purl: "pkg:npm/axios", rules: ["yanked", "yanked"] }] },
        { webhooks: [{ url: "https://hooks.example/", secret: "" }] },
        { webhooks: [{ url: "https://hooks.example/", secret: "whsec_a-_b" }] },
      ]
    ) {
      assert.notDeepEqual(faultsOf(wrong, policy, body), [], JSON.stringify(wrong));
    }
  }));

Deno.test("every answer is as described", () =>
  inWorld(async ({ call, install, refuse, alerts, secrets, clock, exceptions, kv, requests }) => {
    const { body: description } = await call("GET", "/admin/openapi.json");
    const described = new Map(operations(description).map((it) => [it.route, it.operation]));
    const answered = new Set<string>();
    const check = async (
      method: string,
      template: string,
      options: Parameters<typeof call>[2] & { id?: unknown; query?: string } = {},
    ): Promise<Reply> => {
      const path = template.replace("{org}", "acme").replace("{id}", String(options.id ?? "none"));
      const reply = await call(method, path + (options.query ?? ""), options);
      const route = `${method} ${template}`;
      const answer = member(described.get(route), "responses", reply.status);
      assert(isObject(answer), `${route} answers ${reply.status}, which is not described`);
      const type = reply.headers.get("content-type")?.split(";")[0];
      if (answer.content === undefined) assert.equal(reply.text, "", route);
      else if (type?.endsWith("json")) {
        const schema = member(answer.content, type, "schema");
        assert(isObject(schema));
        assert.deepEqual(faultsOf(reply.body, schema, description), [], `${route} ${reply.text}`);
      } else assert(isObject(member(answer.content, type ?? "none")), `${route} ${type}`);
      answered.add(`${route} ${reply.status}`);
      return reply;
    };
    const org = "/admin/v1/orgs/{org}";
    await install();
    await install({ sha256: "ab".repeat(32), user: "" });
    await refuse({ reason: "too young" });

    await check("GET", `${org}/policy`);
    await check("DELETE", `${org}/policy`);
    await check("PUT", `${org}/policy`, { body: {} });
    const { headers } = await check("PUT", `${org}/policy`, {
      body: {
        registries: [{
          ecosystem: "npm",
          packages: "pkg:npm/@a/*",
          url: "https://npm.example/",
          files: ["https://files.example"],
        }],
        webhooks: [{ url: "https://hooks.example/", secret: "x" }],
      },
    });
    const etag = headers.get("etag") ?? "";
    await check("GET", `${org}/policy`, { headers: { "if-none-match": etag } });
    await check("PATCH", `${org}/policy`, { body: { mode: "audit" } });
    await check("PATCH", `${org}/policy`, { body: { mode: 1 } });
    await check("PATCH", `${org}/policy`, { body: "{", headers: { "if-match": etag } });
    await check("PATCH", `${org}/policy`, { body: {}, headers: { "if-match": etag } });
    await check("PUT", `${org}/policy`, { body: {}, headers: { "content-type": "text/plain" } });
    for (const [list, entry] of [["block", {}], ["exceptions", { rules: ["yanked"] }]] as const) {
      const body = { purl: "pkg:npm/a", reason: "why not", ...entry };
      const { body: added } = await check("POST", `${org}/${list}`, { body });
      await check("POST", `${org}/${list}`, { body });
      await check("POST", `${org}/${list}`, { body: {} });
      await check("GET", `${org}/${list}`);
      if (list === "block") await check("GET", `${org}/policy`);
      await check("DELETE", `${org}/${list}/{id}`, { id: added.id });
      await check("DELETE", `${org}/${list}/{id}`, { id: added.id });
    }
    await check("DELETE", `${org}/policy`);
    await check("GET", `${org}/policy/history`);
    const { body: token } = await check("POST", `${org}/tokens`, {
      body: { user: "bob", role: "client", expires: "1d" },
    });
    await check("POST", `${org}/tokens`, { body: {} });
    await check("GET", `${org}/tokens`, { query: "?limit=2" });
    await check("DELETE", `${org}/tokens/{id}`, { id: token.id });
    await check("DELETE", `${org}/tokens/{id}`, { id: token.id });
    for (const list of ["installs", "refusals", "packages", "users", "audit"]) {
      assert((await check("GET", `${org}/${list}`)).items.length > 0, list);
      await check("GET", `${org}/${list}`, { query: "?format=csv" });
      await check("GET", `${org}/${list}`, { query: "?format=jsonl" });
      await check("GET", `${org}/${list}`, { query: "?limit=0" });
      await check("GET", `${org}/${list}`, { token: null });
      await check("GET", `${org}/${list}`, { token: secrets.client });
    }
    await check("GET", `${org}/sbom`);
    await alerts.raise(found(), "axios");
    const { items: [alert] } = await check("GET", `${org}/alerts`);
    await check("GET", `${org}/alerts`, { query: "?format=csv" });
    await check("GET", `${org}/alerts`, { query: "?status=closed" });
    await check("GET", `${org}/alerts/{id}`);
    await check("GET", `${org}/alerts/{id}`, { id: alert.id });
    const acknowledge = `${org}/alerts/{id}/acknowledge`;
    await check("POST", acknowledge, { id: alert.id, body: { remark: "" } });
    await check("POST", acknowledge, { id: alert.id, body: { comment: "keys rotated" } });
    const asked = [
      await requests.ask(wish({ origin: null })),
      await requests.ask(wish({ user: "bob", ticket: null })),
    ].map(({ request }) => request.id);
    await check("GET", `${org}/requests`);
    await check("GET", `${org}/requests`, { query: "?format=csv&status=open" });
    await check("GET", `${org}/requests`, { query: "?status=closed" });
    await check("GET", `${org}/requests/{id}`);
    await check("GET", `${org}/requests/{id}`, { id: asked[0] });
    const decide = `${org}/requests/{id}/decide`;
    const link = await linkOf(kv);
    await check("GET", decide, { id: asked[1], token: null });
    await check("GET", decide, { id: asked[1], token: null, query: "?surplus=1" });
    await check("GET", decide, { id: asked[1], token: null, query: link.search });
    await check("POST", decide, { id: asked[1], body: { decision: "maybe" } });
    await check("POST", decide, { id: asked[1], body: { decision: "approve" } });
    await check("GET", decide, { id: asked[1], token: null, query: link.search });
    await check("POST", decide, { id: asked[1], body: { decision: "deny" } });
    await check("POST", decide, { body: { decision: "deny" } });
    await check("POST", decide, {
      id: asked[0],
      body: { decision: "deny" },
      headers: { accept: "text/html" },
    });
    await check("GET", `${org}/requests/{id}`, { id: asked[1] });
    await check("POST", `${org}/break-glass`, { body: { purl: "pkg:npm/a" } });
    await check("POST", `${org}/break-glass`, { body: { purl: "pkg:npm/a@1.0.0", reason: "x" } });
    clock.now += 15 * 24 * 3600_000;
    await exceptions.expire();
    assert((await check("GET", `${org}/exceptions`, { query: "?state=ended" })).items.length > 0);
    await check("POST", `${org}/simulate`, { body: { patch: { mode: "enforce" }, days: 7 } });
    await check("POST", `${org}/simulate`, { body: { policy: {}, patch: {} } });
    await check("GET", `${org}/stats`);
    await check("GET", "/admin/v1/orgs");

    // Each of the good answers that is described was seen.
    for (const { route, operation } of operations(description)) {
      if (route.endsWith("openapi.json")) continue;
      for (const status of Object.keys(member(operation, "responses") ?? {})) {
        if (Number(status) < 400) assert(answered.has(`${route} ${status}`), `${route} ${status}`);
      }
    }
  }));

function operations(description: Json): { route: string; operation: Json }[] {
  assert(isObject(description.paths));
  return Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(isObject(item) ? item : {}).map(([method, operation]) => {
      assert(isObject(operation));
      return { route: `${method.toUpperCase()} ${path}`, operation };
    })
  );
}

function visit(node: unknown, see: (node: Json) => void): void {
  if (Array.isArray(node)) { for (const item of node) visit(item, see); }
  if (!isObject(node)) return;
  see(node);
  for (const value of Object.values(node)) visit(value, see);
}

/** Where approvers were sent last. */
async function linkOf(kv: Deno.Kv): Promise<URL> {
  const news = await Array.fromAsync(kv.list<News>({ prefix: keys.allNews() }));
  const links = news.flatMap(({ value }) => value.link ?? []);
  return new URL(links.at(-1) ?? "");
}
