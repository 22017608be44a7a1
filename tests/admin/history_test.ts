import assert from "node:assert/strict";
import { encodeCursor } from "../../policy/store/cursor.ts";
import { inWorld, START } from "./world.ts";

const ORG = "/admin/v1/orgs/acme";

Deno.test("pages of installs hold each record once, newest first, while others are added", () =>
  inWorld(async ({ call, install }) => {
    for (let i = 0; i < 25; i++) await install({ version: `1.0.${i}` });
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const page = await call("GET", `${ORG}/installs?limit=7${cursor ? `&cursor=${cursor}` : ""}`);
      assert(page.items.length <= 7);
      seen.push(...page.items.map(({ version }) => version));
      cursor = page.body.cursor;
      await install({ version: "9.9.9" });
    } while (cursor !== null);
    assert.deepEqual(seen, Array.from({ length: 25 }, (_, i) => `1.0.${24 - i}`));
  }));

Deno.test("filters are ecosystem, package, version, user, since, until; refusals have code", () =>
  inWorld(async ({ call, install, refuse }) => {
    await install();
    await install({ package: "@acme/x", version: "2.0.0", user: "bob" });
    await install({
      ecosystem: "pypi",
      package: "requests",
      version: "2.31.0",
      purl: "pkg:pypi/requests@2.31.0",
    });
    await install({ org: "other", package: "elsewhere" });
    await refuse({ version: "5.0.0" });
    await refuse({ version: "6.0.0", code: "blocked" });
    const names = async (path: string) =>
      (await call("GET", `${ORG}/${path}`)).items.map((item) => item.package);
    assert.deepEqual(await names("installs"), ["requests", "@acme/x", "lodash"]);
    assert.deepEqual(await names("installs?ecosystem=pypi"), ["requests"]);
    assert.deepEqual(await names("installs?package=%40acme%2F*"), ["@acme/x"]);
    assert.deepEqual(await names("installs?package=*requests&version=%3C2.32"), ["requests"]);
    assert.deepEqual(await names("installs?user=bob"), ["@acme/x"]);
    const second = new Date(START + 1_000).toISOString();
    assert.deepEqual(await names(`installs?until=${second}`), ["lodash"]);
    assert.deepEqual(await names(`installs?since=${second}`), ["requests", "@acme/x"]);
    assert.deepEqual(
      await names("installs?since=2026-11-20T13:00:00+01:00").then((all) => all.length),
      3,
    );
    assert.deepEqual(await names("installs?since=2026-11-21"), []);
    assert.deepEqual((await names("installs?since=7d")).length, 3);
    assert.deepEqual(await names("installs?until=7d"), []);
    const blocked = await call("GET", `${ORG}/refusals?code=blocked`);
    assert.deepEqual(blocked.items.map(({ version }) => version), ["6.0.0"]);
  }));

Deno.test("parameters that are unknown, twice there or unreadable are 400 naming them", () =>
  inWorld(async ({ call }) => {
    for (
      const query of [
        "limit=0",
        "limit=1001",
        "limit=ten",
        "limit=-1",
        "limit=",
        "limit=1e2",
        "cursor=nonsense",
        "cursor=",
        "since=yesterday",
        "until=2026-13-01",
        "format=xml",
        "pakage=lodash",
        "code=min_age",
        "user=a&user=b",
        "ecosystem=gopher",
        "ecosystem=npm&version=%3E%3E1",
        "ecosystem=pypi&version=%3E%3E1",
        "version=%5E%5E1",
      ]
    ) {
      const { status, headers, body } = await call("GET", `${ORG}/installs?${query}`);
      assert.equal(status, 400, query);
      assert.equal(headers.get("content-type"), "application/problem+json");
      const name = query.includes("version=") ? "version" : query.split("=")[0];
      if (name !== "cursor") assert(String(body.detail).includes(`"${name}"`), query);
    }
  }));

Deno.test("a cursor of one list is not accepted by another", () =>
  inWorld(async ({ call, install, refuse }) => {
    await install();
    await install();
    await refuse();
    const { body } = await call("GET", `${ORG}/installs?limit=1`);
    assert.equal((await call("GET", `${ORG}/installs?cursor=${body.cursor}`)).status, 200);
    for (const list of ["refusals", "packages", "users", "tokens", "block"]) {
      assert.equal((await call("GET", `${ORG}/${list}?cursor=${body.cursor}`)).status, 400, list);
    }
  }));

