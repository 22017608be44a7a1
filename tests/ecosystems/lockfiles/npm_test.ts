/** package-lock.json and npm-shrinkwrap.json. */
import assert from "node:assert/strict";
import { assertInvalid, lines, purls, read, skipped } from "./reading.ts";

const REGISTRY = "https://registry.example";

function lock(packages: Record<string, unknown>, lockfileVersion: unknown = 3): string {
  return JSON.stringify({ name: "app", lockfileVersion, packages }, null, 2);
}

Deno.test("versions 2 and 3 give each release once, with its line and digest", async () => {
  const text = lock({
    "": { name: "app", dependencies: { lodash: "^4" } },
    "node_modules/lodash": {
      version: "4.17.21",
      resolved: `${REGISTRY}/lodash/-/lodash-4.17.21.tgz`,
      integrity: "sha512-aaaa",
    },
    "node_modules/@a/b": { version: "1.0.0-rc.1", resolved: `${REGISTRY}/@a/b/-/b-1.0.0-rc.1.tgz` },
    "node_modules/@a/b/node_modules/lodash": { version: "3.0.0" },
    "packages/x/node_modules/lodash": { version: "4.17.21", dev: true },
  });
  const locked = await read(text);
  assert.equal(locked.format, "package-lock.json 3");
  assert.deepEqual(purls(locked), [
    "pkg:npm/%40a/b@1.0.0-rc.1",
    "pkg:npm/lodash@3.0.0",
    "pkg:npm/lodash@4.17.21",
  ]);
  assert.deepEqual(locked.entries[0], {
    ecosystem: "npm",
    name: "lodash",
    version: "4.17.21",
    purl: "pkg:npm/lodash@4.17.21",
    location: { line: 11 },
    integrity: "sha512-aaaa",
  });
  assert.equal(text.split("\n")[10], '    "node_modules/lodash": {');
  assert.deepEqual(locked.skipped, []);
  assert.equal((await read(text.replace(": 3,", ": 2,"))).format, "package-lock.json 2");
});

Deno.test("an alias is the package that it stands for", async () => {
  const packages = { "node_modules/mug": { name: "@pottery/cup", version: "1.0.0" } };
  assert.deepEqual(purls(await read(lock(packages))), ["pkg:npm/%40pottery/cup@1.0.0"]);
  const dependencies = { mug: { version: "npm:@pottery/cup@1.0.0" } };
  const first = JSON.stringify({ lockfileVersion: 1, dependencies });
  assert.deepEqual(purls(await read(first)), ["pkg:npm/%40pottery/cup@1.0.0"]);
});

Deno.test("what comes from no registry is named with its reason", async () => {
  const locked = await read(lock({
    "packages/x": { version: "1.0.0" },
    "node_modules/x": { resolved: "packages/x", link: true },
    "node_modules/y": { version: "1.0.0", resolved: "git+ssh://git@github.com/a/y.git#abc" },
    "node_modules/v": { version: "1.0.0", resolved: "git@git.example:a/v.git" },
    "node_modules/z": { version: "1.0.0", resolved: "file:z-1.0.0.tgz" },
    "node_modules/u": { version: "1.0.0", resolved: "https://user:secret@files.example/u.tgz?k=1" },
    "node_modules/npm": { version: "1.0.0", bundleDependencies: ["b"] },
    "node_modules/npm/node_modules/b": {
      version: "1.0.0",
      inBundle: true,
      dependencies: { d: "*" },
    },
    "node_modules/npm/node_modules/b/node_modules/c": { version: "1.0.0", inBundle: true },
    "node_modules/npm/node_modules/d": { version: "1.0.0", inBundle: true },
    "node_modules/none": {},
    "node_modules/two words": { version: "1.0.0" },
  }));
  assert.deepEqual(purls(locked), ["pkg:npm/npm@1.0.0"]);
  assert.deepEqual(skipped(locked), [
    "packages/x is a workspace of the project (packages/x)",
    "x is a link (packages/x)",
    "y@1.0.0 is from git (github.com/a/y.git)",
    "v@1.0.0 is from git (git.example:a/v.git)",
    "z@1.0.0 is a file of the project (z-1.0.0.tgz)",
    "u@1.0.0 is from an address that is no registry's (files.example/u.tgz)",
    "b@1.0.0 comes inside the package that bundles it",
    "c@1.0.0 comes inside the package that bundles it",
    "d@1.0.0 comes inside the package that bundles it",
    "none has no version",
    "two words cannot be the name of a package in npm",
  ]);
});

