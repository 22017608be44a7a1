import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { filterNaively } from "./naive.ts";
import { MOUNT, read, render, viewOf } from "./world.ts";

const manifest = (version: string, more: object = {}) => ({
  name: "pkg",
  version,
  dist: {
    tarball: `https://npm.registry.example/pkg/-/pkg-${version}.tgz`,
    shasum: "0".repeat(40),
  },
  ...more,
});

function packument(versions: string[], more: object = {}) {
  return {
    name: "pkg",
    "dist-tags": { latest: versions.at(-1) ?? "" },
    versions: Object.fromEntries(versions.map((version) => [version, manifest(version)])),
    time: {
      created: "2020-01-01T00:00:00.000Z",
      ...Object.fromEntries(versions.map((version) => [version, "2020-01-01T00:00:00.000Z"])),
    },
    ...more,
  };
}

Deno.test("an untouched packument keeps every field, tarballs come from the proxy", () => {
  const document = packument(["1.0.0", "2.0.0"], {
    readme: 'a "quoted" \\ text – ü',
    users: { a: true },
  });
  const index = read(document, "pkg");
  const { json, type } = render(index, "full", viewOf(index, new Set()));
  const expected = structuredClone(document);
  for (const [version, entry] of Object.entries(expected.versions)) {
    entry.dist.tarball = `${MOUNT}pkg/-/pkg-${version}.tgz`;
  }
  assert.deepEqual(json, expected);
  assert.equal(type, "application/json");
});

Deno.test("`downloads: direct` leaves the upstream's addresses", () => {
  const document = packument(["1.0.0"]);
  const index = read(document, "pkg");
  assert.deepEqual(render(index, "full", viewOf(index, new Set(), true)).json, document);
});

Deno.test("a hidden version leaves versions, time and tags, and is named in policyRestrictions", () => {
  const index = read(packument(["1.0.0", "1.1.0"]), "pkg");
  const { json } = render(index, "full", viewOf(index, new Set(["1.1.0"])));
  assert.deepEqual(Object.keys(json.versions), ["1.0.0"]);
  assert.equal(json.time["1.1.0"], undefined);
  assert.equal(json.time["1.0.0"], "2020-01-01T00:00:00.000Z");
  assert.deepEqual(json["dist-tags"], { latest: "1.0.0" });
  assert.deepEqual(json.policyRestrictions.versions, {
    "1.1.0": { name: "pkg", version: "1.1.0" },
  });
  assert.match(json.policyRestrictions.message, /pkg 1\.1\.0 is withheld \(blocked\)/);
});

Deno.test("times of versions removed long ago stay, as upstream has them", () => {
  const document = packument(["1.0.0", "1.1.0"]);
  Object.assign(document.time, { "0.9.0": "2019-01-01T00:00:00.000Z" });
  const index = read(document, "pkg");
  const { json } = render(index, "full", viewOf(index, new Set(["1.1.0"])));
  assert.equal(json.time["0.9.0"], "2019-01-01T00:00:00.000Z");
});

Deno.test("times are read wherever they stand and however their keys are written", () => {
  const { time: _time, ...document } = packument(["1.0.0", "1.1.0", "1.2.0"]);
  const time = `{"created":{"of":["nothing"]},"1.0.0":"2019-01-01T00:00:00.000Z",` +
    `"1.\\u0031.0":"2020-02-02T00:00:00.000Z","1.0.0":"2021-01-01T00:00:00.000Z" ,` +
    `"1.2.0":7,"modified":"2022-01-01T00:00:00.000Z"}`;
  const index = read(`{"time":${time},${JSON.stringify(document).slice(1)}`, "pkg");
  assert.deepEqual(
    index.releases.map(({ publishedAt }) => publishedAt),
    [Date.UTC(2021, 0, 1), Date.UTC(2020, 1, 2), null],
  );
  const times = (hidden: string[]) =>
    render(index, "full", viewOf(index, new Set(hidden))).json.time;
  const [created, modified] = [{ of: ["nothing"] }, "2022-01-01T00:00:00.000Z"];
  const kept = "2021-01-01T00:00:00.000Z";
  assert.deepEqual(times(["1.1.0"]), { created, "1.0.0": kept, "1.2.0": 7, modified });
  assert.deepEqual(times(["1.1.0", "1.2.0"]), { created, "1.0.0": kept, modified });
  assert.deepEqual(times(["1.0.0", "1.1.0"]), { created, "1.2.0": 7, modified });
  const { json } = render(index, "abbreviated", viewOf(index, new Set()));
  assert.equal(json.modified, modified);
  for (const wrong of ["[]", "null", '"2020"', '{"1.0.0":"2020}', '{"1.0.0" "x"}']) {
    const text = `{"time":${wrong},${JSON.stringify(document).slice(1)}`;
    assert.throws(() => read(text, "pkg"), InvalidMetadata, wrong);
  }
});

