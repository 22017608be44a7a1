import assert from "node:assert/strict";
import { findings, NOW, only, release } from "../world.ts";

const DENY = only({ deprecated: { level: "deny" } });

Deno.test("deprecated lets through what its publisher stands by", () => {
  for (const ecosystem of ["npm", "pypi"]) {
    assert.deepEqual(findings(DENY, [release({ ecosystem, deprecated: false })]), []);
  }
});

Deno.test("deprecated withholds what its publisher advises against, with their reason", () => {
  const said = (deprecated: string) =>
    DENY.judge([release({ deprecated })], NOW).verdicts[0].message;
  assert.equal(said("use  other\nnow"), "deprecated by its publisher: use other now");
  assert.equal(said(""), "deprecated by its publisher");
  const archived = release({ ecosystem: "pypi", name: "demo", deprecated: "archived" });
  assert.deepEqual(findings(DENY, [archived]), ["1.0.0: deprecated"]);
});

Deno.test("deprecated lets through what no registry speaks of, unless told otherwise", () => {
  const strict = only({ deprecated: { level: "deny", unknown: "deny" } });
  for (const silent of [release({ ecosystem: "cargo" }), release({ deprecated: null })]) {
    assert.deepEqual(findings(DENY, [silent]), []);
    assert.deepEqual(findings(strict, [silent]), ["1.0.0: deprecated"]);
  }
});

Deno.test("deprecated is off by default, and warns where told to", () => {
  const old = [release({ deprecated: "" })];
  assert.deepEqual(findings(only({ deprecated: {} }), old), []);
  assert.deepEqual(findings(only({ deprecated: { level: "warn" } }), old), [
    "warn 1.0.0: deprecated",
  ]);
});

Deno.test("a deprecation that cannot be read withholds", () => {
  const damaged = Object.defineProperty(release(), "deprecated", {
    get() {
      throw new Error("damaged");
    },
  });
  assert.deepEqual(findings(DENY, [damaged]), ["1.0.0: metadata_invalid"]);
});
