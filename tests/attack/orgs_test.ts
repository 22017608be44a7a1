/** One org's registries, policy, records and people, from the seats of another's developers and editors. */
import assert from "node:assert/strict";
import { serveRegistry } from "../registry/server.ts";
import {
  assertNothingLeaks,
  type AttackWorld,
  attackWorld,
  CANARY,
  NEST_PATHS,
  NESTLING,
  SECRET_PATHS,
  textOf,
} from "./world.ts";

/** Everybody who is not of the org: with each role of another, a guess, or nothing. */
function strangersTo({ strangers, nestling }: AttackWorld): [who: string, authorization: string][] {
  const { client, viewer, editor } = strangers;
  return [
    ["nobody", ""],
    ["another org's client", `Bearer ${client}`],
    ["another org's viewer", `Bearer ${viewer}`],
    ["another org's editor", `Bearer ${editor}`],
    ["another org's token with a guess", `Bearer ${client}:guess`],
    ["a token of an org with secrets of its own", nestling],
    ["a name", `Basic ${btoa(`keeper-${CANARY}:`)}`],
    ["a name and a guess", `Basic ${btoa("keeper:guess")}`],
    ["somebody else's token", "Bearer ghp_0123456789"],
    ["a guess", "Bearer pp_0123456789012345678901234567890123456789012"],
  ];
}

async function ask(
  world: AttackWorld,
  path: string,
  authorization: string,
  init: RequestInit = {},
) {
  world.proxy.clock.now += 5_000; // slower than guesses are counted
  const headers = new Headers(init.headers);
  if (authorization !== "") headers.set("authorization", authorization);
  const response = await world.proxy.fetch(path, { ...init, headers });
  return { status: response.status, headers: response.headers, text: await textOf(response) };
}

/** Nobody's secret is in it, whoever asked. */
function sound({ text }: { text: string }, world: AttackWorld, what: string): void {
  assertNothingLeaks(text.replaceAll(`keeper-${CANARY}:`, ""), world, what);
}

Deno.test("private metadata and files reach nobody else, by the address, the token or the cache", async (t) => {
  await using it = await attackWorld();
  for (const [who, authorization] of strangersTo(it)) {
    await t.step(who, async () => {
      for (const path of SECRET_PATHS) {
        const answer = await ask(it, `/o-vault${path}`, authorization);
        assert.ok([401, 403].includes(answer.status), `${path} ${answer.text}`);
        sound(answer, it, `${who} ${path}`);
        // Without the org's name the public registry answers, with what it has itself.
        sound(await ask(it, path, authorization), it, `${who} ${path}`);
        sound(await ask(it, `/before/2099-01-01${path}`, authorization), it, `${who} ${path}`);
      }
    });
  }
});

Deno.test("what came with one developer's credential goes to no other, with one, another or none", async (t) => {
  await using it = await attackWorld();
  const others = strangersTo(it).filter(([, authorization]) => authorization !== it.nestling);
  for (const [who, authorization] of others) {
    await t.step(who, async () => {
      for (const path of NEST_PATHS) {
        const answer = await ask(it, `/o-nest${path}`, authorization);
        assert.ok([401, 403].includes(answer.status), `${path} ${answer.text}`);
        sound(answer, it, `${who} ${path}`);
        sound(await ask(it, path, authorization), it, `${who} ${path}`);
      }
    });
  }
  // And still to its owner.
  const own = await ask(it, NEST_PATHS[0], it.nestling);
  assert.ok(own.text.includes(NESTLING));
});

Deno.test("another org's policy may name the same registry, and gets nothing of what is cached", async () => {
  await using it = await attackWorld();
  const policy = await it.proxy.deps.policies.read("nest");
  await it.proxy.deps.policies.replace("acme", policy?.document, { by: "test" });
  for (const path of NEST_PATHS) {
    for (
      const authorization of [`Bearer ${it.strangers.client}`, `Bearer ${it.strangers.client}:no`]
    ) {
      const answer = await ask(it, path, authorization);
      assert.equal(answer.status, 401, `${path} ${answer.text}`);
      sound(answer, it, path);
    }
  }
});