Deno.test("what is said to be bundled, but is downloaded, is read as any other", async () => {
  const evil = { version: "6.6.6", inBundle: true };
  const bundler = { version: "1.0.0", bundleDependencies: ["evil"] };
  const outer = { version: "1.0.0" };
  const leaf = { ...evil, dependencies: { evil: "*" } };
  const other = { version: "1.0.0", bundleDependencies: ["leaf"] };
  const samples: Record<string, unknown>[] = [
    { "": { bundleDependencies: ["evil"] }, "node_modules/evil": evil },
    { "packages/x": bundler, "packages/x/node_modules/evil": evil },
    { "node_modules/outer": outer, "node_modules/outer/node_modules/evil": evil },
    {
      "node_modules/outer": bundler,
      "node_modules/outer/node_modules/evil": { ...evil, integrity: "sha512-aaaa" },
    },
    { "node_modules/outer": other, "node_modules/outer/node_modules/evil": evil },
    {
      "node_modules/outer": other,
      "node_modules/outer/node_modules/leaf": { ...leaf, dependencies: {} },
      "node_modules/outer/node_modules/evil": evil,
    },
    // What it depends on is below it.
    {
      "node_modules/outer": other,
      "node_modules/outer/node_modules/leaf": leaf,
      "node_modules/outer/node_modules/leaf/node_modules/evil": { ...evil, version: "1.0.0" },
      "node_modules/outer/node_modules/evil": evil,
    },
    // Folders of the project.
    { "lib/node_modules/x": bundler, "lib/node_modules/x/node_modules/evil": evil },
    { "node_modules/x/y": bundler, "node_modules/x/y/node_modules/evil": evil },
    {
      "../app": outer,
      "../app/node_modules/outer": bundler,
      "../app/node_modules/outer/node_modules/evil": evil,
    },
  ];
  for (const packages of samples) {
    assert.ok(purls(await read(lock(packages))).includes("pkg:npm/evil@6.6.6"));
  }
  const bundled = { version: "6.6.6", bundled: true };
  for (
    const dependencies of [
      { evil: bundled },
      { a: { version: "1.0.0", dependencies: { evil: bundled } } },
    ]
  ) {
    const locked = await read(JSON.stringify({ lockfileVersion: 1, dependencies }));
    assert.ok(purls(locked).includes("pkg:npm/evil@6.6.6"));
    // npm 6 reads the tree, whatever the packages say.
    const packages = {
      "node_modules/a": { version: "1.0.0", bundleDependencies: ["evil"] },
      "node_modules/a/node_modules/evil": evil,
    };
    const second = await read(JSON.stringify({ lockfileVersion: 2, packages, dependencies }));
    assert.ok(purls(second).includes("pkg:npm/evil@6.6.6"));
    assert.deepEqual(skipped(second), []);
  }
});

Deno.test("registries with addresses of another shape are registries", async () => {
  const hash = "0123456789abcdef0123456789abcdef01234567";
  const addresses = {
    "@a/b": `https://npm.pkg.github.com/download/@a/b/1.0.0/${hash}`,
    "@jsr/std__path": "https://npm.jsr.io/~/11/@jsr/std__path/1.0.0.tgz",
    "@c/d": "https://gitlab.example/api/v4/projects/1/packages/npm/@c/d/-/@c/d-1.0.0.tgz",
    "@e/f": "https://git.example/api/packages/x/npm/%40e%2Ff/-/1.0.0/f-1.0.0.tgz",
  };
  const locked = await read(lock(Object.fromEntries(
    Object.entries(addresses).map(([name, resolved]) => [
      `node_modules/${name}`,
      { version: "1.0.0", resolved },
    ]),
  )));
  assert.deepEqual(locked.entries.map(({ name }) => name), Object.keys(addresses));
  assert.deepEqual(locked.skipped, []);
});

Deno.test("an address of another release than the one stated gives both", async () => {
  const locked = await read(lock({
    "node_modules/lodash": {
      version: "4.17.21",
      resolved: `${REGISTRY}/evil/-/evil-6.6.6.tgz`,
    },
  }));
  assert.deepEqual(purls(locked), ["pkg:npm/evil@6.6.6", "pkg:npm/lodash@4.17.21"]);
});

Deno.test("an address is judged wherever npm looks for one", async () => {
  const evil = `${REGISTRY}/evil/-/evil-6.6.6.tgz`;
  const third = await read(lock({ "node_modules/good": { resolved: evil } }));
  assert.deepEqual(purls(third), ["pkg:npm/evil@6.6.6"]);
  const other = { version: "1.0.0", _resolved: evil };
  await assertInvalid(
    lock({ "node_modules/good": other }),
    /"_resolved", which npm does not write/,
  );
  for (
    const entry of [
      { version: "1.0.0", from: evil },
      { version: "file:x", resolved: evil },
      { version: "https://files.example/u.tgz", resolved: evil },
    ]
  ) {
    const locked = await read(
      JSON.stringify({ lockfileVersion: 1, dependencies: { good: entry } }),
    );
    assert.ok(purls(locked).includes("pkg:npm/evil@6.6.6"), JSON.stringify(entry));
  }
});

