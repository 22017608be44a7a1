/** What an audit's request still says when private packages are taken out of it. */
import assert from "node:assert/strict";
import { auditWithout } from "../../../ecosystems/npm/advisories.ts";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";

function told(audit: unknown): { text: string; json: Record<string, unknown> } {
  const body = new TextEncoder().encode(JSON.stringify(audit));
  const isHidden = (name: string) => name.startsWith("@acme/") || name.startsWith("secret");
  const text = new TextDecoder().decode(auditWithout(body, isHidden));
  return { text, json: JSON.parse(text) };
}

const EMPTY = {
  name: "project",
  version: "0.0.0",
  metadata: {},
  install: [],
  remove: [],
  requires: {},
  dependencies: {},
};

Deno.test("an audit of the older form says nothing of the project itself", () => {
  const { json } = told({
    name: "@acme/payroll",
    version: "3.1.0",
    install: ["@acme/db@1.0.0"],
    remove: ["secret-old"],
    metadata: { from: "@acme" },
    scripts: { build: "@acme/build" },
    requires: { left: "^1.0.0" },
    dependencies: {
      left: {
        version: "1.0.0",
        resolved: "https://npm.acme.example/left/-/left-1.0.0.tgz",
        requires: { right: "1" },
        dev: true,
      },
    },
  });
  assert.deepEqual(json, {
    ...EMPTY,
    requires: { left: "^1.0.0" },
    dependencies: { left: { version: "1.0.0", dev: true, requires: { right: "1" } } },
  });
});

Deno.test("private names go wherever the older form has one: keys, paths, aliases and addresses", () => {
  const inner = { version: "2.0.0" };
  const { text, json } = told({
    requires: {
      a: "npm:@acme/db@^1",
      b: "npm:secret",
      c: "npm:left@1",
      d: "git+ssh://git@git.example/@acme/d",
      e: "acme/secret",
      f: "~1.2 || >=3 <4",
      g: "latest",
    },
    dependencies: {
      "node_modules/@acme/db": { version: "1.0.0", dependencies: { right: inner } },
      "node_modules/@acme/db/node_modules/left": { version: "1.0.0" },
      "node_modules/left": { version: "1.0.0" },
      alias: { version: "npm:@acme/db@1.0.0", dependencies: { right: inner } },
      other: { version: "npm:left@1.0.0" },
      local: { version: "file:../secret" },
      number: { version: 7 },
      ".": { dependencies: { right: inner } },
    },
  });
  assert.ok(!/acme|secret|git/.test(text), text);
  const gone = { version: "0.0.0" };
  assert.deepEqual(json, {
    ...EMPTY,
    requires: { c: "npm:left@1", f: "~1.2 || >=3 <4", g: "latest" },
    dependencies: {
      "_private.0": { ...gone, dependencies: { right: inner } },
      "_private.1": gone,
      "node_modules/left": { version: "1.0.0" },
      "_private.3": { ...gone, dependencies: { right: inner } },
      other: { version: "npm:left@1.0.0" },
      "_private.5": gone,
      "_private.6": gone,
      ".": { ...gone, dependencies: { right: inner } },
    },
  });
});

Deno.test("the bulk form keeps versions alone", () => {
  const { json } = told({
    "@acme/tool": ["1.0.0"],
    left: ["1.0.0", "2.0.0-rc.1+b", "npm:@acme/db@1", "secret", 7],
  });
  assert.deepEqual(json, { left: ["1.0.0", "2.0.0-rc.1+b"] });
});

Deno.test("an audit nested deeper than any tree is none", () => {
  let tree: unknown = {};
  for (let depth = 0; depth < 1_000; depth++) tree = { dependencies: { a: tree } };
  assert.throws(() => told(tree), InvalidMetadata);
});
