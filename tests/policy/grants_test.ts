import assert from "node:assert/strict";
import { grantsOf, parseAllowed, roleIn } from "../../policy/grants.ts";

Deno.test("rules name addresses, domains and groups", () => {
  const rules = parseAllowed(
    " Alice@Acme.example=acme:editor ,@acme.example=acme:viewer,group:a=b c=*:admin,, ",
  );
  assert.deepEqual(rules.map(({ who, org, role }) => [Object.values(who)[1], org, role]), [
    ["alice@acme.example", "acme", "editor"],
    ["acme.example", "acme", "viewer"],
    ["a=b c", "*", "admin"],
  ]);
});

for (
  const [text, says] of [
    ["", /nobody/],
    [" , ", /nobody/],
    ["alice@acme.example", /no rule/],
    ["alice@acme.example=acme", /no rule/],
    ["alice=acme:viewer", /no rule/],
    ["acme.example=acme:viewer", /no rule/],
    ["@=acme:viewer", /no rule/],
    ["@*=acme:viewer", /no rule/],
    ["*=acme:viewer", /no rule/],
    ["group:=acme:viewer", /no rule/],
    ["a@b@c=acme:viewer", /no rule/],
    ["alice@аcme.example=acme:viewer", /no rule/],
    ["mi\u212ae@acme.example=acme:viewer", /no rule/],
    ["@mar\u212aet.example=acme:viewer", /no rule/],
    ["@acme.example=Acme:viewer", /no org/],
    ["@acme.example=acme:owner", /admin, editor or viewer/],
    ["@acme.example=acme:client", /admin, editor or viewer/],
    ["@acme.example=acme:admin", /admin for \*/],
    ["@acme.example=acme:viewer; @b.example=acme:viewer", /no rule/],
  ] as const
) {
  Deno.test(`${JSON.stringify(text)} is no list of rules`, () => {
    assert.throws(() => parseAllowed(text), (error) => {
      assert(error instanceof SyntaxError);
      assert.match(error.message, says);
      return true;
    });
  });
}

Deno.test("of several rules for an org the most counts, and every org's with each org's", () => {
  const rules = parseAllowed(
    "@acme.example=acme:viewer, alice@acme.example=acme:editor, group:all=*:viewer, group:ops=*:admin",
  );
  const grants = grantsOf(rules, { email: "alice@acme.example", groups: ["all"] });
  assert.deepEqual(grants, [{ org: "*", role: "viewer" }, { org: "acme", role: "editor" }]);
  assert.deepEqual([roleIn(grants, "acme"), roleIn(grants, "other")], ["editor", "viewer"]);
  assert.deepEqual(grantsOf(rules, { email: "bob@other.example", groups: ["opsx"] }), []);
  assert.equal(roleIn([{ org: "acme", role: "viewer" }], "other"), null);
});