Deno.test("addresses and paths that npm does not write, but reads, are refused", async () => {
  const resolved = [
    "npm:evil@6.6.6",
    "NPM:evil@6.6.6",
    "evil@6.6.6",
    "git@6.6.6",
    "git@npm:evil@6.6.6",
    `git@${REGISTRY}/evil/-/evil-6.6.6.tgz`,
    "loc.tgz",
    " https://a.b/c",
  ];
  for (const address of resolved) {
    const entry = { version: "1.0.0", resolved: address };
    const message = /"resolved" is no address that npm writes/;
    await assertInvalid(lock({ "node_modules/good": entry }), message);
    const first = { lockfileVersion: 1, dependencies: { good: entry } };
    await assertInvalid(JSON.stringify(first), message);
  }
  const names = ["evil/", "/evil", "./evil", "good/../evil", "..\\node_modules\\evil"];
  for (const name of names) {
    const entry = { version: "6.6.6" };
    const message = /is no path that npm writes/;
    await assertInvalid(lock({ [`node_modules/${name}`]: entry }), message);
    const first = { lockfileVersion: 1, dependencies: { [name]: entry } };
    await assertInvalid(JSON.stringify(first), message);
  }
  for (const path of ["./node_modules/evil", "packages//x", "packages/../node_modules/evil"]) {
    await assertInvalid(lock({ [path]: { version: "6.6.6" } }), /is no path that npm writes/);
  }
  const above = {
    "..": { name: "above" },
    "../../x": {},
    "../x/node_modules/a": { version: "1.0.0" },
  };
  assert.deepEqual(purls(await read(lock(above))), ["pkg:npm/a@1.0.0"]);
});

Deno.test("a version with blanks is one, and a blank one is refused", async () => {
  const versions = { " 6.6.6": "6.6.6", "6.6.6\t": "6.6.6", "6.6.6 || 5": "6.6.6%20%7C%7C%205" };
  for (const [version, shown] of Object.entries(versions)) {
    const entry = { name: "", version };
    const locked = await read(lock({ "node_modules/evil": entry }));
    assert.deepEqual(purls(locked), [`pkg:npm/evil@${shown}`]);
    assert.deepEqual(locked.skipped, []);
  }
  const long = await read(
    lock({ "node_modules/evil": { version: `6.6.6 ||${" ".repeat(300)}5` } }),
  );
  assert.equal(long.entries[0].version.length, 257);
  const halved = await read(lock({ "node_modules/evil": { version: "6.6.6\ud800\u001b" } }));
  assert.deepEqual(halved.entries.map(({ version }) => version), ["6.6.6\ufffd\ufffd"]);
  for (const version of ["", " \t"]) {
    await assertInvalid(lock({ "node_modules/evil": { version } }), /"version" is blank/);
    const first = { lockfileVersion: 1, dependencies: { evil: { version } } };
    await assertInvalid(JSON.stringify(first), /"version" is blank/);
  }
});

Deno.test("version 1 and older shrinkwraps are trees", async () => {
  const dependencies = {
    a: {
      version: "1.0.0",
      resolved: `${REGISTRY}/a/-/a-1.0.0.tgz`,
      requires: { b: "^2" },
      dependencies: { b: { version: "2.0.0", bundled: true }, c: { version: "3.0.0", dev: true } },
    },
    g: { version: "git+https://github.com/a/g.git#abc", from: "github:a/g" },
    f: { version: "file:f" },
    t: { version: `${REGISTRY}/t/-/t-9.0.0.tgz` },
    u: { version: "https://files.example/u.tgz" },
  };
  for (const head of [{ lockfileVersion: 1 }, { name: "app", version: "1.0.0" }]) {
    const text = JSON.stringify({ ...head, dependencies });
    const locked = await read(text, "npm-shrinkwrap.json");
    assert.equal(locked.format, "package-lock.json 1");
    assert.deepEqual(purls(locked), [
      "pkg:npm/a@1.0.0",
      "pkg:npm/b@2.0.0",
      "pkg:npm/c@3.0.0",
      "pkg:npm/t@9.0.0",
    ]);
    assert.deepEqual(skipped(locked), [
      "g is from git (github.com/a/g.git)",
      "f is a file of the project (f)",
      "u is from an address that is no registry's (files.example/u.tgz)",
    ]);
  }
});

