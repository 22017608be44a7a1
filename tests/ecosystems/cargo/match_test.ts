import assert from "node:assert/strict";
import fc from "fast-check";
import { cargo } from "../../../ecosystems/cargo/mod.ts";
import { indexPath, isName, isVersion } from "../../../ecosystems/cargo/paths.ts";
import type { Target } from "../../../ecosystems/ecosystem.ts";
import type { Policy } from "../../../policy/types.ts";
import { document, mountView, request, text, upstream } from "./fixture.ts";

function match(path: string, extra: Parameters<typeof request>[1] = {}): Target | null {
  return cargo.match(request(path, extra));
}

/** Kind and name, enough to tell targets apart. */
function brief(target: Target | null): unknown {
  if (target?.kind === "index") return [target.form, target.name];
  if (target?.kind === "file") return ["file", ...target.names, target.path];
  return target?.kind ?? null;
}

Deno.test("index paths follow the length of the name and ignore its case", () => {
  for (const path of ["1/a", "2/ab", "3/a/abc", "se/rd/serde", "se/rd/serde_json", "3/A/Abc"]) {
    assert.deepEqual(brief(match(path)), ["index", path.split("/").at(-1)], path);
  }
  assert.deepEqual(brief(match("in/fl/Inflector")), ["index", "Inflector"]);
  assert.deepEqual(brief(match("se/rd/serde", { mount: "cargo-rs" })), ["index", "serde"]);
  assert.deepEqual(cargo.indexAddress("Inflector"), {
    url: "in/fl/inflector",
    accept: "text/plain",
  });
});

Deno.test("a prefix that does not belong to its name is nothing", () => {
  const paths = [
    "1/ab",
    "2/a",
    "3/b/abc",
    "se/rd/tokio",
    "serde",
    "se/rd/serde/",
    "se/serde",
    "/1/a",
  ];
  for (const path of [...paths, "", "se/rd/..", "se/rd/se%2frde", "se/rd/%", "ab/c /abc d"]) {
    assert.equal(match(path), null, path);
  }
});

Deno.test("downloads are found on every mount, older paths included", () => {
  const wanted = ["file", "serde", "crates/serde/1.0.0%2Bx/download"];
  assert.deepEqual(brief(match("crates/serde/1.0.0+x/download")), wanted);
  assert.deepEqual(brief(match("crates/serde/1.0.0%2Bx/download", { mount: "cargo-rs" })), wanted);
  assert.deepEqual(brief(match("crates/serde/serde-1.0.0+x.crate")), wanted);
  assert.deepEqual(brief(match("api/v1/crates/serde/1.0.0+x/download")), wanted);
  for (
    const path of [
      "serde/1.0.0+x/download",
      "crates/serde/1.0.0+x/download",
      "serde/serde-1.0.0+x.crate",
    ]
  ) assert.deepEqual(brief(match(path, { mount: "cargofiles" })), wanted, path);
  const crates = match("crates/1.0.0/download", { mount: "cargofiles" });
  assert.deepEqual(brief(crates), ["file", "crates", "crates/crates/1.0.0/download"]);
});

Deno.test("what is no download is nothing", () => {
  for (
    const path of [
      "serde/1.0.0/download",
      "crates/serde/latest/download",
      "crates/serde/1.0/download",
      "crates/serde/1.0.0",
      "crates/serde/1.0.0/upload",
      "crates/serde/tokio-1.0.0.crate",
      "crates/../1.0.0/download",
      "crates/serde/1.0.0%2f..%2fx/download",
    ]
  ) assert.equal(match(path), null, path);
  assert.equal(match("se/rd/serde", { mount: "cargofiles" }), null);
});

Deno.test("the API is there to read crates and versions, not to write", () => {
  assert.deepEqual(brief(match("api/v1/crates/serde")), ["crate", "serde"]);
  assert.deepEqual(brief(match("api/v1/crates/serde/1.0.0")), ["version:1.0.0", "serde"]);
  for (
    const path of [
      "api/v1/me",
      "api/v1/crates/serde/owners",
      "api/v1/crates/serde/1.0.0/yank",
      "api/v1/crates/serde/1.0.0/dependencies",
      "api/v2/crates/serde",
      "api/v1",
    ]
  ) assert.equal(match(path), null, path);
  for (const method of ["PUT", "DELETE", "POST"]) {
    assert.equal(match("api/v1/crates/new", { method }), null);
    assert.equal(match("se/rd/serde", { method }), null);
  }
});

