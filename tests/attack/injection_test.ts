/** Line ends, quotes and escape sequences in whatever a stranger, a publisher or an editor may write. */
import assert from "node:assert/strict";
import { DAY, testProxy } from "../proxy.ts";
import { serveRegistry } from "../registry/server.ts";
import { ask } from "./wire.ts";
import { attackWorld, textOf } from "./world.ts";

const EVIL = "\r\nX-Evil: 1\r\n\r\n<b>\u001b[2J\u202e\u2028\0";
const ENCODED = encodeURIComponent(EVIL);
/** What a terminal obeys, or an eye is misled by. */
// deno-lint-ignore no-control-regex -- those are what is looked for
const UNSEEN = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\u200b-\u200f]/;
const ACCEPTS = ["text/html", "text/plain", "application/json", "application/problem+json", "*/*"];

/** Heads as they are on the wire: one line for each header, and none that was put there. */
function soundHead(text: string, what: string): void {
  const head = text.slice(0, text.indexOf("\r\n\r\n"));
  assert.ok(!/^x-evil/im.test(head), `${what}\n${head}`);
  for (const line of head.split("\r\n")) assert.ok(!/[\r\n\0]/.test(line), `${what}\n${head}`);
  assert.equal(text.match(/HTTP\/1\.1 \d/g)?.length, 1, `${what}\n${text}`);
}

Deno.test("no line end in an address becomes one in a head, a text or the log", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  for (
    const path of [
      `/npm/left${ENCODED}`,
      `/npm/left/${ENCODED}`,
      `/npm/left/-/left-1.0.0.tgz${ENCODED}`,
      `/npm/-/v1/search?text=${ENCODED}`,
      `/npm/-/npm/v1/attestations/left@1.0.0${ENCODED}`,
      `/pypi/simple/Demo.Tool${ENCODED}`,
      `/pypi/simple/${ENCODED}/`,
      `/pypi/Demo.Tool/1.0${ENCODED}/json`,
      `/pypi/packages/aa/Demo${ENCODED}-1.0.tar.gz`,
      `/cargo/de/mo/demo${ENCODED}`,
      `/cargo/crates/demo/1.0.0${ENCODED}/download`,
      `/cargo/api/v1/crates?q=${ENCODED}&sort=${ENCODED}`,
      `/why/pkg:npm/left${ENCODED}`,
      `/why/pkg:npm/left@1.1.0${ENCODED}`,
      `/why/pkg:npm/left@1.1.0?withheld=min_age${ENCODED}`,
      `/o-vault/why/pkg:npm/left@1.1.0?withheld=${ENCODED}`,
      `/o-acme${ENCODED}/npm/left`,
      `/o-acme/u-eve${ENCODED}/npm/left`,
      `/before/2026-01-01${ENCODED}/npm/left`,
      `/setup?${ENCODED}`,
      `/admin/sign-in?return=${ENCODED}`,
      `/admin/callback?error=${ENCODED}&error_description=${ENCODED}`,
      `/admin/v1/orgs/acme${ENCODED}/policy`,
      `/admin/v1/orgs/acme/requests/${ENCODED}/decide?expires=${ENCODED}&signature=${ENCODED}`,
    ]
  ) {
    for (const accept of ACCEPTS) {
      const reply = await ask(base, `GET ${path} HTTP/1.1`, [
        `Accept: ${accept}`,
        'User-Agent: npm/12\t\x7f\xff"}{\\n',
        `Authorization: Basic ${btoa("eve\n\u0000:x\r\n")}`,
      ]);
      if (reply.statuses.length > 0) soundHead(reply.text, path);
    }
  }
  for (const entry of it.proxy.lines) assert.ok(!/[\r\n]/.test(JSON.stringify(entry)));
});

