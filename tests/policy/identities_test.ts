import assert from "node:assert/strict";
import { compileIdentity, identityFaults } from "../../policy/identities.ts";
import { isMappedUserName, isUserName } from "../../policy/names.ts";
import { parsePolicy } from "../../policy/schema.ts";
import { PolicyInvalid } from "../../policy/store/errors.ts";
import { SCHEMES } from "./world.ts";

const GITHUB = "https://token.actions.githubusercontent.com";
const GOOD = { issuer: GITHUB, audience: "proxy", claims: { repository: "acme/*" } };

function read(entry: Record<string, unknown>) {
  return parsePolicy({ identities: [{ ...GOOD, ...entry }] }, SCHEMES).identities[0];
}

const compiled = (entry: Record<string, unknown> = {}) => compileIdentity(read(entry));

for (
  const [pointer, entry] of [
    ["/issuer", { issuer: "ftp://a.example" }],
    ["/issuer", { issuer: "https://u:p@a.example" }],
    ["/issuer", { issuer: "https://a.example/?x" }],
    ["/issuer", { issuer: "a.example" }],
    ["/audience", { audience: "" }],
    ["/claims", { claims: {} }],
    ["/claims", { claims: { repository: "*" } }],
    ["/claims", { claims: { repository: "*/*", ref: "**" } }],
    ["/claims", { claims: { iss: GITHUB, aud: "proxy", repository: "*" } }],
    ["/claims", { claims: [] }],
    ["/claims/repository", { claims: { repository: 1 } }],
    ["/user", { user: "{actor}" }],
    ["/user", { user: "alice" }],
    ["/user", { user: "gha:{}" }],
    ["/user", { user: "GHA:{repository}" }],
    ["/role", { role: "admin" }],
    ["/rolle", { rolle: "client" }],
  ] as const
) {
  Deno.test(`an identity with ${JSON.stringify(entry)} is refused`, () => {
    assert.throws(() => read(entry), (error) => {
      assert(error instanceof PolicyInvalid);
      assert.deepEqual(error.faults.map((fault) => fault.pointer), [`/identities/0${pointer}`]);
      return true;
    });
  });
}

Deno.test("all claims must hold, and none is inherited", () => {
  const { admits } = compiled({ claims: { repository: "acme/*", ref: "refs/heads/main" } });
  const good = { repository: "acme/a/b", ref: "refs/heads/main" };
  assert(admits(good));
  for (const more of [{ repository: "acme" }, { ref: "refs/heads/main2" }, { ref: null }]) {
    assert(!admits({ ...good, ...more }), JSON.stringify(more));
  }
  assert(compiled({ claims: { run: "7", protected: "true" } }).admits({ run: 7, protected: true }));
  for (const claim of ["constructor", "toString", "__proto__"]) {
    const { admits } = compileIdentity({ ...read({}), claims: { [claim]: "*object*" } });
    assert(!admits({}), claim);
  }
});

Deno.test("names are made of claims, in lower case, or not at all", () => {
  const name = (user: string | undefined, claims: Record<string, unknown>) =>
    compiled(user === undefined ? {} : { user }).userOf(claims);
  assert.equal(name(undefined, { repository: "Acme/Site.js" }), "gha:acme/site.js");
  assert.equal(name("gha:{repository}@{ref}", { repository: "a/b", ref: "main" }), "gha:a/b@main");
  assert.equal(compiled({ issuer: "https://a.example" }).userOf({ sub: "p:1" }), "ci:p:1");
  for (
    const repository of [
      "",
      "a b",
      "a\u0000",
      "ä/b",
      "\u212a/b",
      "x".repeat(200),
      undefined,
      ["a"],
      {},
    ]
  ) {
    assert.equal(name("gha:{repository}", { repository }), null, String(repository));
  }
});

Deno.test("no name is both a person's and a job's", () => {
  for (const name of ["gha:acme/site", "ci:x"]) {
    assert(isMappedUserName(name) && !isUserName(name));
  }
  for (const name of ["alice", "alice@acme.example", "root", ":x", "gha:", "a b:c"]) {
    assert(!isMappedUserName(name), name);
  }
});

const GITLAB = "https://gitlab.com";

for (
  const [issuer, claims, fine] of [
    [GITHUB, { repository: "acme/*" }, true],
    [GITHUB, { repository: "acme/site" }, true],
    [GITHUB, { repository_owner: "acme", ref: "refs/heads/main" }, true],
    [GITHUB, { sub: "repo:acme/*" }, true],
    [GITHUB, { repository: "*", repository_owner_id: "7" }, true],
    [GITLAB, { namespace_path: "acme" }, true],
    [GITLAB, { project_path: "acme/*" }, true],
    ["https://ci.acme.example", { ref: "main" }, true],
    [GITHUB, { ref: "refs/heads/main" }, false],
    [GITHUB, { repository: "acme*" }, false],
    [GITHUB, { repository: "*/site" }, false],
    [GITHUB, { repository_owner: "acme*" }, false],
    [GITHUB, { sub: "repo:*:ref:refs/heads/main" }, false],
    // Anybody may call a workflow that is public.
    [GITHUB, { job_workflow_ref: "acme/flows/.github/workflows/a.yml@main" }, false],
    [GITHUB, { project_path: "acme/site" }, false],
    [GITLAB, { ref_protected: "true", project_path: "a*" }, false],
  ] as const
) {
  Deno.test(`${JSON.stringify(claims)} of ${issuer} ${fine ? "names" : "does not name"} whose jobs`, () => {
    const identities = [read({ issuer, claims })];
    const faults = identityFaults(identities, { allow: [], known: [] });
    assert.deepEqual(faults.map(({ pointer }) => pointer), fine ? [] : ["/identities/0/claims"]);
    // What was stored before stands in the way of no other change.
    assert.deepEqual(identityFaults(identities, { allow: [], known: identities }), []);
  });
}
