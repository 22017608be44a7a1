/** Recorded answers of real indexes, every one of them. */
import assert from "node:assert/strict";
import type { Index } from "../../../ecosystems/ecosystem.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";
import { pypiVersions } from "../../../ecosystems/pypi/versions.ts";
import {
  ALLOW,
  DENY,
  documentOf,
  FIXTURES,
  folderExists,
  indexOf,
  MOUNT,
  REASON,
  renderJson,
  renderText,
  viewOf,
} from "./world.ts";

function list(folder: string, extension: string): string[] {
  const root = new URL(`${folder}/`, FIXTURES);
  if (!folderExists(root)) return [];
  return [...Deno.readDirSync(root)].flatMap((entry) =>
    entry.isDirectory
      ? list(`${folder}/${entry.name}`, extension)
      : entry.name.endsWith(extension)
      ? [`${folder}/${entry.name}`]
      : []
  ).sort();
}

const read = (path: string) => Deno.readTextFileSync(new URL(path, FIXTURES));
const stem = (path: string) => path.slice(path.lastIndexOf("/") + 1, path.lastIndexOf("."));

/** Every form, everything denied: nothing may be offered unmarked. */
function assertAllWithheld(index: Index): void {
  const { files } = renderJson(index, () => DENY);
  assert.equal(files.length, index.releases.length);
  for (const file of files) {
    assert.equal(file.yanked, REASON);
    assert.ok(file.url.startsWith(`${MOUNT}packages/`));
  }
  const html = renderText(index, () => DENY, { form: "html" });
  assert.equal(html.match(/<a /g)?.length ?? 0, files.length);
  assert.equal(html.match(/ data-yanked="min_age: /g)?.length ?? 0, files.length);
  for (const [address] of html.matchAll(/https?:\/\/[^"# ]+/g)) {
    assert.ok(address.startsWith(MOUNT));
  }
}

/** Each file is found by the path it is given out under, and that path leads to this project. */
function assertAllLocated(index: Index, project: string): void {
  renderJson(index).files.forEach(({ url }: { url: string }, position: number) => {
    const path = url.slice(MOUNT.length);
    const located = index.locate(path);
    assert.ok(located !== null, path);
    assert.equal(located.file.filename, index.releases[position].files[0].filename);
    const headers = new Headers();
    const target = pypi.match({ method: "GET", mount: "pypi", path, search: "", headers });
    assert.ok(target?.kind === "file" && target.names.includes(project), path);
  });
}

for (const path of list("simple-json", ".json")) {
  Deno.test(`${path} keeps every field and lets nothing through that is withheld`, async () => {
    const body = JSON.parse(read(path));
    const project = pypiVersions.normalizeName(body.name) ?? "";
    const index = await indexOf(body, { name: project });
    const rendered = renderJson(index);
    const back = rendered.files.map((file: Record<string, unknown>, position: number) => {
      const { provenance } = body.files[position];
      return {
        ...file,
        url: body.files[position].url,
        ...(provenance !== undefined && { provenance }),
      };
    });
    assert.deepEqual({ ...rendered, files: back }, body);
    assert.deepEqual(Object.keys(rendered), Object.keys(body));
    const direct = renderJson(index, () => ALLOW, { direct: true });
    const absolute = body.files.map((file: { url: string }) => ({
      ...file,
      url: new URL(file.url, `https://pypi.org/simple/${project}/`).href,
    }));
    assert.deepEqual(direct.files, absolute);
    assertAllWithheld(index);
    assertAllLocated(index, project);
    if (body.meta["api-version"] === "1.4") {
      for (const { version, publishedAt } of index.releases) {
        // PyPI lists this one file under another version than its name's
        assert.ok(body.versions.includes(version) || `${project} ${version}` === "urllib3 0.3");
        assert.notEqual(publishedAt, null);
      }
    }
  });
}

/** The project of a page whose name is not its file's. */
const PROJECTS: Record<string, string> = {
  "numpy-piwheels": "numpy",
  pytorch: "torch",
  "aicoe-tensorflow": "tensorflow",
  underscore: "luigi-ext",
};

for (const path of list("simple-html", ".html")) {
  Deno.test(`${path} keeps every file and lets nothing through that is withheld`, async () => {
    const html = read(path);
    const links = [...html.matchAll(/<a\s[^>]*?href="([^"]*)"/g)].map(([, href]) => href)
      .filter((href) => /\.(whl|zip|egg|exe|gz|bz2|tgz|msi|rpm)(#|$)/.test(href));
    const title = /<title>Links for ([\w.-]+)<\/title>/.exec(html)?.[1];
    const project = pypiVersions.normalizeName(PROJECTS[stem(path)] ?? title ?? "luigi") ?? "";
    const index = await indexOf(html, { name: project, type: "text/html" });
    assert.equal(index.releases.length, links.length);
    index.releases.forEach(({ files }, position) => {
      const url = new URL(
        links[position].replaceAll("&amp;", "&"),
        `https://pypi.org/simple/${project}/`,
      );
      url.hash = "";
      assert.equal(files[0].url, url.href);
    });
    assertAllWithheld(index);
    assertAllLocated(index, project);
  });
}

for (const path of list("legacy-json", ".json").filter((path) => !path.includes("-404"))) {
  Deno.test(`${path} keeps every field and presents nothing that is withheld`, async () => {
    const body = JSON.parse(read(path));
    const releases: Record<string, { filename: string; url: string }[]> = body.releases ?? {};
    const listed = [...Object.values(releases).flat(), ...body.urls ?? []];
    const files = [...new Map(listed.map((file) => [file.filename, file])).values()];
    const project = pypiVersions.normalizeName(body.info.name ?? "demo") ?? "demo";
    const index = await indexOf({
      meta: { "api-version": "1.4" },
      name: project,
      files: files.map(({ filename, url }) => ({ filename, url, hashes: {} })),
    }, { name: project });
    const document = documentOf(body, { type: "application/json" });
    const rendered = renderJson(index, () => ALLOW, { form: "legacy", document });
    const moved = JSON.stringify(body).replaceAll(/https:\/\/[\w.]+\/(?=packages\/)/g, MOUNT);
    assert.deepEqual(rendered, JSON.parse(moved));
    const denied = index.render("legacy", viewOf(index, () => DENY), document);
    if (files.length > 0 && body.info.version !== undefined) {
      assert.ok(denied !== null && "withheld" in denied);
    } else if (denied !== null && "body" in denied) {
      assert.equal(/"yanked":false/.test(String(denied.body)), false);
    }
  });
}

Deno.test({
  name: "the recorded answers are there",
  ignore: !folderExists(FIXTURES),
  fn() {
    assert.ok(list("simple-json", ".json").length > 25);
    assert.ok(list("simple-html", ".html").length > 25);
    assert.ok(list("legacy-json", ".json").length > 8);
  },
});