Deno.test("a search goes to the API's own address with the known keys alone", async () => {
  const target = match("api/v1/crates", { search: "?q=a%26b&per_page=5&page=x&token=secret" });
  assert.ok(target?.kind === "pass");
  const { context } = upstream();
  assert.equal(
    await cargo.resolvePass?.(target, context),
    "https://api.example/api/v1/crates?q=a%26b&per_page=5",
  );
  assert.equal(match("api/v1/crates", { search: "?per_page=5" }), null);
  const mute = upstream({ "config.json": { dl: "https://files.example/c" } });
  assert.equal(await cargo.resolvePass?.(target, mute.context), null);
});

Deno.test("config.json sends downloads and API through the proxy", () => {
  const target = match("config.json");
  assert.ok(target?.kind === "page");
  const upstreams = document({ dl: "https://files.example/crates", api: "https://api.example" });
  const render = (policy: Parameters<typeof mountView>[0]) =>
    JSON.parse(text(target.render(target.reading.read(upstreams), mountView(policy))));
  const plain = {
    dl: "https://proxy.example/o-acme/cargo/crates",
    api: "https://proxy.example/o-acme/cargo",
  };
  assert.deepEqual(render({}), plain);
  assert.equal(render({ downloads: "direct" }).dl, "https://files.example/crates");
});

Deno.test("config.json asks for a token where nothing else can say who it is", () => {
  const target = match("config.json");
  assert.ok(target?.kind === "page");
  const upstreams = target.reading.read(document({ dl: "https://files.example/crates" }));
  const asks = (auth: Policy["auth"], prefix: string) => {
    const mount = `https://proxy.example${prefix}/cargo/`;
    const rendered = target.render(upstreams, { ...mountView({ auth }), mount });
    return JSON.parse(text(rendered))["auth-required"];
  };
  const named = ["/o-acme/u-bob", "/o-acme/u-bob/before/2026-01-01", "/sub/o-acme/u-bob"];
  for (const prefix of ["", "/o-acme", "/o-acme/before/2026-01-01"]) {
    assert.equal(asks("open", prefix), undefined);
    assert.equal(asks("identify", prefix), true, prefix);
    assert.equal(asks("token", prefix), true);
  }
  for (const prefix of named) {
    assert.equal(asks("identify", prefix), undefined, prefix);
    assert.equal(asks("token", prefix), true);
  }
});

Deno.test("direct downloads stay with the proxy where crates come from several registries", () => {
  const target = match("config.json");
  assert.ok(target?.kind === "page");
  const registry = {
    ecosystem: "cargo",
    matches: () => true,
    url: "https://r.example/",
    fileOrigins: [],
    tokenEnv: null,
  };
  const policy = { downloads: "direct", registries: [registry] } as const;
  const upstreams = target.reading.read(document({ dl: "https://files.example/c" }));
  const config = target.render(upstreams, mountView(policy));
  assert.equal(JSON.parse(text(config)).dl, "https://proxy.example/o-acme/cargo/crates");
});

Deno.test("match is total, and whatever it finds has a sound name", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "crates",
      "api",
      "v1",
      "download",
      "1",
      "2",
      "3",
      "se",
      "rd",
      "serde",
      "..",
      "1.0.0",
    ),
    fc.string({ unit: "grapheme" }),
    fc.string().map((each) => encodeURIComponent(each.replace(/[\ud800-\udfff]/g, ""))),
  );
  const mount = fc.constantFrom("cargo", "cargo-rs", "cargofiles");
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), mount, fc.string(), (words, on, search) => {
      const target = cargo.match(request(words.join("/"), { mount: on, search: `?${search}` }));
      if (target?.kind === "index") assert.ok(isName(target.name));
      if (target?.kind === "file") {
        assert.match(target.path, /^crates\/[\w-]+\/[\w.%-]+\/download$/);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("every name is found at the index path that is built for it", () => {
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/);
  fc.assert(fc.property(name, (name) => {
    assert.deepEqual(brief(match(`${indexPath(name)}`)), ["index", name.toLowerCase()]);
  }));
});

Deno.test("a version is what Rust's semver reads", () => {
  for (
    const good of ["0.0.0", "1.2.3-rc.1", "1.2.3+build.5", "1.2.3-a+b", "99999999999999999999.0.0"]
  ) {
    assert.ok(isVersion(good), good);
  }
  for (
    const bad of ["1.0", "v1.0.0", "01.0.0", "1.0.0 ", "1.0.0/..", "", `1.0.0-${"a".repeat(300)}`]
  ) {
    assert.ok(!isVersion(bad), bad);
  }
});