Deno.test("the abbreviated form has what installers read, and no more", () => {
  const document = packument(["1.0.0", "1.1.0"]);
  Object.assign(document.versions["1.0.0"], {
    scripts: { postinstall: "node x.js" },
    dependencies: { a: "^1" },
    _npmUser: { name: "x" },
    readme: "no",
    deprecated: "old",
  });
  const index = read({ ...document, modified: 1 }, "pkg");
  const { json, type } = render(index, "abbreviated", viewOf(index, new Set(["1.1.0"])));
  assert.equal(type, "application/vnd.npm.install-v1+json");
  assert.deepEqual(json.versions, {
    "1.0.0": {
      name: "pkg",
      version: "1.0.0",
      dist: { tarball: `${MOUNT}pkg/-/pkg-1.0.0.tgz`, shasum: "0".repeat(40) },
      dependencies: { a: "^1" },
      deprecated: "old",
      hasInstallScript: true,
    },
  });
  assert.deepEqual(json["dist-tags"], { latest: "1.0.0" });
  assert.equal(json.name, "pkg");
  assert.equal(json.time, undefined);
});

Deno.test("everything withheld: the index is refused for `latest`", () => {
  const index = read(packument(["1.0.0", "1.1.0"]), "pkg");
  const view = viewOf(index, new Set(["1.0.0", "1.1.0"]));
  for (const form of ["full", "abbreviated", "dist-tags", "manifest:latest"]) {
    assert.deepEqual(index.render(form, view), { withheld: 1 }, form);
  }
});

Deno.test("a manifest is found by version and by tag, and refused when withheld", () => {
  const index = read(packument(["1.0.0", "1.1.0"]), "pkg");
  const view = viewOf(index, new Set(["1.1.0"]));
  assert.equal(render(index, "manifest:1.0.0", view).json.version, "1.0.0");
  assert.equal(render(index, "manifest:latest", view).json.version, "1.0.0");
  assert.equal(
    render(index, "manifest:1.0.0", view).json.dist.tarball,
    `${MOUNT}pkg/-/pkg-1.0.0.tgz`,
  );
  assert.deepEqual(index.render("manifest:1.1.0", view), { withheld: 1 });
  assert.equal(index.render("manifest:9.9.9", view), null);
  assert.equal(index.render("manifest:__proto__", view), null);
  assert.deepEqual(render(index, "dist-tags", view).json, { latest: "1.0.0" });
});

Deno.test("a tag that nothing stands in for is refused for the version it names", () => {
  const tags = { latest: "1.0.0", next: "2.0.0-rc.1", gone: "3.0.0-beta.1" };
  const index = read(packument(["1.0.0", "2.0.0-rc.1"], { "dist-tags": tags }), "pkg");
  const view = viewOf(index, new Set(["2.0.0-rc.1"]));
  assert.deepEqual(render(index, "dist-tags", view).json, { latest: "1.0.0" });
  assert.deepEqual(index.render("manifest:next", view), { withheld: 1 });
  assert.equal(index.render("manifest:gone", view), null);
});

Deno.test("with nothing withheld every answer has the tags that upstream has, dangling ones too", () => {
  const tags = { latest: "1.0.0", beta: "3.0.0-beta.2" };
  const index = read(packument(["1.0.0", "3.0.0-beta.1"], { "dist-tags": tags }), "pkg");
  const view = viewOf(index, new Set());
  for (const form of ["full", "abbreviated"]) {
    assert.deepEqual(render(index, form, view).json["dist-tags"], tags, form);
  }
  assert.deepEqual(render(index, "dist-tags", view).json, tags);
  assert.equal(index.render("manifest:beta", view), null);
});

Deno.test("a package without versions is served as it is", () => {
  for (
    const document of [{ name: "pkg" }, { name: "pkg", versions: {}, time: { unpublished: {} } }]
  ) {
    const index = read(document, "pkg");
    assert.equal(index.releases.length, 0);
    assert.deepEqual(render(index, "full", viewOf(index, new Set())).json, document);
  }
});

