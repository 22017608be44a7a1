import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";
import type { Release } from "../../../policy/types.ts";
import {
  ALLOW,
  DENY,
  file,
  indexOf,
  MOUNT,
  page,
  REASON,
  render,
  renderJson,
  renderText,
  SHA,
  SOURCE,
  WARN,
} from "./world.ts";

const WHEEL = "demo-1.0-py3-none-any.whl";
const SDIST = "demo-1.0.tar.gz";
const HELD = (release: Release) => release.installScripts ? ALLOW : DENY;

Deno.test("a withheld file stays in the index as yanked, with the reason", async () => {
  const index = await indexOf(
    page([file(WHEEL, { "core-metadata": { sha256: SHA } }), file(SDIST)]),
  );
  const { files } = renderJson(index, HELD);
  assert.deepEqual(files, [
    {
      ...file(WHEEL, { "core-metadata": { sha256: SHA } }),
      url: `${MOUNT}packages/aa/bb/${WHEEL}`,
      yanked: REASON,
    },
    { ...file(SDIST), url: `${MOUNT}packages/aa/bb/${SDIST}` },
  ]);
});

Deno.test("what is allowed or warned of changes in nothing but its addresses", async () => {
  const provenance = `https://pypi.org/integrity/demo/1.0/${WHEEL}/provenance`;
  const body = page([
    file(WHEEL, { provenance, yanked: "own reason", "gpg-sig": true, future: { a: [1, null] } }),
    { yanked: true, url: file(SDIST).url, filename: SDIST },
    { filename: "demo-0.9.zip", url: "https://files.pythonhosted.org/packages/aa/bb/demo-0.9.zip" },
  ], { "project-status": { status: "archived" }, versions: ["0.9", "1.0"], future: 1 });
  const index = await indexOf(body);
  const expected = JSON.stringify(body)
    .replaceAll("https://files.pythonhosted.org/", MOUNT)
    .replaceAll("https://pypi.org/", MOUNT);
  assert.equal(renderText(index, () => ALLOW), expected);
  assert.equal(renderText(index, () => WARN), expected);
});

Deno.test("a withheld file is marked whether or not upstream says anything of yanks", async () => {
  const url = file(WHEEL).url;
  for (
    const fields of [{ filename: WHEEL, url }, { yanked: true, filename: WHEEL, url }, {
      url,
      yanked: "own",
      filename: WHEEL,
    }]
  ) {
    const [rendered] = renderJson(await indexOf(page([fields])), () => DENY).files;
    assert.deepEqual(rendered, {
      ...fields,
      url: `${MOUNT}packages/aa/bb/${WHEEL}`,
      yanked: REASON,
    });
  }
});

Deno.test("a file that was not judged is withheld", async () => {
  const index = await indexOf(page([file(WHEEL)]));
  const judgement = { verdicts: [], denied: 0, changesAt: null, signature: "" };
  const view = { mount: MOUNT, direct: false, why: String, judgement };
  // deno-lint-ignore no-explicit-any -- the policy is not looked at
  const rendered = index.render("json", { ...view, policy: undefined as any });
  assert.ok(rendered !== null && "body" in rendered);
  assert.match(JSON.parse(String(rendered.body)).files[0].yanked, /^metadata_invalid: /);
});

Deno.test("direct downloads keep upstream's addresses, made absolute", async () => {
  const provenance = `https://pypi.org/integrity/demo/1.0/${WHEEL}/provenance`;
  const index = await indexOf(
    page([file(WHEEL, { provenance }), file(SDIST, { url: `../${SDIST}` })]),
  );
  const { files } = renderJson(index, () => ALLOW, { direct: true });
  assert.equal(files[0].url, file(WHEEL).url);
  assert.equal(files[0].provenance, provenance);
  assert.equal(files[1].url, `https://pypi.org/simple/${SDIST}`);
  assert.equal(renderJson(index, () => DENY, { direct: true }).files[0].yanked, REASON);
});

Deno.test("provenance elsewhere than at the upstream keeps its address", async () => {
  const provenance = `https://other.example/integrity/demo/1.0/${WHEEL}/provenance`;
  const { files } = renderJson(await indexOf(page([file(WHEEL, { provenance })])));
  assert.equal(files[0].provenance, provenance);
});

