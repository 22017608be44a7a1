import assert from "node:assert/strict";
import fc from "fast-check";
import { cargo } from "../../../ecosystems/cargo/mod.ts";
import { InvalidMetadata, UpstreamError } from "../../../ecosystems/errors.ts";
import { CHECKSUM, document, line, parse, text, upstream, view } from "./fixture.ts";

const API = "https://api.example/api/v1/crates/alpha";

function api(versions: unknown[], name = "alpha") {
  return { [API]: { crate: { name }, versions } };
}

Deno.test("a line becomes a release with its address, digest, date and yank", async () => {
  const index = await parse(
    `${line("1.0.0+x", { yanked: true })}\n${
      line("1.1.0", { yanked: null, cksum: "AB".repeat(32) })
    }\n`,
  );
  assert.equal(index.name, "alpha");
  assert.deepEqual(index.releases.map((each) => [each.version, each.yanked]), [
    ["1.0.0+x", ""],
    ["1.1.0", false],
  ]);
  assert.deepEqual(index.releases[1], {
    ecosystem: "cargo",
    name: "alpha",
    version: "1.1.0",
    publishedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    yanked: false,
    trust: null,
    installScripts: null,
    dependencies: [],
    files: [{
      filename: "alpha-1.1.0.crate",
      url: "https://files.example/crates/alpha/1.1.0/download",
      digest: { algorithm: "sha256", hex: CHECKSUM },
      size: null,
    }],
  });
  assert.ok(index.weight > 300);
});

Deno.test("dl templates are filled as cargo fills them", async () => {
  const name = "MyCrate";
  for (
    const [dl, expected] of [
      ["https://f.example/dl", "https://f.example/dl/MyCrate/1.0.0+x/download"],
      ["https://f.example/{crate}-{version}.crate", "https://f.example/MyCrate-1.0.0+x.crate"],
      ["https://f.example/{prefix}/{crate}", "https://f.example/My/Cr/MyCrate"],
      ["https://f.example/{lowerprefix}/{version}", "https://f.example/my/cr/1.0.0+x"],
      ["https://f.example/{sha256-checksum}", `https://f.example/${CHECKSUM}`],
    ]
  ) {
    const documents = { "config.json": { dl } };
    const index = await parse(line("1.0.0+x", { name }), { name: "mycrate", documents });
    assert.equal(index.releases[0].files[0].url, expected);
  }
});

Deno.test("a config.json that is missing or names no usable address is refused", async () => {
  const { context } = upstream({ "config.json": undefined });
  await assert.rejects(
    async () => await cargo.parse(document(""), "alpha", context),
    InvalidMetadata,
  );
  for (
    const config of [
      "no JSON",
      [],
      {},
      { dl: 1 },
      { dl: `https://f.example/${"{crate}".repeat(1_000)}` },
      { dl: "ftp://f.example/" },
      { dl: "/crates" },
      { dl: "https://{crate}.example/" },
      { dl: "https://u:p@f.example/" },
      { dl: "https://f.example/", api: "nonsense" },
    ]
  ) {
    const documents = { "config.json": config };
    await assert.rejects(
      parse(line("1.0.0"), { documents }),
      InvalidMetadata,
      JSON.stringify(config),
    );
  }
});

Deno.test("the origins of dl and api are those that upstream's config.json names", async () => {
  assert.deepEqual(await cargo.origins?.(upstream().context), [
    "https://files.example",
    "https://api.example",
  ]);
  const one = upstream({ "config.json": { dl: "https://f.example/a", api: "https://f.example" } });
  assert.deepEqual(await cargo.origins?.(one.context), ["https://f.example"]);
});

Deno.test("lines that cannot be read, or contradict each other, make the whole index invalid", async () => {
  const good = line("1.0.0");
  const bad = {
    "no JSON": `${good}\n{"name":`,
    "no object": `${good}\n[]`,
    "no name": line("1.0.0", { name: undefined }),
    "no vers": line("1.0.0", { vers: undefined }),
    "no cksum": line("1.0.0", { cksum: undefined }),
    "a cksum that is none": line("1.0.0", { cksum: "12" }),
    "a version that is none": line("1.0"),
    "a version with a path": line("1.0.0+x/../y"),
    "another crate": line("1.0.0", { name: "beta" }),
    "a version twice": `${line("1.0.0+x")}\n${line("1.0.0+x")}`,
    "a yanked that is none": line("1.0.0", { yanked: "no" }),
    "a byte order mark": `\ufeff${good}`,
    "an HTML page": "<!doctype html><title>Log in</title>",
  };
  for (const [what, content] of Object.entries(bad)) {
    await assert.rejects(parse(content), InvalidMetadata, what);
  }
  const broken = { ...document(good), bytes: new Uint8Array([0x22, 0xff, 0x22]) };
  await assert.rejects(
    async () => await cargo.parse(broken, "alpha", upstream().context),
    InvalidMetadata,
  );
});