Deno.test("versions and tags named `__proto__` and `constructor` are only names", () => {
  const text = JSON.stringify(packument(["1.0.0"])).replace(
    `"dist-tags":{`,
    `"dist-tags":{"__proto__":"1.0.0","constructor":"2.0.0",`,
  ).replace(`"versions":{`, `"versions":{"__proto__":{"version":"__proto__"},`);
  const index = read(text, "pkg");
  assert.deepEqual(index.releases.map(({ version }) => version), ["__proto__", "1.0.0"]);
  const { text: out } = render(index, "full", viewOf(index, new Set(["__proto__"])));
  assert.ok(!out.includes(`"__proto__":{"version"`));
  assert.ok(out.includes(`"__proto__":"1.0.0"`), "the tag stays, its version is visible");
});

Deno.test("an index of another package is not served under this name", () => {
  assert.throws(() => read(packument(["1.0.0"]), "other"), InvalidMetadata);
});

Deno.test("what is no packument is refused, never passed on", () => {
  const good = JSON.stringify(packument(["1.0.0"]));
  const bad = [
    "",
    "<html>login</html>",
    "[]",
    "null",
    good.slice(0, -1),
    `${good}x`,
    good.replace(`"1.0.0":{`, `"1.0.0":{,`),
    good.replace(`"versions":{`, `"versions":{},"versions":{`),
    good.replace(`"1.0.0":{`, `"1.0.0":{},"1.0.0":{`),
    good.replace(`"dist":{`, `"dist":{},"dist":{`),
    good.replace(`"1.0.0":{`, `"1.0.0-\\ud800":{`),
    `{"name":"pkg","versions":[]}`,
    `{"name":"pkg","versions":{"1.0.0":"x"}}`,
    `{"name":"pkg","dist-tags":{"latest":1}}`,
    `{"name":"pkg","time":[]}`,
    `{"name":"pkg","x":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
    `{"name":"pkg","x":"\u0001"}`,
    `{"name":"pkg","x":01}`,
    `{"name":"pkg","x":tru}`,
    `{"name":"pkg","x":"\\x"}`,
    `{"name":"pkg","x":[1}]`,
  ];
  for (const text of bad) {
    assert.throws(() => read(text, "pkg"), InvalidMetadata, JSON.stringify(text.slice(0, 80)));
  }
});

Deno.test("an escaped key is the key it stands for", () => {
  const text = JSON.stringify(packument(["1.0.0"])).replace(`"versions"`, `"\\u0076ersions"`)
    .replace(`"dist"`, `"d\\u0069st"`);
  const index = read(text, "pkg");
  assert.equal(index.releases.length, 1);
  assert.equal(index.releases[0].files.length, 1);
});

Deno.test("the scanner reads exactly what JSON.parse reads", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(4), (value, indent) => {
    const text = JSON.stringify({ name: "pkg", value }, null, indent);
    const index = read(text, "pkg");
    assert.deepEqual(render(index, "full", viewOf(index, new Set())).json, JSON.parse(text));
  }));
});

Deno.test("a damaged document is refused, or JSON.parse could read it too", () => {
  const good = JSON.stringify(
    packument(["1.0.0", "1.1.0"], { list: [1, -2.5e3, true, null, "ü\\n"] }),
  );
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 0x20, max: 0x7e }), (at, code) => {
      const text = good.slice(0, at) + String.fromCharCode(code) + good.slice(at + 1);
      let parsed: unknown;
      try {
        parsed = JSON.parse(text);
      } catch {
        assert.throws(() => read(text, "pkg"), InvalidMetadata);
        return;
      }
      try {
        read(text, "pkg");
      } catch (error) {
        assert.ok(error instanceof InvalidMetadata, String(error));
        assert.ok(parsed !== undefined);
      }
    }),
    { numRuns: 1500 },
  );
});

Deno.test("splicing equals parsing and printing, whatever is hidden", () => {
  const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.constantFrom("", "-beta.1", "-rc.0"))
    .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre}`);
  fc.assert(fc.property(
    fc.uniqueArray(version, { minLength: 1, maxLength: 12 }),
    fc.infiniteStream(fc.boolean()),
    fc.infiniteStream(fc.nat()),
    fc.nat(2),
    (versions, hide, choose, indent) => {
      const hidden = new Set(versions.filter(() => hide.next().value));
      if (hidden.size === versions.length) return;
      const pick = () => versions[(choose.next().value ?? 0) % versions.length];
      const document = packument(versions, {
        "dist-tags": { latest: pick(), next: pick(), beta: pick() },
      });
      const index = read(JSON.stringify(document, null, indent), "pkg");
      const { json } = render(index, "full", viewOf(index, hidden, true));
      delete json.policyRestrictions;
      assert.deepEqual(json, filterNaively(document, hidden));
    },
  ));
});
