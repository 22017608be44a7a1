import assert from "node:assert/strict";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import type { Index } from "../../../ecosystems/ecosystem.ts";
import type { Entry } from "../../../ecosystems/pypi/entry.ts";
import { renderLegacy } from "../../../ecosystems/pypi/legacy.ts";
import type { Release, Verdict } from "../../../policy/types.ts";
import {
  ALLOW,
  DENY,
  documentOf,
  file,
  indexOf,
  MOUNT,
  page,
  REASON,
  renderJson,
  viewOf,
} from "./world.ts";

const VERSIONS = ["0.9", "1.0", "1.1rc1", "2.0"];

function demo(): Promise<Index> {
  return indexOf(page([
    ...VERSIONS.map((version) => file(`demo-${version}.tar.gz`)),
    file("demo-2.0-py3-none-any.whl"),
  ]));
}

function entry(filename: string, more: Record<string, unknown> = {}) {
  return {
    digests: { sha256: "x" },
    filename,
    requires_python: ">=3.9",
    url: file(filename).url,
    yanked: false,
    yanked_reason: null,
    ...more,
  };
}

function body(version = "2.0", more: Record<string, unknown> = {}) {
  const releases: Record<string, unknown[]> = Object.fromEntries(
    VERSIONS.map((version) => [version, [entry(`demo-${version}.tar.gz`)]]),
  );
  releases["2.0"].push(entry("demo-2.0-py3-none-any.whl"));
  releases["0.1"] = [];
  const info = {
    name: "demo",
    version,
    summary: "s",
    requires_dist: ["evil"],
    requires_python: null,
    release_url: `https://pypi.org/project/demo/${version}/`,
    yanked: false,
    yanked_reason: null,
  };
  const vulnerabilities = [{ id: "X" }];
  return { info, last_serial: 7, releases, urls: releases[version], vulnerabilities, ...more };
}

function held(...versions: string[]) {
  return (release: Release): Verdict => versions.includes(release.version) ? DENY : ALLOW;
}

function show(index: Index, judge: (release: Release) => Verdict, form: string, document: unknown) {
  const type = "application/json";
  return renderJson(index, judge, { form, document: documentOf(document, { type }) });
}

Deno.test("what is allowed changes in nothing but its addresses, in the JSON API too", async () => {
  const text = JSON.stringify(body());
  assert.deepEqual(
    show(await demo(), () => ALLOW, "legacy", text),
    JSON.parse(text.replaceAll("https://files.pythonhosted.org/", MOUNT)),
  );
});

Deno.test("/pypi/x/json does not present a withheld version, and marks its files", async () => {
  const shown = show(await demo(), held("2.0"), "legacy", body());
  assert.equal(shown.info.version, "1.0");
  assert.deepEqual(shown.info, {
    name: "demo",
    version: "1.0",
    summary: "s",
    requires_dist: null,
    requires_python: ">=3.9",
    release_url: "https://pypi.org/project/demo/1.0/",
    yanked: false,
    yanked_reason: null,
  });
  assert.deepEqual(shown.urls, shown.releases["1.0"]);
  assert.equal("vulnerabilities" in shown, false);
  assert.deepEqual(
    shown.releases["2.0"].map((file: Record<string, unknown>) => [file.yanked, file.yanked_reason]),
    [[true, REASON], [true, REASON]],
  );
  assert.equal(shown.releases["1.0"][0].yanked, false);
  assert.equal(shown.releases["0.1"].length, 0);
});

Deno.test("of the visible versions a final one is presented before a pre-release", async () => {
  const index = await demo();
  assert.equal(show(index, held("2.0", "1.0"), "legacy", body()).info.version, "0.9");
  assert.equal(show(index, held("2.0", "1.0", "0.9"), "legacy", body()).info.version, "1.1rc1");
});

Deno.test("a yanked version is presented last, as yanked", async () => {
  const index = await indexOf(page([
    file("demo-1.0.tar.gz", { yanked: "broken" }),
    file("demo-2.0.tar.gz"),
  ]));
  const yanked = entry("demo-1.0.tar.gz", { yanked: true, yanked_reason: "broken" });
  const document = { ...body(), releases: { "1.0": [yanked], "2.0": [entry("demo-2.0.tar.gz")] } };
  const { info } = show(index, held("2.0"), "legacy", document);
  assert.deepEqual([info.version, info.yanked, info.yanked_reason], ["1.0", true, "broken"]);
});

Deno.test("a version with one file let through is presented, the other files marked", async () => {
  const judge = ({ installScripts }: Release) => installScripts ? DENY : ALLOW;
  const shown = show(await demo(), judge, "legacy", body());
  assert.equal(shown.info.version, "2.0");
  assert.deepEqual(shown.urls.map((file: { yanked: boolean }) => file.yanked), [true, false]);
});

