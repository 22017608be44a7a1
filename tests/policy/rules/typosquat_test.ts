import assert from "node:assert/strict";
import { Neighbours } from "../../../policy/edit_distance.ts";
import { DAY, findings, NOW, only, release } from "../world.ts";

const DENY = only({ typosquat: { level: "deny" } });

function isSquat(name: string, ecosystem = "npm", publishedAt: number | null = NOW): boolean {
  return findings(DENY, [release({ ecosystem, name, publishedAt })]).length > 0;
}

Deno.test("typosquat withholds a young name one slip away from a much used one", () => {
  const squats = {
    npm: ["loadsh", "lodahs", "lodas", "lodashh", "lodesh", "crossenv", "cross.env", "Lodash"],
    pypi: ["reqeusts", "request", "python-dateutils", "djngo", "beautifulsoup-4"],
    cargo: ["rustdecimal", "rust-decimals", "fasterlog", "serd_json", "toklo"],
  };
  for (const [ecosystem, names] of Object.entries(squats)) {
    for (const name of names) {
      // `er` are two letters more.
      assert.equal(isSquat(name, ecosystem), name !== "fasterlog", `${ecosystem} ${name}`);
    }
  }
});

Deno.test("typosquat looks through scopes", () => {
  for (const name of ["babel-core", "babelcore", "@bable/core", "@babel/cor", "types-node"]) {
    // `babel-core` is much used itself.
    assert.equal(isSquat(name), name !== "babel-core", name);
  }
  assert.equal(isSquat("@acme/lodash"), false);
});

Deno.test("typosquat lets through the much used ones themselves, other names and short ones", () => {
  for (const name of ["lodash", "preact", "react", "inquirer", "my-own-thing", "qx", "ab"]) {
    assert.equal(isSquat(name), false, name);
  }
  assert.equal(isSquat("Flask", "pypi"), false);
  assert.equal(isSquat("serde-json", "cargo"), false);
});

Deno.test("typosquat lets through what has been there for 90 days, to the millisecond", () => {
  assert.equal(isSquat("loadsh", "npm", NOW - 90 * DAY + 1), true);
  assert.equal(isSquat("loadsh", "npm", NOW - 90 * DAY), false);
  const releases = [
    release({ name: "loadsh", publishedAt: NOW - 400 * DAY }),
    release({ name: "loadsh", version: "2.0.0", publishedAt: NOW }),
  ];
  assert.deepEqual(findings(DENY, releases), []);
});

Deno.test("typosquat names what it may be mistaken for, and ends by itself", () => {
  const publishedAt = Date.parse("2026-11-25T10:00:00Z");
  const { verdicts, changesAt } = DENY.judge([release({ name: "loadsh", publishedAt })], NOW);
  assert.equal(
    verdicts[0].message,
    "easily mistaken for the much used lodash, and the package was first published " +
      "2026-11-25T10:00:00Z, less than 90d ago",
  );
  assert.equal(changesAt, publishedAt + 90 * DAY);
});

Deno.test("typosquat takes a package of unknown age for young, unless told otherwise", () => {
  assert.equal(isSquat("loadsh", "npm", null), true);
  assert.equal(isSquat("my-own-thing", "npm", null), false);
  const lax = only({ typosquat: { level: "deny", unknown: "allow" } });
  assert.deepEqual(findings(lax, [release({ name: "loadsh", publishedAt: null })]), []);
});

Deno.test("typosquat is off by default, with age 0 too, warns where told to, and exceptions waive it", () => {
  const squat = [release({ name: "loadsh", publishedAt: NOW })];
  assert.deepEqual(findings(only({ typosquat: {} }), squat), []);
  assert.deepEqual(findings(only({ typosquat: { level: "deny", age: "0" } }), squat), []);
  assert.deepEqual(findings(only({ typosquat: { level: "warn" } }), squat), [
    "warn 1.0.0: typosquat",
  ]);
  const exceptions = [{ purl: "pkg:npm/loadsh", rules: ["typosquat"] }];
  const judged = only({ typosquat: { level: "deny" } }, { exceptions });
  assert.deepEqual(findings(judged, squat), []);
});

/** Distance with neighbours changed over counted once, the slow way. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 1; j <= b.length; j++) rows[0][j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, rows[i - 2][j - 2] + 1);
      }
      rows[i][j] = least;
    }
  }
  return rows[a.length][b.length];
}

Deno.test("neighbours are exactly the names at distance one", () => {
  const table = new Neighbours(["abcab"]);
  const letters = ["a", "b", "c"];
  const words = (length: number): string[] =>
    length === 0 ? [""] : words(length - 1).flatMap((word) => letters.map((one) => word + one));
  for (const word of [4, 5, 6, 7].flatMap(words)) {
    const near = word !== "abcab" && distance(word, "abcab") === 1;
    assert.equal(table.find(word) !== null, near, word);
  }
});