Deno.test("versions that differ in build metadata are two", async () => {
  const index = await parse(`${line("1.0.0")}\n${line("1.0.0+x")}`);
  assert.equal(index.locate("crates/alpha/1.0.0%2Bx/download")?.release, 1);
  assert.equal(index.locate("crates/alpha/1.0.0/download")?.release, 0);
});

Deno.test("any line is read as a release or refused, without another error", async () => {
  const value = fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.integer(),
    fc.constant({}),
  );
  const keys = ["name", "vers", "cksum", "yanked", "pubtime", "v"];
  const entry = fc.tuple(fc.constantFrom(...keys), value);
  await fc.assert(fc.asyncProperty(entry, fc.string(), async ([key, given], tail) => {
    try {
      const index = await parse(`${line("1.0.0", { [key]: given })}\n${tail}`);
      assert.equal(index.releases.length, 1);
    } catch (error) {
      assert.ok(error instanceof InvalidMetadata, String(error));
    }
  }));
});

Deno.test("lines without pubtime ask the API once, for dates and evidence of all", async () => {
  const { context, asked } = upstream(api([
    { num: "1.0.0", created_at: "2018-04-21T20:56:11.490853+00:00", trustpub_data: null },
    { num: "1.1.0", created_at: "2019-01-01T00:00:00Z", trustpub_data: { provider: "github" } },
    { num: "1.2.0", created_at: "2019-01-01T00:00:00Z" },
  ]));
  const lines = [
    line("1.0.0", { pubtime: undefined }),
    line("1.1.0", { pubtime: null }),
    line("1.2.0"),
    line("1.3.0", { pubtime: "yesterday" }),
  ];
  const index = await cargo.parse(document(lines.join("\n")), "alpha", context);
  assert.deepEqual(asked, ["config.json", API]);
  assert.deepEqual(index.releases.map((each) => [each.publishedAt, each.trust]), [
    [Date.UTC(2018, 3, 21, 20, 56, 11, 490), "none"],
    [Date.UTC(2019, 0, 1), "trusted_publisher"],
    [Date.UTC(2026, 0, 2, 3, 4, 5), null],
    [null, null],
  ]);
  assert.equal(index.provisional, true);
});

Deno.test("the API is left alone where every line has its pubtime", async () => {
  const { context, asked } = upstream(api([]));
  const index = await cargo.parse(document(line("1.0.0")), "alpha", context);
  assert.deepEqual(asked, ["config.json"]);
  assert.equal(index.releases[0].trust, null);
  assert.equal(index.provisional, false);
});

Deno.test("a pubtime in any other form is not known", async () => {
  for (const pubtime of ["2026-02-31T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00.5Z", 5]) {
    const index = await parse(line("1.0.0", { pubtime }));
    assert.equal(index.releases[0].publishedAt, null, String(pubtime));
  }
});

Deno.test("an API that fails leaves dates unknown and asks to be tried again", async () => {
  const content = line("1.0.0", { pubtime: undefined });
  const fails = {
    down: { [API]: new UpstreamError("unreachable", "no connection") },
    garbled: { [API]: "<html>" },
    "of another crate": api([{ num: "1.0.0", created_at: "2019-01-01T00:00:00Z" }], "beta"),
    "without versions": { [API]: { crate: { name: "alpha" }, versions: [null] } },
  };
  for (const [what, documents] of Object.entries(fails)) {
    const index = await parse(content, { documents });
    assert.deepEqual([index.releases[0].publishedAt, index.provisional], [null, true], what);
  }
  for (const documents of [{}, { "config.json": { dl: "https://f.example/" } }]) {
    const index = await parse(content, { documents });
    assert.deepEqual([index.releases[0].publishedAt, index.provisional], [null, false]);
  }
});

Deno.test("a fault of our own is not taken for an API that fails", async () => {
  const documents = { [API]: new TypeError("a bug") };
  await assert.rejects(parse(line("1.0.0", { pubtime: undefined }), { documents }), TypeError);
});