Deno.test("a project or version withheld whole is refused", async () => {
  const index = await demo();
  const document = documentOf(body(), { type: "application/json" });
  assert.deepEqual(index.render("legacy", viewOf(index, () => DENY), document), { withheld: 3 });
  assert.deepEqual(index.render("legacy/2.0", viewOf(index, held("2.0")), document), {
    withheld: 3,
  });
  assert.deepEqual(index.render("legacy/2", viewOf(index, held("2.0")), undefined), {
    withheld: 3,
  });
});

Deno.test("one version's document is filtered alike", async () => {
  const { releases: _, ...document } = body("1.0");
  const shown = show(await demo(), held("2.0"), "legacy/1.0", document);
  assert.equal(shown.info.version, "1.0");
  assert.equal(shown.urls[0].url, `${MOUNT}packages/aa/bb/demo-1.0.tar.gz`);
  assert.deepEqual(shown.vulnerabilities, [{ id: "X" }]);
});

Deno.test("a file newer than the index is left out, and its version not presented", async () => {
  const index = await demo();
  const document = body("3.0", {
    urls: [entry("demo-3.0.tar.gz")],
    releases: { ...body().releases, "3.0": [entry("demo-3.0.tar.gz")] },
  });
  const shown = show(index, () => ALLOW, "legacy", document);
  assert.equal(shown.info.version, "2.0");
  assert.deepEqual(shown.releases["3.0"], []);
  assert.equal(JSON.stringify(shown).includes("demo-3.0"), false);
  const read = documentOf(document, { type: "application/json" });
  assert.equal(index.render("legacy/3.0", viewOf(index, () => ALLOW), read), null);
  const empty = await indexOf(page([]));
  assert.equal(empty.render("legacy", viewOf(empty, () => ALLOW), read), null);
});

Deno.test("a project without any file is shown as it is", async () => {
  const document = { info: { name: "demo", version: "1.0" }, releases: {}, urls: [] };
  assert.deepEqual(show(await indexOf(page([])), () => DENY, "legacy", document), document);
});

Deno.test("without upstream's document there is no such form", async () => {
  const index = await demo();
  assert.equal(index.render("legacy", viewOf(index, () => ALLOW)), null);
});

Deno.test("two files of one name are withheld if one of them is", async () => {
  const index = await indexOf(page([
    file("demo-1.0.tar.gz"),
    file("demo-1.0.tar.gz", { url: "https://x.example/packages/demo-1.0.tar.gz", yanked: "bad" }),
  ]));
  const judge = ({ yanked }: Release) => yanked === false ? ALLOW : DENY;
  const document = { info: { version: "1.0" }, urls: [entry("demo-1.0.tar.gz")] };
  assert.equal(show(index, judge, "legacy", document).urls[0].yanked, true);
});

Deno.test("any number of files may have one name", async () => {
  const count = 200_000;
  const index = await indexOf(page([file("demo-1.0.zip")]));
  const view = viewOf(index, () => ALLOW);
  const one: Entry = {
    filename: "demo-1.0.zip",
    url: "https://x.example/packages/demo-1.0.zip",
    served: "packages/demo-1.0.zip",
    parts: [],
    ownYank: "",
    provenance: null,
    attributes: "",
  };
  const urls = new Array(count).fill({ filename: "demo-1.0.zip" });
  const rendered = renderLegacy("", {
    ...view,
    judgement: { ...view.judgement, verdicts: new Array(count).fill(ALLOW) },
  }, {
    releases: new Array(count).fill(index.releases[0]),
    entries: new Array(count).fill(one),
    document: documentOf({ info: {}, urls }, { type: "application/json" }),
  });
  assert.ok(rendered !== null && "body" in rendered);
  assert.equal(JSON.parse(String(rendered.body)).urls.length, count);
});

const REFUSED: [what: string, form: string, document: unknown][] = [
  ["text that is no JSON", "legacy", "<html>"],
  ["no info", "legacy", { urls: [] }],
  ["urls that are none", "legacy", body("2.0", { urls: {} })],
  ["releases that are none", "legacy", body("2.0", { releases: [] })],
  ["files that are none", "legacy", body("2.0", { releases: { "2.0": [1] } })],
  ["files without a name", "legacy", body("2.0", { urls: [{}] })],
  ["another version than asked for", "legacy/1.0", body("2.0")],
];

for (const [what, form, document] of REFUSED) {
  Deno.test(`a JSON page with ${what} is refused`, async () => {
    const index = await demo();
    assert.throws(() => show(index, () => ALLOW, form, document), InvalidMetadata);
  });
}
