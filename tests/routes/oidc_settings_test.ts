import assert from "node:assert/strict";
import { ECOSYSTEMS } from "../../ecosystems/mod.ts";
import { defaultUpstreams, readSettings, SettingError } from "../../routes/settings.ts";

const GOOD = {
  OIDC_ISSUER: "https://login.acme.example/realms/x",
  OIDC_CLIENT_ID: "proxy",
  OIDC_CLIENT_SECRET: "s3cret",
  OIDC_ALLOWED: "@acme.example=acme:viewer",
};

const DEFAULTS = await defaultUpstreams(() => undefined, ECOSYSTEMS);

function read(variables: Readonly<Record<string, string>>) {
  const given = new Map(Object.entries({ UPSTREAM_NPM: "https://npm.example/", ...variables }));
  return readSettings((name) => given.get(name), ECOSYSTEMS, DEFAULTS).oidc;
}

Deno.test("ISSUER_ALLOW names hosts as WEBHOOK_ALLOW does, none by default", () => {
  const allow = (text: string) => {
    const given = new Map([["UPSTREAM_NPM", "https://npm.example/"], ["ISSUER_ALLOW", text]]);
    return readSettings((name) => given.get(name), ECOSYSTEMS, DEFAULTS).issuerAllow;
  };
  assert.deepEqual(allow(""), []);
  assert.deepEqual(allow("GitLab.acme.example, 127.0.0.1:*"), [
    "gitlab.acme.example",
    "127.0.0.1:*",
  ]);
  assert.throws(() => allow("https://gitlab.acme.example/"), /Cannot use ISSUER_ALLOW/);
});

Deno.test("signing in takes all four settings or none", () => {
  assert.equal(read({}), null);
  assert.equal(read({ OIDC_ISSUER: "", OIDC_ALLOWED: "" }), null);
  assert.equal(read(GOOD)?.issuer, GOOD.OIDC_ISSUER);
  for (const name of Object.keys(GOOD)) {
    assert.throws(() => read({ ...GOOD, [name]: "" }), (error) => {
      assert(error instanceof SettingError);
      assert.match(error.message, RegExp(`^Cannot use ${name}="": .*all of them or none$`));
      return true;
    });
  }
});

for (
  const [name, value] of [
    ["OIDC_ISSUER", "http://login.acme.example"],
    ["OIDC_ISSUER", "ftp://login.acme.example"],
    ["OIDC_ISSUER", "https://u:hunter2@login.acme.example"],
    ["OIDC_ISSUER", "https://login.acme.example/?x"],
    ["OIDC_ISSUER", "login.acme.example"],
    ["OIDC_CLIENT_ID", "a b"],
    ["OIDC_CLIENT_SECRET", "hunter2\n"],
    ["OIDC_ALLOWED", "everybody"],
    ["OIDC_ALLOWED", "@acme.example=acme:admin"],
  ] as const
) {
  Deno.test(`${name}=${JSON.stringify(value)} stops the start with one line`, () => {
    assert.throws(() => read({ ...GOOD, [name]: value }), (error) => {
      assert(error instanceof SettingError);
      assert(error.message.startsWith(`Cannot use ${name}=`) && !error.message.includes("\n"));
      assert(!error.message.includes("hunter2"));
      return true;
    });
  });
}

Deno.test("an issuer on this machine may speak http; github.com has no slash", () => {
  for (const issuer of ["http://127.0.0.1:9000", "http://[::1]:9000/x", "http://localhost/"]) {
    assert.equal(read({ ...GOOD, OIDC_ISSUER: issuer })?.issuer, issuer);
  }
  const github = read({ ...GOOD, OIDC_ISSUER: "https://github.com/" });
  assert.equal(github?.issuer, "https://github.com");
});
