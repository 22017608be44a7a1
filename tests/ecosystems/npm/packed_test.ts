/** All but small documents are held as they came, and answered from all the same. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { Indexes } from "../../../ecosystems/indexes.ts";
import { npm } from "../../../ecosystems/npm/mod.ts";
import { RevalidatedCache } from "../../../ecosystems/revalidated.ts";
import { Upstream } from "../../../ecosystems/upstream.ts";
import { serveRegistry } from "../../registry/server.ts";
import { viewOf } from "./world.ts";

const VERSIONS = 40;

/** A packument that compresses well. */
function largeDocument(base: string, words: number): Record<string, unknown> {
  const versions = Object.fromEntries(
    Array.from({ length: VERSIONS }, (_, patch) => [`1.0.${patch}`, {
      name: "large",
      version: `1.0.${patch}`,
      readme: "read me ".repeat(words),
      dist: {
        tarball: `${base}large/-/large-1.0.${patch}.tgz`,
        shasum: `${patch}`.padEnd(40, "0"),
      },
    }]),
  );
  const time = Object.fromEntries(
    Object.keys(versions).map((version) => [version, "2020-01-01T00:00:00.000Z"]),
  );
  return { name: "large", "dist-tags": { latest: "1.0.39" }, versions, time };
}

/** Collects garbage until a condition holds. */
async function collectUntil(isGone: () => boolean) {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert(typeof collect === "function");
  for (let i = 0; i < 50 && !isGone(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collect();
  }
}

for (const words of [500, 40_000]) {
  const what = `a document of ${words * 8 * VERSIONS / 1000} KB`;
  Deno.test(`${what} is held as it came, and answers stay the same when memory is short`, async () => {
    let base = "";
    await using server = serveRegistry(() => ({
      body: new Uint8Array(gzipSync(JSON.stringify(largeDocument(base, words)))),
      type: "application/json",
      headers: { "content-encoding": "gzip" },
    }));
    base = server.url;
    const size = JSON.stringify(largeDocument(base, words)).length;
    const cache = () =>
      new RevalidatedCache(new Upstream(), { now: Date.now, bytes: Math.floor(size / 4) });
    const indexes = new Indexes(cache(), cache());
    const source = {
      ecosystem: "npm",
      url: base,
      authorization: null,
      partition: "",
      fileOrigins: [],
    };
    const load = () => indexes.load(npm, "large", { source, purpose: "file" });
    const index = (await load())?.value;
    assert(index !== undefined);
    assert(index.weight < size / 4, `it weighs ${index.weight}`);
    assert.equal((await load())?.value, index, "it was kept, although the document would not fit");

    const view = viewOf(index, new Set(["1.0.39"]));
    const path = "large-1.0.7.tgz";
    const answer = () => {
      const rendered = index.render("full", view);
      assert(rendered !== null && "body" in rendered && typeof rendered.body !== "string");
      return rendered.body;
    };
    const body = answer();
    const text = new TextDecoder().decode(body);
    const file = index.locate(path)?.file;
    assert.equal(file?.url, `${base}large/-/${path}`);
    const witness = new WeakRef(new Uint8Array(1_000_000));
    await collectUntil(() => witness.deref() === undefined);
    assert.equal(new TextDecoder().decode(answer()), text);
    assert.deepEqual(index.locate(path)?.file, file);
    assert.equal(index.locate("large-1.0.8.tgz")?.file.filename, "large-1.0.8.tgz");
    assert.equal(JSON.parse(text)["dist-tags"].latest, "1.0.38");
  });
}