Deno.test("a cursor longer than any place in a list is none", () =>
  inWorld(async ({ call, install, reported }) => {
    await install();
    const lists = [
      ["policy/history", "policy_history", 1],
      ["tokens", "tokens", 1],
      ["exceptions", "ended_exceptions", 1, "state=ended&"],
      ["requests", "requests", 1],
      ["alerts", "alerts", 2],
      ["users", "users", 1],
      ["packages", "packages", 3],
    ] as const;
    for (const [path, list, length, query = ""] of lists) {
      for (const place of ["a".repeat(2_500), "é".repeat(600)]) {
        const position = [place, place.slice(0, 10), "1"].slice(0, length);
        const cursor = encodeCursor(list, position);
        const { status, body } = await call("GET", `${ORG}/${path}?${query}cursor=${cursor}`);
        assert.equal(status, 400, path);
        assert.match(String(body.type), /:cursor_invalid$/);
      }
    }
    assert.deepEqual(reported, []);
  }));

Deno.test("who cannot have been recorded has nothing on record", () =>
  inWorld(async ({ call, install, reported }) => {
    await install();
    for (const user of ["漢".repeat(1_000), "\0".repeat(1_000)]) {
      for (const path of ["installs", "refusals", "packages", "users"]) {
        const answer = await call("GET", `${ORG}/${path}?user=${encodeURIComponent(user)}`);
        assert.deepEqual([answer.status, answer.items], [200, []], path);
      }
    }
    assert.deepEqual(reported, []);
  }));

Deno.test("JSONL and CSV hold the same rows, and say in Link where to go on", () =>
  inWorld(async ({ call, install }) => {
    await install({ user: "alice", version: "1.0.0", sha256: "ab" });
    await install({ user: "bob", version: "2.0.0" });
    await install({ user: "carol", version: "3.0.0", filename: 'a"b,c.tgz' });
    const json = await call("GET", `${ORG}/installs?limit=2`);

    const jsonl = await call("GET", `${ORG}/installs?limit=2&format=jsonl`);
    assert.equal(jsonl.headers.get("content-type"), "application/jsonl");
    assert.deepEqual(jsonl.text.trimEnd().split("\n").map((line) => JSON.parse(line)), json.items);

    const csv = await call("GET", `${ORG}/installs?limit=2&format=csv`);
    assert.match(csv.headers.get("content-type") ?? "", /^text\/csv/);
    const lines = csv.text.split("\r\n");
    assert.equal(
      lines[0],
      "id,at,org,user,ip,ecosystem,package,version,filename,purl,bytes,sha256,verdict,code,reason,policy",
    );
    assert(lines[1].includes(',"a""b,c.tgz",'), lines[1]);
    assert.equal(lines.length, 4);

    const next = /^<(\/admin[^>]*)>; rel="next"$/.exec(csv.headers.get("link") ?? "");
    assert(next);
    const rest = await call("GET", next[1]);
    assert.equal(rest.text.split("\r\n")[1].split(",")[3], "alice");
    assert.equal(rest.headers.get("link"), null);
    const empty = await call("GET", `${ORG}/installs?format=csv&user=nobody`);
    assert.equal(empty.text, `${lines[0]}\r\n`);
  }));

Deno.test("packages, users and stats sum up what was installed", () =>
  inWorld(async ({ call, install, refuse }) => {
    await install({ user: "alice" });
    await install({ user: "bob" });
    await install({ user: "bob", package: "x", version: "1.0.0", purl: "pkg:npm/x@1.0.0" });
    await refuse();
    const packages = await call("GET", `${ORG}/packages?package=lodash`);
    assert.deepEqual(packages.items, [{
      ecosystem: "npm",
      package: "lodash",
      version: "4.17.21",
      purl: "pkg:npm/lodash@4.17.21",
      count: 2,
      first: "2026-11-20T12:00:00.000Z",
      last: "2026-11-20T12:00:01.000Z",
      users: ["alice", "bob"],
    }]);
    const users = await call("GET", `${ORG}/users`);
    assert.deepEqual(users.items.map(({ user, count }) => [user, count]).sort(), [
      ["alice", 1],
      ["bob", 2],
    ]);
    const { body } = await call("GET", `${ORG}/stats`);
    assert.deepEqual([body.installs, body.refusals], [3, 1]);
    assert.deepEqual(body.by_day, { "2026-11-20": { installs: 3, refusals: 1 } });
    assert.deepEqual(body.by_code, { min_age: 1 });
    const later = await call("GET", `${ORG}/stats?since=2026-11-21`);
    assert.equal(later.body.installs, 0);
  }));
