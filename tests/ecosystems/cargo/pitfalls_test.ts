/** Defects of comparable systems that could be cargo's too, each named after what went wrong there. */
import assert from "node:assert/strict";
import { cargo } from "../../../ecosystems/cargo/mod.ts";
import type { ParseContext } from "../../../ecosystems/ecosystem.ts";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { AS_IT_CAME } from "../../../ecosystems/readings.ts";
import { type CargoRegistry, startCargoRegistry } from "../../registry/cargo.ts";
import { document, line, parse, request, text, upstream, view } from "./fixture.ts";

/** Asks the registry itself, as the proxy would. */
function contextOf(registry: CargoRegistry): ParseContext {
  return {
    source: { ...upstream().context.source, url: registry.url },
    async document({ url }, { read }) {
      const response = await fetch(new URL(url, registry.url));
      const bytes = await response.bytes();
      return response.status === 404
        ? null
        : read({ bytes, type: "text/plain", url: response.url });
    },
  };
}

async function load(registry: CargoRegistry, name: string) {
  const context = contextOf(registry);
  const found = await context.document(cargo.indexAddress(name), AS_IT_CAME);
  assert.ok(found);
  return await cargo.parse(found, name, context);
}

Deno.test("pitfall: the cargo download blocklist looks up a key that is never stored", async () => {
  await using registry = startCargoRegistry({ separate: true });
  registry.publish({ name: "Some_Crate", version: "1.0.0" });
  registry.publish({ name: "Some_Crate", version: "1.1.0+x" });
  const index = await load(registry, "some_crate");
  const target = cargo.match(request("crates/Some_Crate/1.1.0+x/download"));
  assert.ok(target?.kind === "file");
  // What is yanked in the index and what a download is judged by is one release.
  const release = index.locate(target.path)?.release ?? -1;
  const lines = text(index.render("index", view(index, (version) => version === "1.1.0+x")));
  assert.equal(JSON.parse(lines.split("\n")[release]).yanked, true);
  assert.equal(index.releases[release].version, "1.1.0+x");
});

Deno.test("pitfall: one upstream look-up per version times the client out (nora#969)", async () => {
  await using registry = startCargoRegistry();
  const publishedAt = new Date("2026-01-02T03:04:05Z");
  for (let minor = 0; minor < 60; minor++) {
    registry.publish({ name: "alpha", version: `1.${minor}.0`, publishedAt, pubtime: false });
  }
  const index = await load(registry, "alpha");
  assert.ok(index.releases.every((each) => each.publishedAt === publishedAt.getTime()));
  assert.deepEqual(registry.requests.map((each) => each.path), [
    "/al/ph/alpha",
    "/config.json",
    "/api/v1/crates/alpha",
  ]);
});

Deno.test("pitfall: an unknown publish date must stay unknown, neither old nor new (nora#679, nora#741)", async () => {
  await using registry = startCargoRegistry();
  registry.publish({ name: "alpha", version: "1.0.0", publishedAt: null });
  registry.fault(/^\/api\//, { kind: "body", body: "<html>", type: "text/html" });
  const index = await load(registry, "alpha");
  assert.equal(index.releases[0].publishedAt, null);
});

Deno.test("pitfall: a filter that failed served the original document (git-pkgs/proxy)", async () => {
  const twice = line("1.0.0").replace("{", '{"yanked":false,');
  const index = await parse(twice);
  assert.throws(() => index.render("index", view(index, () => true)), InvalidMetadata);
  await assert.rejects(parse(`${line("1.0.0")}\n{`), InvalidMetadata);
});

Deno.test("pitfall: a package without versions crashes (safe-chain#107)", async () => {
  const index = await parse("\n");
  assert.deepEqual(index.releases, []);
  const page = { crate: { name: "alpha", max_version: "0.0.0" }, versions: [] };
  const rendered = text(index.render("crate", view(index, () => true), document(page)));
  assert.deepEqual(JSON.parse(rendered), page);
});

Deno.test("pitfall: latest falls back by publish time and picks a backport (verdaccio#6051)", async () => {
  const at = (time: string) => ({ pubtime: `2026-01-${time}T00:00:00Z` });
  const lines = [line("2.0.0", at("01")), line("1.9.9", at("20")), line("2.1.0", at("21"))];
  const index = await parse(lines.join("\n"));
  const crate = { name: "alpha", max_version: "2.1.0", default_version: "2.1.0" };
  const page = document({ crate, versions: [] });
  const denied = view(index, (version) => version === "2.1.0");
  const shown = JSON.parse(text(index.render("crate", denied, page)));
  assert.deepEqual([shown.crate.max_version, shown.crate.default_version], ["2.0.0", "2.0.0"]);
});

Deno.test("pitfall: the whole document is parsed again for each file (git-pkgs#296)", async () => {
  const lines = Array.from({ length: 2000 }, (_, minor) => line(`1.${minor}.0`));
  const index = await parse(lines.join("\n"));
  const original = JSON.parse;
  let parsed = 0;
  JSON.parse = (...args) => {
    parsed++;
    return original(...args);
  };
  try {
    assert.equal(index.locate("crates/alpha/1.1999.0/download")?.release, 1999);
    assert.ok(text(index.render("index", view(index, () => true))).includes('"yanked":true'));
  } finally {
    JSON.parse = original;
  }
  assert.equal(parsed, 0);
});
