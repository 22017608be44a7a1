/** What `/why/` makes of an address, and of a whole policy. */
import assert from "node:assert/strict";
import { BROWSER, NPM, setting } from "./world.ts";

Deno.test("`/why/` takes PURLs in every spelling and says what it cannot read", async () => {
  await using it = await setting();
  for (
    const path of [
      "pkg:npm/left",
      "pkg%3Anpm%2Fleft",
      "npm/left",
      "pkg:npm/left@1.0.0",
      "pkg:npm/left%401.0.0",
      "pkg:npm/@acme/tool",
      "pkg:npm/%40acme/tool@1.0.0",
      "pkg:npm/%40acme%2Ftool",
      "pkg%3Anpm%2F%2540acme%2Ftool%401.0.0",
      "pkg:pypi/Demo_Tool",
      "pkg:cargo/demo@1.0.0",
    ]
  ) {
    const answer = await it.json(`/why/${path}`, { accept: "application/json" });
    assert.equal(answer.versions.length, 1, path);
    assert.equal(answer.versions[0].verdict, "allow");
    assert.match(await (await it.get(`/why/${path}`)).text(), /^pkg:\w+\/.* 0 of 1 withheld\n/);
    const page = await it.get(`/why/${path}`, BROWSER);
    assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
    assert.match(await page.text(), /allowed/);
  }
  for (const path of ["pkg:npm/nothing", "pkg:npm/left@9.9.9", "pkg:pypi/nothing"]) {
    assert.equal(await it.status(`/why/${path}`), 404, path);
  }
  for (
    const path of ["pkg:unknown/left", "left", "%E0%A4%A", "pkg:npm", "pkg:npm/", "pkg:npm/..%2f.."]
  ) {
    assert.equal(await it.status(`/why/${path}`), 400, path);
  }
});

Deno.test("`/why/` shows every finding, its date and what waived it", async () => {
  await using it = await setting({
    policy: {
      rules: { min_age: { level: "warn" }, block: { entries: [{ purl: "pkg:npm/left@1.2.0" }] } },
      exceptions: [{ purl: "pkg:npm/left@1.1.0", rules: ["min_age"] }],
    },
  });
  const publishedAt = new Date(it.proxy.clock.now - 3600_000);
  for (const version of ["1.1.0", "1.2.0", "1.3.0-<b>"]) {
    it.npm.publish({ name: "left", version: version.replace("<b>", "b"), publishedAt });
  }
  const { versions } = await it.json("/why/pkg:npm/left", { accept: "application/json" });
  const shown = versions.map((entry: { version: string; verdict: string; code: string | null }) => [
    entry.version,
    entry.verdict,
    entry.code,
  ]);
  assert.deepEqual(shown, [
    ["1.3.0-b", "warn", "min_age"],
    ["1.2.0", "deny", "blocked"],
    ["1.1.0", "allow", null],
    ["1.0.0", "allow", null],
  ]);
  const text = await (await it.get("/why/pkg:npm/left")).text();
  assert.match(text, /1 of 4 withheld/);
  assert.match(text, /1\.3\.0-b {2}warned of \(min_age\)/);
  assert.match(text, /1\.1\.0 {2}allowed, published .*, min_age waived by exception/);
  const page = await it.get("/why/pkg:npm/left@1.2.0?withheld=blocked", BROWSER);
  assert.equal(page.status, 403);
  assert.match(await page.text(), /withheld/);
});

Deno.test("`/why/` holds to the org's demand, but tells who was sent there why", async () => {
  await using it = await setting({ policies: { acme: { auth: "token" } } });
  assert.equal(await it.status("/o-acme/why/pkg:npm/left"), 401);
  const sent = await it.get("/o-acme/why/pkg:npm/left@1.0.0?withheld=min_age");
  assert.equal(sent.status, 403);
  assert.equal(await sent.text(), "pkg:npm/left@1.0.0 is withheld by policy (min_age).\n");
  const odd = await it.get("/o-acme/why/pkg:npm/left@1.0.0?withheld=%3Cscript%3E");
  assert.ok(!(await odd.text()).includes("script"));
});

Deno.test("whose token alone says the org is led to that org's page, where no token is shown", async () => {
  const blocked = { rules: { block: { entries: [{ purl: "pkg:npm/left@1.0.0" }] } } };
  await using it = await setting({ policies: { acme: blocked, beta: blocked } });
  it.npm.publish({ name: "left", version: "1.1.0" });
  const make = async (org: string) => {
    const made = { org, user: "alice", role: "client", expires: null, by: "test" } as const;
    const { secret } = await it.proxy.deps.tokens.create(made);
    return { ...NPM, authorization: `Bearer ${secret}` };
  };
  const led = async (path: string, headers: HeadersInit) => {
    const text = await (await it.get(path, headers)).text();
    return /http:[^\s"\\]*\/why\/[^\s"\\]*/.exec(text)?.[0].slice("http://proxy.example".length);
  };
  const [acme, beta] = [await make("acme"), await make("beta")];
  for (const [org, headers] of [["acme", acme], ["beta", beta]] as const) {
    assert.equal(await led("/npm/left", headers), `/o-${org}/why/pkg:npm/left`);
    assert.equal(
      await led("/before/2099-01-01/npm/left/-/left-1.0.0.tgz", headers),
      `/o-${org}/before/2099-01-01/why/pkg:npm/left@1.0.0`,
    );
  }
  const named = await led("/o-acme/u-alice/npm/left/-/left-1.0.0.tgz", acme);
  assert.equal(named, "/o-acme/u-alice/why/pkg:npm/left@1.0.0");
  assert.match(await (await it.get("/o-acme/why/pkg:npm/left")).text(), /"acme": 1 of 2 withheld/);
});