Deno.test("HTML has the same files with their digests, Python versions, yanks and companions", async () => {
  const provenance = `https://pypi.org/integrity/demo/1.0/${WHEEL}/provenance`;
  const index = await indexOf(page([
    file(WHEEL, { "requires-python": ">=3.8", "core-metadata": { sha256: SHA }, provenance }),
    file(SDIST, { yanked: 'a "b" & <c>', "gpg-sig": false, "data-dist-info-metadata": true }),
    file("demo-0.9.zip", { yanked: true, hashes: {} }),
  ], { "project-status": { status: "archived", reason: "done" } }));
  const rendered = render(index, () => ALLOW, { form: "html" });
  assert.equal(rendered.type, "text/html; charset=utf-8");
  assert.equal(
    rendered.body,
    `<!DOCTYPE html>
<html>
  <head>
    <meta name="pypi:repository-version" content="1.4">
    <meta name="pypi:project-status" content="archived">
    <meta name="pypi:project-status-reason" content="done">
    <title>Links for demo</title>
  </head>
  <body>
    <h1>Links for demo</h1>
    <a href="${MOUNT}packages/aa/bb/${WHEEL}#sha256=${SHA}" data-requires-python="&gt;=3.8" data-dist-info-metadata="sha256=${SHA}" data-core-metadata="sha256=${SHA}" data-provenance="${MOUNT}integrity/demo/1.0/${WHEEL}/provenance">${WHEEL}</a><br />
    <a href="${MOUNT}packages/aa/bb/${SDIST}#sha256=${SHA}" data-dist-info-metadata="true" data-core-metadata="true" data-gpg-sig="false" data-yanked="a &quot;b&quot; &amp; &lt;c&gt;">${SDIST}</a><br />
    <a href="${MOUNT}packages/aa/bb/demo-0.9.zip" data-yanked="">demo-0.9.zip</a><br />
  </body>
</html>
`,
  );
  const held = renderText(index, () => DENY, { form: "v1+html" });
  assert.equal(
    held.match(/data-yanked="min_age: published 2026-11-20, held until &quot;/g)?.length,
    3,
  );
  assert.match(
    render(index, () => DENY, { form: "v1+html" }).type,
    /^application\/vnd.pypi.simple.v1\+html;/,
  );
});

Deno.test("an HTML-only index is given as JSON too", async () => {
  const html = `<meta name="pypi:repository-version" content="1.3">
    <meta name="pypi:project-status" content="deprecated"><base href="/files/">
    <a href="${WHEEL}#sha256=${SHA.toUpperCase()}" data-requires-python="&gt;=3" data-yanked
      data-core-metadata="sha256=${SHA}" data-gpg-sig="true" data-custom="x&amp;y" rel="internal">x</a>
    <a href="/packages/aa/${SDIST}#md5=${
    "0".repeat(32)
  }" data-yanked="bad" data-provenance="https://a.example/p">y</a>
    <a href="?C=N;O=D">Name</a> <a href="mailto:a@b.example">z</a> <a name="here">w</a>`;
  const index = await indexOf(html, { type: "text/html" });
  assert.deepEqual(renderJson(index), {
    meta: { "api-version": "1.0" },
    name: "demo",
    "project-status": { status: "deprecated" },
    files: [
      {
        filename: WHEEL,
        url: `${MOUNT}packages/+/demo/${WHEEL}`,
        hashes: { sha256: SHA },
        "requires-python": ">=3",
        "core-metadata": { sha256: SHA },
        "data-dist-info-metadata": { sha256: SHA },
        "gpg-sig": true,
        yanked: true,
      },
      {
        filename: SDIST,
        url: `${MOUNT}packages/aa/${SDIST}`,
        hashes: { md5: "0".repeat(32) },
        yanked: "bad",
        provenance: "https://a.example/p",
      },
    ],
  });
  assert.deepEqual(index.releases.map(({ trust }) => trust), ["none", "trusted_publisher"]);
  assert.deepEqual(index.releases.map(({ publishedAt }) => publishedAt), [null, null]);
  assert.equal(index.releases[0].files[0].url, `https://pypi.org/files/${WHEEL}`);
  const again = renderText(index, () => ALLOW, { form: "html" });
  assert.match(again, / data-custom="x&amp;y" rel="internal">/);
  assert.equal(again.match(/<a /g)?.length, 2);
});

Deno.test("tracks and alternate locations are kept between the forms", async () => {
  const html = `<meta name="pypi:tracks" content="https://a.example/">
    <meta name="pypi:tracks" content="https://b.example/">
    <meta name="pypi:alternate-locations" content="https://c.example/">`;
  const index = await indexOf(html, { type: "text/html" });
  assert.deepEqual(renderJson(index), {
    meta: { "api-version": "1.0", tracks: ["https://a.example/", "https://b.example/"] },
    name: "demo",
    "alternate-locations": ["https://c.example/"],
    files: [],
  });
  const again = renderText(index, () => ALLOW, { form: "html" });
  assert.equal(again.match(/pypi:(tracks|alternate-locations)"/g)?.length, 3);
});

Deno.test("there is no form but these", async () => {
  const index = await indexOf(page([]));
  const judgement = { verdicts: [], denied: 0, changesAt: null, signature: "" };
  // deno-lint-ignore no-explicit-any -- the policy is not looked at
  const view = { mount: MOUNT, direct: false, why: String, judgement, policy: undefined as any };
  for (const form of ["", "xml", "legacyx"]) assert.equal(index.render(form, view), null);
});

Deno.test("a file is located by the path it is given out under, however it is encoded", async () => {
  const local = "demo-1.0+cu118-py3-none-any.whl";
  const index = await indexOf(
    page([file(WHEEL), file(local), file(SDIST, { url: "demo-1.0.tar.gz" })]),
  );
  const { files } = renderJson(index);
  assert.equal(files[1].url, `${MOUNT}packages/aa/bb/demo-1.0%2Bcu118-py3-none-any.whl`);
  files.forEach(({ url }: { url: string }, position: number) => {
    const located = index.locate(url.slice(MOUNT.length));
    assert.deepEqual(located, {
      release: position,
      file: index.releases[position].files[0],
      companion: false,
    });
  });
  assert.equal(index.locate(`packages/aa/bb/${local}`)?.release, 1);
  assert.equal(index.releases[2].files[0].url, `${SOURCE.url}demo/demo-1.0.tar.gz`);
  for (const path of ["", "packages/aa/bb/other.whl", `packages/xx/${WHEEL}`, WHEEL, "%"]) {
    assert.equal(index.locate(path), null);
  }
});

Deno.test(".metadata is judged by its file and checked against its own digest", async () => {
  const index = await indexOf(page([
    file(WHEEL, { "core-metadata": { sha256: SHA } }),
    file("demo-1.1-py3-none-any.whl", { "data-dist-info-metadata": true }),
    file(SDIST, { "core-metadata": false, "data-dist-info-metadata": { sha256: SHA } }),
    file("demo-1.2-py3-none-any.whl"),
  ]));
  const path = `packages/aa/bb/${WHEEL}.metadata`;
  assert.deepEqual(index.locate(path), {
    release: 0,
    file: {
      filename: `${WHEEL}.metadata`,
      url: `https://files.pythonhosted.org/${path}`,
      digest: { algorithm: "sha256", hex: SHA },
      size: null,
    },
    companion: true,
  });
  const bare = index.locate("packages/aa/bb/demo-1.1-py3-none-any.whl.metadata");
  assert.deepEqual([bare?.release, bare?.file.digest], [1, null]);
  assert.equal(index.locate(`packages/aa/bb/${SDIST}.metadata`), null);
  assert.equal(index.locate("packages/aa/bb/demo-1.2-py3-none-any.whl.metadata"), null);
  assert.equal(index.locate("packages/aa/bb/none.whl.metadata"), null);
});

Deno.test("addresses that cannot keep their path are given one below packages/+/", async () => {
  const urls = [
    `https://x.example/root/+f/abc/${WHEEL}`,
    `https://x.example/packages/${WHEEL}?token=1`,
    "https://x.example/packages/other-9.9-py3-none-any.whl",
    `https://x.example/packages/+/demo/${WHEEL}`,
    `https://x.example/packages/%2b/demo/${WHEEL}`,
    `https://x.example/packages//${WHEEL}`,
    `https://x.example/packages/a%2Fb/${WHEEL}`,
    `https://x.example/packages/a%5Cb/${WHEEL}`,
    `https://x.example/packages/a%00b/${WHEEL}`,
    `https://x.example/packages/a%/${WHEEL}`,
    `https://x.example/packages/%ff/${WHEEL}`,
  ];
  for (const url of urls) {
    const index = await indexOf(page([file(WHEEL, { url: `${url}#sha256=${SHA}` })]));
    const path = `packages/+/demo/${WHEEL}`;
    assert.equal(renderJson(index).files[0].url, MOUNT + path, url);
    assert.equal(index.locate(path)?.file.url, url);
  }
});

Deno.test("a file named for another project is given a path that leads to this one", async () => {
  const index = await indexOf(page([file("other-1.0-py3-none-any.whl")]));
  assert.equal(
    renderJson(index).files[0].url,
    `${MOUNT}packages/+/demo/other-1.0-py3-none-any.whl`,
  );
});

Deno.test("a file that may rather be another project's is listed where only this one is asked", async () => {
  const filename = "demo-1-2.tar.gz";
  const index = await indexOf(page([file(filename)], { name: "demo-1" }), { name: "demo-1" });
  const path = `packages/+/demo-1/${filename}`;
  assert.equal(renderJson(index).files[0].url, MOUNT + path);
  assert.equal(index.locate(path)?.release, 0);
  assert.equal(index.locate(`packages/aa/bb/${filename}`)?.release, 0, "as in lockfiles");
});

Deno.test("whatever an index lists is served, by that index before any other", async () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom("%", "%2F", "%5c", "..", "+", "%2B", "a", "?"),
  );
  const filename = fc.oneof(
    fc.constantFrom(WHEEL, SDIST, "demo-1-2.tar.gz", "1.zip"),
    fc.string({ unit: "binary" }).map((text) => `demo-${text}.zip`),
    fc.string({ unit: "binary" }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part), filename, async (parts, filename) => {
      const last = encodeURIComponent(filename.toWellFormed());
      const url = ["https://x.example/packages", ...parts, last].join("/");
      let index;
      try {
        index = await indexOf(page([file(filename, { url })]));
      } catch (error) {
        return assert.ok(error instanceof InvalidMetadata, String(error));
      }
      const { pathname } = new URL(renderJson(index).files[0].url);
      const path = pathname.slice(new URL(MOUNT).pathname.length);
      const headers = new Headers();
      const target = pypi.match({ method: "GET", mount: "pypi", path, search: "", headers });
      assert.ok(target?.kind === "file", path);
      assert.equal(target.names[0], "demo", path);
      assert.equal(index.locate(target.path)?.release, 0, path);
    }),
    { numRuns: 500 },
  );
});