Deno.test("packages are read whatever version the file says it has, as npm does", async () => {
  const dependencies = { a: { version: "1.0.0" } };
  const packages = { "node_modules/evil": { version: "6.6.6" } };
  for (const head of [{ lockfileVersion: 1 }, {}]) {
    const locked = await read(JSON.stringify({ ...head, dependencies, packages }));
    assert.deepEqual(purls(locked), ["pkg:npm/a@1.0.0", "pkg:npm/evil@6.6.6"]);
  }
  const alone = JSON.stringify({ lockfileVersion: 1, packages });
  assert.deepEqual(purls(await read(alone)), ["pkg:npm/evil@6.6.6"]);
});

Deno.test("the tree is read whatever version the file says it has, as npm 6 does", async () => {
  const packages = {
    "": { name: "app", workspaces: ["packages/*"] },
    "node_modules/evil": { version: "1.0.0", integrity: "sha512-aaaa" },
    "node_modules/g": { version: "1.0.0", resolved: "git+ssh://git@github.com/a/g.git#abc" },
    "node_modules/u": { version: "1.0.0", resolved: "https://files.example/u.tgz" },
    "node_modules/x": { resolved: "packages/x", link: true },
    "packages/x": { version: "1.0.0" },
  };
  const dependencies = {
    evil: { version: "6.6.6" },
    g: { version: "git+ssh://git@github.com/a/g.git#abc", from: "g@github:a/g" },
    u: { version: "https://files.example/u.tgz" },
    x: { version: "file:packages/x", dependencies: { y: { version: "2.0.0" } } },
    z: { version: "file:z" },
  };
  for (const lockfileVersion of [2, 3]) {
    const locked = await read(JSON.stringify({ lockfileVersion, packages, dependencies }));
    assert.deepEqual(purls(locked), [
      "pkg:npm/evil@1.0.0",
      "pkg:npm/evil@6.6.6",
      "pkg:npm/y@2.0.0",
    ]);
    // What both have is named once.
    assert.deepEqual(skipped(locked), [
      "g@1.0.0 is from git (github.com/a/g.git)",
      "u@1.0.0 is from an address that is no registry's (files.example/u.tgz)",
      "x is a link (packages/x)",
      "packages/x is a workspace of the project (packages/x)",
      "z is a file of the project (z)",
    ]);
  }
});

Deno.test("the version of a tree is judged, too, where its address is no registry's", async () => {
  for (const resolved of ["https://files.example/u.tgz", "git+ssh://git@github.com/a/y.git#abc"]) {
    const dependencies = { evil: { version: "6.6.6", resolved } };
    const locked = await read(JSON.stringify({ lockfileVersion: 1, dependencies }));
    assert.deepEqual(purls(locked), ["pkg:npm/evil@6.6.6"]);
    assert.equal(locked.skipped.length, 1);
  }
});

Deno.test("what npm cannot read as a version of a tree is another one to no registry", async () => {
  for (const version of ["workspace:*", "link:x", "good@1.0.0", "npm:a b@1.0.0"]) {
    const dependencies = { evil: { version } };
    const locked = await read(JSON.stringify({ lockfileVersion: 1, dependencies }));
    assert.deepEqual(locked.entries.map((entry) => [entry.name, entry.version]), [[
      "evil",
      version,
    ]]);
  }
  const none = {
    lockfileVersion: 1,
    dependencies: { evil: { from: "evil@*" }, a: { version: "1.0.0" } },
  };
  await assertInvalid(JSON.stringify(none), /"evil" has no version/);
});

Deno.test("a name that is a member of every object is a name as any other", async () => {
  const text = lock({}).replace(
    '"packages": {}',
    '"packages": {"node_modules/__proto__": {"version": "1.0.0"},' +
      '"node_modules/constructor": {"version": "2.0.0"}, "__proto__": {"link": true}}',
  );
  const locked = await read(text);
  assert.deepEqual(purls(locked), ["pkg:npm/__proto__@1.0.0", "pkg:npm/constructor@2.0.0"]);
  assert.deepEqual(skipped(locked), ["__proto__ is a link ()"]);
  assert.equal(Reflect.get({}, "link"), undefined);
});

Deno.test("faults name the format and the line", async () => {
  const wrong = lock({ "node_modules/a": { version: 1 } });
  const error = await assertInvalid(
    wrong,
    /^Cannot read it as package-lock\.json, line 5: "version" is a number instead of a string$/,
  );
  assert.deepEqual([error.format, error.line], ["package-lock.json", 5]);
  assert.deepEqual(lines(await read(wrong.replace(": 1\n", ': "1.0.0"\n'))), {
    "pkg:npm/a@1.0.0": 5,
  });
  await assertInvalid(lock({}, 4), /lockfileVersion is 4; known are 1, 2 and 3/);
  await assertInvalid('{"lockfileVersion": 3}', /has no "packages"/);
  await assertInvalid(lock({ a: [] }), /"a" is a list where an object belongs/);
});
