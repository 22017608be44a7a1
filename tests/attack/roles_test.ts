/** People of an org who want more than their role gives them, and links that are not theirs. */
import assert from "node:assert/strict";
import { type AttackWorld, attackWorld, linkOf } from "./world.ts";

const JSON_TYPE = { "content-type": "application/json" };
const ORG = "/admin/v1/orgs/acme";

async function call(
  { proxy }: AttackWorld,
  [method, path]: [method: string, path: string],
  { token, body }: { token?: string; body?: unknown } = {},
) {
  proxy.clock.now += 5_000; // slower than guesses are counted
  const headers = {
    ...JSON_TYPE,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const response = await proxy.fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

Deno.test("an editor makes no token that may do more, is of another org, or has a name that is none", async () => {
  await using it = await attackWorld();
  const token = it.strangers.editor;
  const wishes: [status: number, body: unknown][] = [
    [403, { user: "eve", role: "admin" }],
    [422, { user: "eve", role: "root" }],
    [422, { user: "eve", role: ["admin"] }],
    [422, { user: "eve", role: "client", org: "vault" }],
    [422, { user: "eve", role: "client", by: "root" }],
    [422, { user: "eve", role: "client", id: "x" }],
    [422, { user: "gha:acme/site", role: "client" }],
    [422, { user: "../root", role: "client" }],
    [422, { user: "EVE", role: "client" }],
    [422, { user: "eve\n", role: "client" }],
    [422, { user: "", role: "client" }],
    [422, { user: "eve", role: "client", expires: "+275760-09-13T00:00:00.001Z" }],
    [422, { user: "eve", role: "client", expires: "1970-01-01" }],
  ];
  for (const [status, body] of wishes) {
    const answer = await call(it, ["POST", `${ORG}/tokens`], { token, body });
    assert.equal(answer.status, status, `${JSON.stringify(body)} ${answer.text}`);
  }
  const admin = await it.proxy.deps.tokens.create({
    org: "acme",
    user: "boss",
    role: "admin",
    expires: null,
    by: "test",
  });
  const removed = await call(it, ["DELETE", `${ORG}/tokens/${admin.token.id}`], { token });
  assert.equal(removed.status, 403);
  assert.equal((await it.proxy.deps.tokens.find(admin.secret))?.role, "admin");
});

Deno.test("an editor lifts no block by an exception, an approval or a broken glass", async () => {
  await using it = await attackWorld();
  const token = it.strangers.editor;
  const purl = "pkg:npm/@acme/tool@1.0.0";
  for (
    const [path, body] of [
      ["exceptions", { purl, rules: ["block"], until: "2030-01-01" }],
      ["exceptions", { purl, rules: ["*"], until: "2030-01-01" }],
      ["break-glass", { purl, reason: "now" }],
    ] as const
  ) {
    const { status, text } = await call(it, ["POST", `${ORG}/${path}`], { token, body });
    assert.ok(status < 500, text);
  }
  const asked = await call(it, ["POST", `/o-acme/why/${purl}`], { token, body: { reason: "now" } });
  assert.ok([409, 422].includes(asked.status), asked.text);
  const file = await call(it, ["GET", "/o-acme/npm/@acme/tool/-/tool-1.0.0.tgz"], { token });
  assert.equal(file.status, 403);
});

Deno.test("nobody approves what they asked for, whatever link or form they use", async () => {
  await using it = await attackWorld({ settings: { publicUrl: "http://proxy.example" } });
  const token = it.strangers.editor;
  const asked = await call(it, ["POST", "/o-acme/why/pkg:npm/left@1.1.0"], {
    token,
    body: { reason: "mine" },
  });
  const [request] = (await it.proxy.deps.requests.list("acme", { limit: 1 })).items;
  assert.equal(asked.status, 201, asked.text);
  assert.equal(request.user, "ed");
  const link = await linkOf(it.proxy, request.id);
  for (const path of [link, `${ORG}/requests/${request.id}/decide`]) {
    for (const body of [{ decision: "approve" }, { decision: "approve", days: 1, comment: "ok" }]) {
      const { status, text } = await call(it, ["POST", path], { token, body });
      assert.equal(status, 403, text);
    }
  }
  assert.equal((await it.proxy.deps.requests.get("acme", request.id))?.status, "open");
  assert.equal((await call(it, ["GET", "/o-acme/npm/left/-/left-1.1.0.tgz"])).status, 403);
});

Deno.test("an approver's link is for one request, one time and one decision, and decides nothing by itself", async () => {
  await using it = await attackWorld({ settings: { publicUrl: "http://proxy.example" } });
  const links: string[] = [];
  for (const user of ["ann", "ben"]) {
    await call(it, ["POST", `/o-acme/u-${user}/why/pkg:npm/left@1.1.0`], { body: { reason: "x" } });
  }
  const { items } = await it.proxy.deps.requests.list("acme", { limit: 10 });
  for (const { id } of items) links.push(await linkOf(it.proxy, id));
  const [first, second] = links.map((link) => new URL(link, "http://proxy.example"));
  const changed = (change: (url: URL) => void) => {
    const url = new URL(first);
    change(url);
    return url.pathname + url.search;
  };
  const set = (name: string, value: string) => changed((url) => url.searchParams.set(name, value));
  const signature = first.searchParams.get("signature") ?? "";
  const forged = [
    `${first.pathname}${second.search}`,
    `${first.pathname.replace("/acme/", "/vault/")}${first.search}`,
    `${ORG.replace("acme", "vault")}/requests/${it.ids[0]}/decide${first.search}`,
    set("expires", String(Number(first.searchParams.get("expires")) + 1)),
    set("expires", `${first.searchParams.get("expires")}.0`),
    set("expires", "Infinity"),
    set("signature", ""),
    set("signature", signature.slice(0, -2)),
    set("signature", `${signature}AAAA`),
    set("signature", signature.toUpperCase()),
    changed((url) => url.searchParams.delete("signature")),
    first.pathname,
  ];
  const token = it.strangers.editor;
  for (const path of forged) {
    assert.equal((await call(it, ["GET", path])).status, 403, path);
    if (path.includes("signature=")) {
      const { status } = await call(it, ["POST", path], { token, body: { decision: "approve" } });
      assert.equal(status, 403, path);
    }
  }
  const good = second.pathname + second.search;
  for (const who of [undefined, "pp_guess", it.keeper, it.strangers.client, it.strangers.viewer]) {
    const { status } = await call(it, ["POST", good], {
      token: who,
      body: { decision: "approve" },
    });
    assert.ok([401, 403].includes(status), `${status}`);
  }
  assert.equal((await call(it, ["POST", good], { token, body: { decision: "deny" } })).status, 200);
  for (const body of [{ decision: "approve" }, { decision: "deny" }]) {
    assert.equal((await call(it, ["POST", good], { token, body })).status, 410);
  }
  assert.equal((await call(it, ["GET", good])).status, 410);
});