Deno.test("an address with characters of JSON and HTML stays within its quotes", async () => {
  const url = `https://x.example/packages/a'b&c/${SDIST}`;
  const mount = 'http://h/"&<\\/';
  const index = await indexOf(page([file(SDIST, { url })]));
  assert.equal(
    renderJson(index, () => ALLOW, { mount }).files[0].url,
    `${mount}packages/a'b&c/${SDIST}`,
  );
  const html = renderText(index, () => ALLOW, { form: "html", mount });
  assert.match(html, /<a href="http:\/\/h\/&quot;&amp;&lt;\\\/packages\/a&#x27;b&amp;c\/demo/);
});

Deno.test("another index than PyPI's keeps its own addresses below it", async () => {
  const source = { ...SOURCE, url: "http://127.0.0.1:3141/root/pypi/+simple/" };
  const url = "../../+f/aaa/demo-1.0.tar.gz#sha256=" + SHA;
  const html = `<a href="${url}">demo-1.0.tar.gz</a>`;
  const index = await indexOf(html, { type: "text/html", source });
  assert.equal(
    index.releases[0].files[0].url,
    "http://127.0.0.1:3141/root/pypi/+f/aaa/demo-1.0.tar.gz",
  );
});

Deno.test("the memory an index holds grows with its files", async () => {
  const few = await indexOf(page([file(WHEEL)]));
  const many = await indexOf(page(Array.from({ length: 100 }, (_, n) => file(`demo-${n}.tar.gz`))));
  assert.ok(many.weight > 20 * (few.weight - 2000) && few.weight > 2000);
});
