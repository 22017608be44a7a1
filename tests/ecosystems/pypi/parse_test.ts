import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";
import { documentOf, file, indexOf, JSON_TYPE, page, renderJson, SOURCE } from "./world.ts";

const WHEEL = "demo-1.0-py3-none-any.whl";

const REFUSED: [what: string, body: unknown, type?: string][] = [
  ["text that is no JSON", "{"],
  ["an array", []],
  ["null", "null"],
  ["no meta", { name: "demo", files: [] }],
  ["no api-version", { meta: {}, name: "demo", files: [] }],
  ["another major version", page([], { meta: { "api-version": "2.0" } })],
  ["a version that is none", page([], { meta: { "api-version": 1.1 } })],
  ["no files", { meta: { "api-version": "1.0" }, name: "demo" }],
  ["files that are none", page([null])],
  ["another project's name", page([], { name: "other" })],
  ["a name that is none", page([], { name: 1 })],
  ["a file without a name", page([{ url: "https://x.example/demo-1.0.zip" }])],
  ["a file name with a slash", page([file("../demo-1.0.zip")])],
  ["a file name with a control character", page([file("demo\n-1.0.zip")])],
  [
    "a file name of a page's length",
    page([file(`demo-1.0${"-cygwin-".repeat(40_000)}\u2028.zip`)]),
  ],
  ["a link of a page's length", `<a href="demo-${"1.".repeat(300)}0.zip">`, "text/html"],
  ["an address of a page's length", page([file(WHEEL, { url: `/${"a/".repeat(2_000_000)}` })])],
  ["a file name that is a folder", page([file("..")])],
  ["half a character in a file name", page([file(WHEEL, { filename: "demo-1.0-\ud800.zip" })])],
  ["a file without an address", page([file(WHEEL, { url: undefined })])],
  ["a file with an empty address", page([file(WHEEL, { url: "" })])],
  ["a file elsewhere than on the web", page([file(WHEEL, { url: "file:///etc/passwd" })])],
  ["a file at no address", page([file(WHEEL, { url: "https://[" })])],
  ["a yank that is none", page([file(WHEEL, { yanked: 1 })])],
  ["a provenance that is none", page([file(WHEEL, { provenance: {} })])],
  ["hashes that are none", page([file(WHEEL, { hashes: "sha256" })])],
  ["a digest that is none", page([file(WHEEL, { hashes: { sha256: "short" } })])],
  ["a digest of a companion that is none", page([file(WHEEL, { "core-metadata": { md5: 1 } })])],
  ["the wrong type", page([]), "application/json"],
  ["no type", page([]), "application/octet-stream"],
  ["HTML of another version", '<meta name="pypi:repository-version" content="2.0">', "text/html"],
];

for (const [what, body, type = JSON_TYPE] of REFUSED) {
  Deno.test(`an index with ${what} is refused whole`, async () => {
    await assert.rejects(indexOf(body, { type }), InvalidMetadata);
  });
}

Deno.test("a page may say one thing any number of times", async () => {
  const index = await indexOf('<meta name="pypi:tracks" content="x">'.repeat(200_000), {
    type: "text/html",
  });
  assert.equal(renderJson(index).meta.tracks.length, 200_000);
});

Deno.test("an index that is not UTF-8 is refused whole", () => {
  const document = { ...documentOf(""), bytes: Uint8Array.of(0x7b, 0xff, 0x7d) };
  const context = { source: SOURCE, document: () => Promise.resolve(null) };
  assert.throws(() => pypi.parse(document, "demo", context), InvalidMetadata);
});

Deno.test("any document is an index or InvalidMetadata", async () => {
  const value = fc.oneof(fc.string(), fc.jsonValue());
  const fields = fc.record({
    filename: fc.oneof(value, fc.constant(WHEEL)),
    url: fc.oneof(value, fc.webUrl({ withQueryParameters: true, withFragments: true })),
    hashes: value,
    yanked: fc.oneof(value, fc.boolean()),
    "core-metadata": value,
    "upload-time": value,
  }, { requiredKeys: ["filename", "url"] });
  const body = fc.oneof(fc.string(), fc.jsonValue(), fc.array(fields).map((files) => page(files)));
  const type = fc.constantFrom(JSON_TYPE, "text/html", "application/vnd.pypi.simple.v1+html");
  await fc.assert(fc.asyncProperty(body, type, async (body, type) => {
    try {
      await indexOf(body, { type });
    } catch (error) {
      assert.ok(error instanceof InvalidMetadata, String(error));
    }
  }));
});

Deno.test("upstream is asked for JSON first, HTML if it has nothing else", async () => {
  assert.deepEqual(pypi.indexAddress("Demo.Pkg"), {
    url: "demo-pkg/",
    accept: `${JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1`,
  });
  assert.equal(
    new URL(pypi.indexAddress("demo").url, await pypi.defaultUpstream()).href,
    `${SOURCE.url}demo/`,
  );
  assert.deepEqual(pypi.defaultFileOrigins, ["https://files.pythonhosted.org"]);
  assert.deepEqual(pypi.mounts, ["pypi", "files"]);
});