Deno.test("a name or version that only looks like one, in metadata, cannot write into heads or terminals", async () => {
  const version = `1.1.0${EVIL}`;
  const young = new Date(Date.now() - DAY).toISOString();
  await using server = serveRegistry((request, path) => {
    const base = new URL("/", request.url).href;
    const dist = (file: string) => ({ tarball: `${base}left/-/${file}`, shasum: "0".repeat(40) });
    if (path === "/left") {
      const body = JSON.stringify({
        name: "left",
        "dist-tags": { latest: "1.0.0", [`next${EVIL}`]: version },
        versions: {
          "1.0.0": { name: "left", version: "1.0.0", dist: dist("left-1.0.0.tgz") },
          [version]: {
            name: "left",
            version,
            deprecated: EVIL,
            license: EVIL,
            dist: dist(`left-1.1.0${ENCODED}.tgz`),
          },
        },
        time: { "1.0.0": "2020-01-01T00:00:00Z", [version]: young },
      });
      return { body, type: "application/json" };
    }
    if (path === "/simple/demo/") {
      const file = {
        filename: "demo-1.0.tar.gz",
        url: `${base}packages/demo-1.0.tar.gz`,
        hashes: {},
        yanked: EVIL,
        "upload-time": "2020-01-01T00:00:00Z",
      };
      const document = { meta: { "api-version": "1.1" }, name: "demo", files: [file] };
      return { body: JSON.stringify(document), type: "application/vnd.pypi.simple.v1+json" };
    }
    return null;
  });
  await using proxy = await testProxy({
    upstreams: { npm: server.url, pypi: `${server.url}simple/` },
    policy: { rules: { deprecated: { level: "deny" }, license: { level: "deny", deny: ["X"] } } },
  });
  const base = proxy.listen();
  for (
    const path of [
      "/npm/left",
      `/npm/left/${encodeURIComponent(version)}`,
      `/npm/left/-/left-1.1.0${ENCODED}.tgz`,
      "/npm/-/package/left/dist-tags",
      "/why/pkg:npm/left",
      `/why/pkg:npm/left@${encodeURIComponent(version)}`,
      "/pypi/simple/demo/",
      "/pypi/packages/demo-1.0.tar.gz",
      "/why/pkg:pypi/demo@1.0",
    ]
  ) {
    for (const accept of [...ACCEPTS, "application/vnd.pypi.simple.v1+html"]) {
      const { statuses, text } = await ask(base, `GET ${path} HTTP/1.1`, [`Accept: ${accept}`]);
      assert.equal(statuses.length, 1, path);
      assert.ok(statuses[0] < 500, `${path} ${text}`);
      soundHead(text, path);
      const body = text.slice(text.indexOf("\r\n\r\n") + 4);
      if (/^content-type: text\/plain/im.test(text)) {
        const utf8 = new TextDecoder().decode(Uint8Array.from(body, (it) => it.charCodeAt(0)));
        assert.ok(!UNSEEN.test(utf8), `${path} ${accept} ${JSON.stringify(body)}`);
      }
      if (/^content-type: text\/html/im.test(text)) assert.ok(!/<b>/.test(body), body);
    }
  }
});

Deno.test("what an editor writes as a reason is a sentence to clients, whatever it holds", async () => {
  await using it = await attackWorld();
  const reason = `no"; code=allow; x="${EVIL}`;
  await it.proxy.deps.policies.replace("acme", {
    rules: {
      block: { entries: [{ purl: "pkg:npm/left", reason }, { purl: "pkg:cargo/demo", reason }] },
    },
  }, { by: "test" });
  const base = it.proxy.listen();
  for (
    const path of [
      "/o-acme/npm/left",
      "/o-acme/npm/left/-/left-1.0.0.tgz",
      "/o-acme/cargo/crates/demo/1.0.0/download",
      "/o-acme/why/pkg:npm/left@1.0.0",
    ]
  ) {
    for (const accept of ACCEPTS) {
      const { text } = await ask(base, `GET ${path} HTTP/1.1`, [`Accept: ${accept}`]);
      soundHead(text, path);
      assert.doesNotMatch(text, /^policy-decision:.*code=allow/im, text);
      if (/^content-type: text\/plain/im.test(text)) {
        const body = text.slice(text.indexOf("\r\n\r\n") + 4);
        const utf8 = new TextDecoder().decode(Uint8Array.from(body, (it) => it.charCodeAt(0)));
        assert.ok(!UNSEEN.test(utf8), `${path} ${JSON.stringify(utf8)}`);
      }
    }
  }
});

