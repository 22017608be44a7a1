/** Paths that try to leave their package, mount, org or machine, in every encoding there is. */
import assert from "node:assert/strict";
import { ask } from "./wire.ts";
import { assertNothingLeaks, attackWorld } from "./world.ts";

/** Two steps up. */
const CLIMBS: Readonly<Record<string, string>> = {
  "plain": "../../",
  "percent-encoded dots": "%2e%2e/%2e%2e/",
  "one dot encoded": ".%2e/%2E./",
  "percent-encoded slashes": "..%2f..%2F",
  "all of it encoded": "%2e%2e%2f%2e%2e%2f",
  "encoded twice": "%252e%252e%252f%252e%252e%252f",
  "encoded three times": "%25252e%25252e%25252f",
  "backslashes": "..\\..\\",
  "encoded backslashes": "..%5c..%5c",
  "overlong UTF-8": "%c0%ae%c0%ae%c0%af%c0%ae%c0%ae%c0%af",
  "longer overlong UTF-8": "%e0%80%ae%e0%80%ae%e0%80%af",
  "full-width dots": "%ef%bc%8e%ef%bc%8e%ef%bc%8f",
  "path parameters": "..;/..;/",
  "path parameters with values": "..;a=b/..;c/",
  "a NUL before": "%00../../",
  "a NUL within": "..%00/..%00/",
  "a line end": "..%0d%0a/../",
  "IIS's encoding": "%u002e%u002e%u2215",
  "too many dots": "..../....//",
  "empty segments": ".//..//.//..//",
  "a broken encoding": "..%2/..%/",
  "no UTF-8": "%ff%fe../",
};

/** Where they begin, and what they try to reach. */
const STARTS: readonly (readonly [from: string, to: string])[] = [
  ["/npm/", "admin/v1/orgs"],
  ["/npm/left/-/", "secret.tgz"],
  ["/npm/@acme%2f", "left"],
  ["/npm/-/package/", "dist-tags"],
  ["/npm/-/npm/v1/attestations/", "left@1.0.0"],
  ["/npmfiles/left/-/", "left-1.0.0.tgz"],
  ["/pypi/simple/", "secret/"],
  ["/pypi/packages/aa/", "demo_tool-1.0-py3-none-any.whl"],
  ["/pypi/integrity/demo-tool/1.0/", "x/provenance"],
  ["/files/packages/", "demo_tool-1.0.tar.gz"],
  ["/cargo/", "config.json"],
  ["/cargo/de/mo/", "demo"],
  ["/cargo/crates/", "1.0.0/download"],
  ["/cargo/api/v1/crates/", "owners"],
  ["/why/pkg:npm/", "left"],
  ["/o-acme/", "o-vault/npm/@vault%2ftool"],
  ["/o-acme/u-eve/", "u-keeper/npm/left"],
  ["/before/2026-01-01/", "npm/left"],
  ["/setup/", "etc/passwd"],
  ["/health/", "admin/"],
];

/** What a registry is asked for on behalf of the names in this file: paths without a step anywhere. */
const CLIMBING = /\.\.|%2e|%2f%2f|%5c|\\|%00|%0d|%25|secret|passwd|;/i;

Deno.test("a path that climbs reaches nothing, however it is written", async (t) => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  const before = new Set(it.asked());
  for (const [what, climb] of Object.entries(CLIMBS)) {
    await t.step(what, async () => {
      for (const [from, to] of STARTS) {
        for (const target of [`${from}${climb}${to}`, `${from}x/${climb}${climb}${to}`]) {
          const { statuses, text } = await ask(base, `GET ${target} HTTP/1.1`);
          assert.ok(statuses.length <= 1, `${target}: ${text}`);
          const [status = 400] = statuses;
          // What is taken for another plain path may be there; it is served under its own rules.
          assert.ok([200, 301, 400, 401, 403, 404].includes(status), `${target}: ${text}`);
          assert.ok(!/root:.*:0:0|^x-evil/im.test(text), `${target}: ${text}`);
          assertNothingLeaks(text, it, target);
        }
      }
      for (const asked of it.asked()) {
        if (!before.has(asked)) assert.ok(!CLIMBING.test(asked), asked);
      }
    });
  }
});

Deno.test("no spelling of the admin API's address goes around its token", async () => {
  await using it = await attackWorld();
  const base = it.proxy.listen();
  for (
    const target of [
      "/admin/v1/orgs",
      "//admin/v1/orgs",
      "/./admin/v1/orgs",
      "/x/../admin/v1/orgs",
      "/%61dmin/v1/orgs",
      "/ADMIN/v1/orgs",
      "/admin;x/v1/orgs",
      "/admin/./v1/orgs",
      "/admin//v1/orgs",
      "/admin/v1/orgs/",
      "/admin/v1/orgs?x",
      "/admin/v1/orgs%3f",
      "/admin/v1/orgs%00",
      "/o-vault/admin/v1/orgs",
      "/o-vault/u-keeper/admin/v1/orgs/vault/policy",
      "/npm/../admin/v1/orgs/vault/policy",
      "/admin/v1/orgs/acme/../vault/policy",
      "/admin/v1/orgs/acme/%2e%2e/vault/policy",
      "/admin/v1/orgs/acme%2f..%2fvault/policy",
      "/admin/v1/orgs/vault%2fpolicy",
      "/admin/v1/orgs/VAULT/policy",
      "/admin/v1/orgs/vault;/policy",
    ]
  ) {
    const as = async (token: string | null) =>
      await ask(base, `GET ${target} HTTP/1.1`, token ? [`Authorization: Bearer ${token}`] : []);
    for (const reply of [await as(null), await as(it.strangers.client)]) {
      const { statuses: [status = 400], text } = reply;
      assert.ok([301, 400, 401, 403, 404].includes(status), `${target}: ${text}`);
    }
    for (const { text } of [await as(it.strangers.viewer), await as(it.strangers.editor)]) {
      assertNothingLeaks(text, it, target);
      assert.ok(!text.includes('"org":"vault"'), `${target}: ${text}`);
    }
  }
});
