import assert from "node:assert/strict";
import { indexPath } from "../../../ecosystems/cargo/paths.ts";
import { document, parse, text, upstream, view } from "./fixture.ts";
import { cargo } from "../../../ecosystems/cargo/mod.ts";

const FIXTURES = new URL("../../../../shared/fixtures/cargo/", import.meta.url);
const INDEXES = ["index", "index-2022-top"];
const PAGES = ["regex", "time", "xdg", "bitflags", "elasticlunr-rs"];
const missing = !exists(FIXTURES);

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url).isDirectory;
  } catch {
    return false;
  }
}

/** Every file below a folder, with the name of its crate. */
function* files(folder: URL): Generator<{ name: string; path: string; content: string }> {
  for (const entry of Deno.readDirSync(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* files(url);
    else if (entry.name !== "config.json") {
      yield { name: entry.name, path: url.pathname, content: Deno.readTextFileSync(url) };
    }
  }
}

const recorded = () => INDEXES.flatMap((folder) => [...files(new URL(`${folder}/`, FIXTURES))]);

Deno.test({
  name: "recorded indexes come through untouched where nothing is withheld",
  ignore: missing,
  async fn() {
    const found = recorded();
    assert.ok(found.length >= 10);
    for (const { name, path, content } of found) {
      assert.ok(path.endsWith(`/${indexPath(name)}`), path);
      const index = await parse(content, { name });
      assert.equal(index.releases.length, content.trim().split("\n").length);
      assert.equal(text(index.render("index", view(index, () => false))), content);
    }
  },
});

Deno.test({
  name: "recorded indexes of which all is withheld are yanked line by line, and otherwise equal",
  ignore: missing,
  async fn() {
    for (const { name, content } of recorded()) {
      const index = await parse(content, { name });
      const rendered = text(index.render("index", view(index, () => true)));
      // The recorded lines all have the field, in this spelling, once at most in a line.
      assert.equal(rendered, content.replaceAll('"yanked":false', '"yanked":true'), name);
      assert.doesNotMatch(rendered, /"yanked":false/);
    }
  },
});

Deno.test({
  name: "recorded API pages give a date to every version, and hide what is withheld",
  ignore: missing,
  async fn() {
    for (const name of PAGES) {
      const page = JSON.parse(Deno.readTextFileSync(new URL(`api/${name}.json`, FIXTURES)));
      const nums: string[] = page.versions.map((each: { num: string }) => each.num);
      const cksum = "0".repeat(64);
      const lines = nums.map((vers) => JSON.stringify({ name, vers, cksum }));
      const { context } = upstream({ [`https://api.example/api/v1/crates/${name}`]: page });
      const index = await cargo.parse(document(lines.join("\n")), name, context);
      for (const release of index.releases) {
        assert.ok(release.publishedAt !== null, release.version);
      }

      const second = document(JSON.stringify(page));
      assert.equal(
        text(index.render("crate", view(index, () => false), second)),
        JSON.stringify(page),
      );
      const newest = view(index, (version) => version === page.crate.max_version);
      const shown = JSON.parse(text(index.render("crate", newest, second)));
      assert.notEqual(shown.crate.max_version, page.crate.max_version);
      assert.deepEqual(
        { ...shown, crate: { ...shown.crate, max_version: page.crate.max_version } },
        {
          ...page,
          versions: page.versions.map((each: { num: string }) =>
            each.num === page.crate.max_version ? { ...each, yanked: true } : each
          ),
        },
      );
    }
  },
});