Deno.test("another org's editor cannot have vault's registry token sent anywhere, nor used for them", async () => {
  await using it = await attackWorld();
  const received: (string | null)[] = [];
  await using listening = serveRegistry((request) => {
    received.push(request.headers.get("authorization"));
    return { body: "{}", type: "application/json" };
  });
  const vault = await it.proxy.deps.policies.read("vault");
  const editor = { authorization: `Bearer ${it.strangers.editor}`, ...DOCUMENT };
  const [, npm] = /"url":"(http[^"]+)"/.exec(JSON.stringify(vault?.document)) ?? [];
  for (const url of [listening.url, npm]) {
    const registries = [{
      ecosystem: "npm",
      packages: "pkg:npm/@vault/*",
      url,
      token_env: "REGISTRY_TOKEN_VAULT",
    }];
    const stored = await it.proxy.fetch("/admin/v1/orgs/acme/policy", {
      method: "PUT",
      headers: editor,
      body: JSON.stringify({ registries }),
    });
    // The operator's REGISTRY_ALLOW may refuse the address already; here it is let in by the test.
    if (stored.status === 422) {
      await it.proxy.deps.policies.replace("acme", { registries }, { by: "test" });
    }
    await stored.text();
    for (const path of SECRET_PATHS.slice(0, 3)) {
      const answer = await ask(it, `/o-acme${path}`, `Bearer ${it.strangers.client}`);
      assert.equal(answer.status, 502, answer.text);
      sound(answer, it, path);
    }
  }
  assert.deepEqual(received, []);
});

Deno.test("an ETag of another org's answer is no oracle: a stranger gets neither 304 nor 412 for it", async () => {
  await using it = await attackWorld();
  const conditions = [...it.etags.flatMap((etag) => [etag, `W/${etag}`]), it.etags.join(", "), "*"];
  for (const prefix of ["/o-vault", "/o-nest", ""]) {
    for (const path of [...SECRET_PATHS, ...NEST_PATHS]) {
      const bare = await ask(it, `${prefix}${path}`, "");
      for (const value of conditions) {
        for (const name of ["if-none-match", "if-match"]) {
          const answer = await ask(it, `${prefix}${path}`, "", { headers: { [name]: value } });
          const what = `${prefix}${path} ${name}: ${value}`;
          sound(answer, it, what);
          // `*` is true of whatever may be had without it.
          if (value === "*" && bare.status === 200) continue;
          assert.equal(answer.status, bare.status, what);
        }
      }
    }
  }
});

Deno.test("two orgs with the same package do not share an ETag, nor what was made of it", async () => {
  await using it = await attackWorld();
  const left = async (prefix: string, authorization = "") => {
    const { headers, text } = await ask(it, `${prefix}/npm/left`, authorization);
    return { etag: headers.get("etag"), body: text.slice(text.indexOf("\n\n")) };
  };
  const ours = await left("/o-acme");
  const theirs = await left("", `Bearer ${it.keeper}`);
  assert.notEqual(ours.etag, theirs.etag);
  assert.ok(ours.body.includes("proxy.example/o-acme/npm/left"));
  const again = await ask(it, "/o-acme/npm/left", "", {
    headers: { "if-none-match": theirs.etag ?? "" },
  });
  assert.equal(again.status, 200);
});

const ORG = "/admin/v1/orgs/vault";
const READS = [
  ...["policy", "policy/history", "block", "exceptions", "exceptions?state=ended", "tokens"],
  ...["installs", "installs?format=csv", "installs?format=jsonl", "refusals", "packages", "users"],
  ...["stats", "audit", "alerts", "requests", "requests?status=open", "sbom"],
];
const DOCUMENT = { "content-type": "application/json" };

Deno.test("an org's policy, records, requests, alerts and audit log are its own", async (t) => {
  await using it = await attackWorld();
  const before = JSON.stringify(await it.proxy.deps.policies.read("vault"));
  for (const [who, authorization] of strangersTo(it)) {
    await t.step(who, async () => {
      const refused = (status: number) =>
        assert.ok([401, 403].includes(status), `${who} ${status}`);
      for (
        const path of [...READS, ...it.ids.flatMap((id) => [`requests/${id}`, `alerts/${id}`])]
      ) {
        const answer = await ask(it, `${ORG}/${path}`, authorization);
        refused(answer.status);
        sound(answer, it, `${who} ${path}`);
      }
      const writes: [method: string, path: string, body: string | null][] = [
        ["PUT", "policy", '{"auth":"open"}'],
        ["PATCH", "policy", '{"auth":"open"}'],
        ["DELETE", "policy", null],
        ["POST", "block", '{"purl":"pkg:npm/a"}'],
        ["POST", "exceptions", '{"purl":"pkg:npm/a","rules":["min_age"]}'],
        ["POST", "tokens", '{"user":"eve","role":"editor"}'],
        ["POST", "break-glass", '{"purl":"pkg:npm/left@1.1.0","reason":"x"}'],
        ["POST", "simulate", '{"policy":{},"days":30}'],
        ...it.ids.flatMap((id): [string, string, string | null][] => [
          ["DELETE", `tokens/${id}`, null],
          ["DELETE", `block/${id}`, null],
          ["POST", `alerts/${id}/acknowledge`, "{}"],
          ["POST", `requests/${id}/decide`, '{"decision":"approve"}'],
        ]),
      ];
      for (const [method, path, body] of writes) {
        const answer = await ask(it, `${ORG}/${path}`, authorization, {
          method,
          body,
          headers: DOCUMENT,
        });
        refused(answer.status);
        sound(answer, it, `${who} ${method} ${path}`);
      }
    });
  }
  assert.equal(JSON.stringify(await it.proxy.deps.policies.read("vault")), before);
});