Deno.test("a developer's reason and ticket are one line each, to approvers and in the audit log", async () => {
  await using it = await attackWorld();
  const path = "/o-acme/u-eve/why/pkg:npm/left@1.1.0";
  const asked = await it.proxy.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ reason: `please${EVIL}`, ticket: `T-1${EVIL}` }),
  });
  const made = await asked.json();
  assert.equal(asked.status, 201, JSON.stringify(made));
  for (const text of [made.reason, made.ticket]) {
    assert.ok(!UNSEEN.test(text), JSON.stringify(text));
  }
  for (const accept of ["text/plain", "application/json"]) {
    const text = await textOf(await it.proxy.fetch(path, { headers: { accept } }));
    assert.ok(!UNSEEN.test(text), text);
  }
  const audit = await it.proxy.fetch("/admin/v1/orgs/acme/audit", {
    headers: { authorization: `Bearer ${it.strangers.editor}` },
  });
  const line = (await audit.json()).items.find((entry: { action: string }) =>
    entry.action === "exception.asked"
  );
  assert.ok(!UNSEEN.test(line.reason) && !UNSEEN.test(line.after.ticket), JSON.stringify(line));
  for (const entry of it.proxy.lines) assert.ok(!/[\r\n]/.test(JSON.stringify(entry)));
});

Deno.test("users' names reach no log line, record or head unless they are names", async () => {
  await using it = await attackWorld();
  for (
    const user of [`eve${EVIL}`, "=cmd()", "+1", "-x", "@x", '"x"', "<b>", "\ud800", "éve", " "]
  ) {
    const file = "/npm/left/-/left-1.0.0.tgz";
    const bytes = new TextEncoder().encode(`${user}:x`);
    const basic = `Basic ${bytes.toBase64()}`;
    const given = await it.proxy.fetch(file, { headers: { authorization: basic } });
    assert.equal(given.status, 400, user);
    const named = await it.proxy.fetch(
      `/o-acme/u-${encodeURIComponent(user.toWellFormed())}${file}`,
    );
    assert.equal(named.status, 400, user);
    for (const response of [given, named]) {
      const text = await response.text();
      assert.ok(!UNSEEN.test(text), JSON.stringify(text));
    }
  }
  assert.deepEqual([...await it.proxy.installs(), ...await it.proxy.installs("acme")], []);
});

const FORMULAS = ["=1+1", "+a1", "-a1", "@sum(1)", '=cmd,"x"', "\t=1", "=a\r\nb"];

Deno.test("a table that is opened in a spreadsheet computes nothing", async () => {
  await using it = await attackWorld();
  const { add } = it.proxy.deps.records;
  for (const name of FORMULAS) {
    await add.call(it.proxy.deps.records, "install", {
      org: "acme",
      user: "eve",
      ip: "",
      ecosystem: "npm",
      package: name,
      version: name,
      filename: name,
      purl: "pkg:npm/x",
      bytes: 1,
      verdict: "allow",
      policy: "01",
    });
  }
  const response = await it.proxy.fetch("/admin/v1/orgs/acme/installs?format=csv", {
    headers: { authorization: `Bearer ${it.strangers.viewer}` },
  });
  const text = await response.text();
  assert.match(response.headers.get("content-type") ?? "", /^text\/csv/);
  for (const formula of FORMULAS) {
    const field = formula.replaceAll('"', '""');
    assert.ok(text.includes(`'${field}`), `${formula}\n${text}`);
    assert.ok(!text.includes(`,${field}`) && !text.includes(`,"${field}`), `${formula}\n${text}`);
  }
});