Deno.test("a withheld line is yanked, all other bytes stay", async () => {
  const nested = { deps: [{ name: "yanked", yanked: false }], features: { yanked: [] } };
  const lines = [
    line("1.0.0", nested),
    '{ "name" : "alpha", "vers":"1.1.0", "yanked" : null ,"cksum":"' + CHECKSUM +
    '", "z":"é\\"}" }',
    line("1.2.0", { yanked: undefined, note: '"yanked":false' }),
    line("1.3.0", { yanked: true }),
    "",
    line("1.4.0").replace('"yanked"', '"yan\\u006bed"') + "\r",
    line("0.9.0"),
  ];
  const index = await parse(lines.join("\n"));
  const rendered = text(index.render("index", view(index, (version) => version !== "0.9.0")));
  const expected = [
    lines[0].replace('"yanked":false,"pubtime"', '"yanked":true,"pubtime"'),
    lines[1].replace("null", "true"),
    lines[2].replace(/\}$/, ',"yanked":true}'),
    lines[3],
    "",
    lines[5].replace(":false", ":true"),
    lines[6],
  ];
  assert.deepEqual(rendered.split("\n"), expected);
});

Deno.test("an index of which nothing is withheld is upstream's own bytes", async () => {
  const original = document(`${line("1.0.0")}\n\n${line("1.1.0")}`);
  const index = await cargo.parse(original, "alpha", upstream().context);
  const rendered = index.render("index", view(index, () => false));
  assert.ok(rendered && "body" in rendered);
  assert.equal(rendered.body, original.bytes);
  assert.equal(rendered.type, "text/plain; charset=utf-8");
});

Deno.test("a line with yanked twice is refused rather than edited", async () => {
  const twice = line("1.0.0").replace("{", '{"yanked":true,');
  const index = await parse(twice);
  assert.throws(() => index.render("index", view(index, () => true)), InvalidMetadata);
});

Deno.test("a release that nobody judged is withheld", async () => {
  const index = await parse(line("1.0.0"));
  const unjudged = { ...view(index, () => false) };
  const judgement = { ...unjudged.judgement, verdicts: [] };
  const rendered = text(index.render("index", { ...unjudged, judgement }));
  assert.equal(JSON.parse(rendered).yanked, true);
});

Deno.test("a crate without versions has an empty index", async () => {
  const index = await parse("");
  assert.deepEqual([index.name, index.releases.length], ["alpha", 0]);
  assert.equal(text(index.render("index", view(index, () => true))), "");
  assert.equal(index.locate("crates/alpha/1.0.0/download"), null);
});

Deno.test("a file is located by its crate and version", async () => {
  const index = await parse(
    `${line("1.0.0", { name: "my_crate" })}\n${line("1.1.0-rc.1+b", { name: "my_crate" })}`,
    {
      name: "my-crate",
    },
  );
  for (
    const path of [
      "crates/my_crate/1.1.0-rc.1%2Bb/download",
      "my-crate/1.1.0-rc.1+b/download",
      "crates/my_crate/my_crate-1.1.0-rc.1+b.crate",
    ]
  ) {
    const found = index.locate(path);
    assert.equal(found?.release, 1, path);
    assert.equal(found?.file.filename, "my_crate-1.1.0-rc.1+b.crate");
    assert.equal(found?.companion, false);
  }
  for (const path of ["crates/other/1.0.0/download", "crates/my_crate/2.0.0/download", "", "%"]) {
    assert.equal(index.locate(path), null, path);
  }
});

Deno.test("any mix of withheld versions changes those lines alone", async () => {
  const field = fc.constantFrom<unknown>(true, false, null, undefined);
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(field, fc.boolean(), fc.string()), { minLength: 1, maxLength: 8 }),
    async (entries) => {
      const lines = entries.map(([yanked, , note], i) => line(`1.${i}.0`, { yanked, note }));
      const index = await parse(lines.join("\n"));
      const denied = view(index, (version) => entries[Number(version.split(".")[1])][1]);
      const rendered = text(index.render("index", denied)).split("\n");
      assert.equal(rendered.length, lines.length);
      rendered.forEach((each, i) => {
        if (!entries[i][1]) return assert.equal(each, lines[i]);
        assert.deepEqual(JSON.parse(each), { ...JSON.parse(lines[i]), yanked: true });
      });
    },
  ));
});

Deno.test("a release names the crates it is built with, by their own names", async () => {
  const deps = [
    { name: "serde", kind: "normal" },
    { name: "cc", kind: "build" },
    { name: "old-rand", package: "rand", kind: "normal" },
    { name: "serde", kind: "normal", target: "cfg(unix)" },
    { name: "quickcheck", kind: "dev" },
    { name: "inner", kind: "normal", registry: "https://private.example/index" },
  ];
  const of = async (given: unknown) =>
    (await parse(`${line("1.0.0", { deps: given })}\n`)).releases[0].dependencies;
  assert.deepEqual(await of(deps), ["serde", "cc", "rand"]);
  assert.equal(await of("none"), null);
  assert.equal(await of([{ req: "1" }]), null);
  assert.equal(await of([7]), null);
});