Deno.test("ids of another org are not found below one's own", async () => {
  await using it = await attackWorld();
  const own = "/admin/v1/orgs/acme";
  const editor = `Bearer ${it.strangers.editor}`;
  for (const id of it.ids) {
    for (
      const [method, path, body] of [
        ["GET", `requests/${id}`, null],
        ["POST", `requests/${id}/decide`, '{"decision":"approve"}'],
        ["GET", `alerts/${id}`, null],
        ["POST", `alerts/${id}/acknowledge`, "{}"],
        ["DELETE", `tokens/${id}`, null],
        ["DELETE", `block/${id}`, null],
        ["DELETE", `exceptions/${id}`, null],
      ] as const
    ) {
      const answer = await ask(it, `${own}/${path}`, editor, { method, body, headers: DOCUMENT });
      assert.ok([400, 404].includes(answer.status), `${method} ${path} ${answer.text}`);
      sound(answer, it, path);
    }
    // A cursor is a place in a list, and says nothing of whose.
    for (const list of ["installs", "refusals", "audit", "alerts", "requests", "tokens"]) {
      const answer = await ask(it, `${own}/${list}?cursor=${encodeURIComponent(id)}`, editor);
      sound(answer, it, list);
    }
  }
  assert.equal(
    (await ask(it, "/npm/left", `Bearer ${it.keeper}`)).status,
    200,
    "the token that they tried to take away",
  );
});

Deno.test("cursors of another org's lists show nothing of them", async () => {
  await using it = await attackWorld();
  const editor = `Bearer ${it.strangers.editor}`;
  for (const list of ["installs", "refusals", "audit", "packages"]) {
    const theirs = await it.proxy.fetch(`${ORG}/${list}?limit=1`, {
      headers: { authorization: `Bearer ${it.keeper}` },
    });
    const { cursor } = await theirs.json();
    if (cursor === null) continue;
    const query = new URLSearchParams({ cursor });
    const answer = await ask(it, `/admin/v1/orgs/acme/${list}?${query}`, editor);
    assert.ok([200, 400].includes(answer.status), answer.text);
    sound(answer, it, list);
  }
});

Deno.test("names of orgs and users that are another's, or nobody's, are no way in", async () => {
  await using it = await attackWorld();
  const client = `Bearer ${it.strangers.client}`;
  for (
    const prefix of [
      "/o-vault",
      "/o-vault/u-keeper",
      "/o-%76ault",
      "/o-vault%2fx",
      "/o-VAULT",
      "/o-vault.",
      "/o-vault%00",
      "/o-vault%20",
      "/o-ｖault",
      "/o-acme/o-vault",
      "/o-acme/u-eve/o-vault/u-keeper",
      "/o-vault/before/2099-01-01",
      "/o-__proto__",
      "/o-constructor",
      "/o-",
      "/o--vault",
    ]
  ) {
    for (const authorization of ["", client]) {
      const answer = await ask(it, `${prefix}/npm/@vault%2ftool`, authorization);
      sound(answer, it, prefix);
      assert.ok(answer.status !== 500, `${prefix} ${answer.text}`);
      if (authorization !== "") assert.notEqual(answer.status, 200, `${prefix} ${answer.text}`);
    }
  }
});

Deno.test("nothing that depends on who asks may be kept by a shared cache", async () => {
  await using it = await attackWorld();
  const mine: [path: string, authorization: string][] = [
    ...SECRET_PATHS.map((path): [string, string] => [path, `Bearer ${it.keeper}`]),
    ...NEST_PATHS.map((path): [string, string] => [path, it.nestling]),
    ...READS.map((path): [string, string] => [`${ORG}/${path}`, `Bearer ${it.keeper}`]),
    ["/npm/left", ""],
    ["/npm/left/-/left-1.1.0.tgz", ""],
    ["/npm/nothing", ""],
    ["/o-vault/npm/left", ""],
    ["/why/pkg:npm/left", ""],
    ["/setup", ""],
    ["/admin/openapi.json", ""],
  ];
  for (const [path, authorization] of mine) {
    const { headers } = await ask(it, path, authorization);
    const control = headers.get("cache-control") ?? "";
    assert.match(control, /\bprivate\b|\bno-store\b/, path);
    assert.doesNotMatch(control, /public|s-maxage|max-age=[1-9]/, path);
    if (/\bprivate, no-cache\b/.test(control) && headers.has("etag")) {
      assert.match(headers.get("vary") ?? "", /authorization/i, path);
    }
  }
});
