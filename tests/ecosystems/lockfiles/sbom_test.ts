/** CycloneDX, SPDX and lists of PURLs. */
import assert from "node:assert/strict";
import { assertInvalid, lines, purls, read, skipped } from "./reading.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const json = (value: unknown) => JSON.stringify(value, null, 2);

Deno.test("CycloneDX is read, components in components too", async () => {
  const locked = await read(json({
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    metadata: {
      component: {
        type: "application",
        name: "app",
        purl: "pkg:npm/app@0.1.0",
        components: [{ type: "library", name: "part", purl: "pkg:npm/part@1.0.0" }],
      },
    },
    components: [
      {
        type: "library",
        group: "@a",
        name: "b",
        version: "1.0.0",
        purl: "pkg:npm/%40a/b@1.0.0?repository_url=registry.example",
        hashes: [{ alg: "SHA-512", content: "aaaa" }, { alg: "SHA3-256", content: "bbbb" }],
        components: [{ type: "library", name: "c", purl: "pkg:pypi/Tea_Pot@1.0" }],
      },
      { type: "library", name: "go", purl: "pkg:golang/github.com/a/b@v1.2.3?type=module#x/y" },
      { type: "library", name: "odd go", purl: "pkg:golang/github.com/a/%zz@v1" },
      {
        type: "library",
        name: "g",
        purl: `pkg:npm/g@1.0.0?vcs_url=git%2Bhttps://git.example/a/g%40${COMMIT}`,
      },
      { type: "library", name: "none", purl: "pkg:npm/none" },
      { type: "file", group: "x", name: "readme" },
    ],
  }));
  assert.equal(locked.format, "CycloneDX 1.6");
  assert.deepEqual(
    locked.entries.map(({ ecosystem, name, version }) => [ecosystem, name, version]),
    [
      ["npm", "part", "1.0.0"],
      ["npm", "@a/b", "1.0.0"],
      ["pypi", "tea-pot", "1.0"],
      ["golang", "github.com/a/b", "v1.2.3"],
    ],
  );
  assert.equal(locked.entries[1].integrity, "sha512:aaaa sha3-256:bbbb");
  assert.equal(lines(locked)["pkg:npm/%40a/b@1.0.0"], 19);
  assert.deepEqual(skipped(locked), [
    "pkg:golang/github.com/a/%zz@v1 has a PURL that cannot be read",
    `g is from a repository (git.example/a/g@${COMMIT})`,
    "none has no version",
    "x/readme has no PURL (file)",
  ]);
});

Deno.test("SPDX 2 is read, with or without what GitHub's API puts around it", async () => {
  const refs = (...locators: string[]) => ({
    externalRefs: [
      { referenceCategory: "SECURITY", referenceType: "cpe23Type", referenceLocator: "cpe:2.3:x" },
      ...locators.map((referenceLocator) => ({
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator,
      })),
    ],
  });
  const document = {
    spdxVersion: "SPDX-2.3",
    SPDXID: "SPDXRef-DOCUMENT",
    packages: [
      { SPDXID: "SPDXRef-root", name: "app", ...refs("pkg:github/a/app@main") },
      {
        SPDXID: "SPDXRef-1",
        name: "lodash",
        checksums: [{ algorithm: "SHA512", checksumValue: "aaaa" }],
        ...refs("pkg:npm/lodash@4.17.21"),
      },
      { SPDXID: "SPDXRef-2", name: "ranged", ...refs("pkg:npm/ranged") },
      { SPDXID: "SPDXRef-3", name: "bare" },
    ],
    relationships: [{
      spdxElementId: "SPDXRef-DOCUMENT",
      relationshipType: "DESCRIBES",
      relatedSpdxElement: "SPDXRef-root",
    }],
  };
  for (const text of [json(document), json({ sbom: document })]) {
    const locked = await read(text);
    assert.equal(locked.format, "SPDX 2.3");
    assert.deepEqual(purls(locked), ["pkg:npm/lodash@4.17.21"]);
    assert.equal(locked.entries[0].integrity, "sha512:aaaa");
    assert.deepEqual(skipped(locked), [
      "app is what the document is about",
      "ranged has no version",
      "bare has no PURL",
    ]);
  }
  const older = { ...document, spdxVersion: "SPDX-2.2", documentDescribes: ["SPDXRef-1"] };
  assert.deepEqual(purls(await read(json({ ...older, relationships: [] }))), [
    "pkg:github/a/app@main",
  ]);
  await assertInvalid(json({ ...document, spdxVersion: "SPDX-9" }), /"SPDX-9"; known are 2\.x/);
});

Deno.test("a registry's package is read although its PURL names where it is worked on", async () => {
  const repository = "git%2Bhttps://git.example/a/g";
  for (const url of [repository, `${repository}%23main`, `${repository}.git`, ""]) {
    const locked = await read(`pkg:npm/g@1.0.0?vcs_url=${url}`);
    assert.deepEqual(purls(locked), ["pkg:npm/g@1.0.0"]);
  }
  for (const url of [`${repository}%23${COMMIT}`, `${repository}%40${COMMIT}%23sub/folder`]) {
    const locked = await read(`pkg:npm/g@1.0.0?vcs_url=${url}`);
    assert.deepEqual(purls(locked), []);
    assert.match(skipped(locked)[0], /^g is from a repository/);
  }
});

Deno.test("SPDX passes over the one package that it is about, and reads them where it is about several", async () => {
  const packages = ["a", "b"].map((name) => ({
    SPDXID: name,
    name,
    externalRefs: [{
      referenceType: "http://spdx.org/rdf/references/purl",
      referenceLocator: `pkg:npm/${name}@1.0.0`,
    }],
  }));
  const about = async (...documentDescribes: string[]) =>
    purls(await read(json({ spdxVersion: "SPDX-2.3", documentDescribes, packages })));
  assert.deepEqual(await about("a"), ["pkg:npm/b@1.0.0"]);
  assert.deepEqual(await about("a", "b"), ["pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0"]);
  const newer = (...rootElement: string[]) =>
    json({
      "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
      "@graph": [
        { type: "SpdxDocument", spdxId: "doc", rootElement },
        ...["a", "b"].map((name) => ({
          type: "software_Package",
          spdxId: name,
          name,
          software_packageUrl: `pkg:npm/${name}@1.0.0`,
        })),
      ],
    });
  assert.deepEqual(purls(await read(newer("a"))), ["pkg:npm/b@1.0.0"]);
  assert.deepEqual(purls(await read(newer("a", "b"))), ["pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0"]);
});

Deno.test("SPDX 3 is read", async () => {
  const locked = await read(json({
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
      { type: "SpdxDocument", spdxId: "urn:doc", rootElement: ["urn:root"] },
      { type: "software_Package", spdxId: "urn:root", name: "app" },
      {
        type: "software_Package",
        spdxId: "urn:1",
        name: "lodash",
        software_packageUrl: "pkg:npm/lodash@4.17.21",
      },
      {
        type: "software_Package",
        spdxId: "urn:2",
        name: "leaf",
        externalIdentifier: [
          { type: "ExternalIdentifier", externalIdentifierType: "cpe23", identifier: "cpe:2.3:x" },
          {
            type: "ExternalIdentifier",
            externalIdentifierType: "packageUrl",
            identifier: "pkg:pypi/leaf@2.0",
          },
        ],
      },
      { type: "software_Package", spdxId: "urn:3", name: "bare" },
      { type: "software_File", spdxId: "urn:4", name: "x.js" },
    ],
  }));
  assert.equal(locked.format, "SPDX 3.0");
  assert.deepEqual(purls(locked), ["pkg:npm/lodash@4.17.21", "pkg:pypi/leaf@2.0"]);
  assert.deepEqual(skipped(locked), ["app is what the document is about", "bare has no PURL"]);
});

Deno.test("lists of PURLs are read, as lines and as JSON", async () => {
  const list = ["pkg:npm/JSONStream@1.0.0", "pkg:npm/%40a/b@1.0.0", "pkg:cargo/serde_json@1.0.0"];
  const text = `# mine\n\n${list.join("\r\n")}\n${list[0]}\n`;
  for (const [content, first] of [[text, 3], [json([...list, list[0]]), 2]] as const) {
    const locked = await read(content);
    assert.equal(locked.format, "list of PURLs");
    assert.deepEqual(lines(locked), {
      [list[0]]: first,
      [list[1]]: first + 1,
      [list[2]]: first + 2,
    });
  }
  assert.deepEqual((await read("[]")).entries, []);
});

Deno.test("what is no PURL is refused with its line", async () => {
  await assertInvalid("pkg:npm/a@1\nnpm/b@1\n", /line 2: "npm\/b@1" is no PURL/);
  await assertInvalid('["pkg:npm/a@1",\n 2]', /line 2: .*strings only/);
  const broken = { bomFormat: "CycloneDX", components: [{ purl: "pkg:npm/%zz@1" }] };
  await assertInvalid(json(broken), /CycloneDX, line 4: .*is no PURL/);
});
