import assert from "node:assert/strict";
import { cargo } from "../../../ecosystems/cargo/mod.ts";
import type { Refusal } from "../../../ecosystems/ecosystem.ts";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { document, line, parse, request, text, view } from "./fixture.ts";

const CRATE = {
  crate: {
    name: "alpha",
    max_version: "2.0.0-rc.1",
    max_stable_version: "1.1.0",
    newest_version: "1.1.0",
    default_version: "1.1.0",
    yanked: false,
    description: "kept",
  },
  versions: [
    { num: "2.0.0-rc.1", yanked: false, id: 3 },
    { num: "1.1.0", yanked: false, id: 2 },
    { num: "1.0.0", yanked: false, id: 1 },
  ],
  keywords: [],
};

async function three() {
  const pubtime = (day: number) => ({ pubtime: `2026-01-0${day}T00:00:00Z` });
  const lines = [
    line("1.0.0", pubtime(1)),
    line("2.0.0-rc.1", pubtime(2)),
    line("1.1.0", pubtime(3)),
  ];
  return await parse(lines.join("\n"));
}

async function page(denies: (version: string) => boolean, second: unknown = CRATE) {
  const index = await three();
  return JSON.parse(text(index.render("crate", view(index, denies), document(second))));
}

Deno.test("the pages of a crate and its versions are at upstream's API", async () => {
  const index = await three();
  const accept = "application/json";
  const base = "https://api.example/api/v1/crates/alpha";
  assert.deepEqual(index.documentFor?.("crate"), { url: base, accept });
  assert.deepEqual(index.documentFor?.("version:1.0.0+x"), { url: `${base}/1.0.0%2Bx`, accept });
  assert.equal(index.documentFor?.("index"), null);
  const mute = { "config.json": { dl: "https://files.example/c" } };
  const without = await parse(line("1.0.0"), { documents: mute });
  assert.equal(without.documentFor?.("crate"), null);
  assert.equal(without.render("crate", view(without, () => false)), null);
});

Deno.test("a crate's page is untouched where nothing is withheld", async () => {
  const index = await three();
  const original = document(`${JSON.stringify(CRATE)} `);
  const rendered = index.render("crate", view(index, () => false), original);
  assert.ok(rendered && "body" in rendered);
  assert.equal(rendered.body, original.bytes);
});

Deno.test("a crate's page shows withheld versions as yanked and names none of them", async () => {
  const shown = await page((version) => version === "1.1.0");
  assert.deepEqual(shown.versions, [
    CRATE.versions[0],
    { ...CRATE.versions[1], yanked: true },
    CRATE.versions[2],
  ]);
  assert.deepEqual(shown.crate, {
    ...CRATE.crate,
    max_stable_version: "1.0.0",
    newest_version: "2.0.0-rc.1",
    default_version: "1.0.0",
  });
  const stable = await page((version) => version !== "1.0.0");
  assert.equal(stable.crate.max_version, "1.0.0");
  const preview = await page((version) => version !== "2.0.0-rc.1");
  assert.deepEqual(
    [preview.crate.max_stable_version, preview.crate.default_version],
    [null, "2.0.0-rc.1"],
  );
});

Deno.test("a crate's page of which all is withheld is that of a yanked crate", async () => {
  const { crate, versions } = await page(() => true);
  assert.deepEqual(versions.map((each: { yanked: boolean }) => each.yanked), [true, true, true]);
  assert.deepEqual(
    [crate.yanked, crate.max_version, crate.max_stable_version, crate.newest_version],
    [true, "0.0.0", null, "0.0.0"],
  );
});

Deno.test("a version that only the API knows was judged by nobody and counts as yanked", async () => {
  const newer = {
    ...CRATE,
    crate: { name: "alpha", max_version: "3.0.0" },
    versions: [{ num: "3.0.0", yanked: false }, ...CRATE.versions],
  };
  const shown = await page(() => false, newer);
  assert.equal(shown.versions[0].yanked, true);
  assert.equal(shown.crate.max_version, "2.0.0-rc.1");
  assert.deepEqual(Object.keys(shown.crate), ["name", "max_version"]);
});

Deno.test("a yanked version is not what a page falls back to", async () => {
  const lines = [line("1.0.0"), line("1.1.0", { yanked: true }), line("1.2.0")];
  const index = await parse(lines.join("\n"));
  const second = {
    crate: { name: "alpha", max_version: "1.2.0" },
    versions: [{ num: "1.2.0", yanked: false }],
  };
  const denied = view(index, (version) => version === "1.2.0");
  const shown = JSON.parse(text(index.render("crate", denied, document(second))));
  assert.equal(shown.crate.max_version, "1.0.0");
});

Deno.test("a page of something else is invalid", async () => {
  const index = await three();
  const all = view(index, () => false);
  for (
    const second of ["<html>", [], {}, { ...CRATE, crate: { name: "beta" } }, {
      crate: {},
      versions: [],
    }]
  ) {
    assert.throws(() => index.render("crate", all, document(second)), InvalidMetadata);
  }
  for (
    const version of [undefined, { num: "1.1.0", crate: "alpha" }, { num: "1.0.0", crate: "beta" }]
  ) {
    const second = document({ version });
    assert.throws(() => index.render("version:1.0.0", all, second), InvalidMetadata);
  }
});

Deno.test("the page of one version is refused with its release, or sent as it is", async () => {
  const index = await three();
  const denied = view(index, (version) => version === "1.1.0");
  const second = document({ version: { num: "1.0.0", crate: "alpha", downloads: 5 } });
  assert.deepEqual(index.render("version:1.1.0", denied, second), { withheld: 2 });
  const sent = index.render("version:1.0.0", denied, second);
  assert.ok(sent && "body" in sent);
  assert.equal(sent.body, second.bytes);
  assert.equal(index.render("version:9.9.9", denied, second), null);
  assert.equal(index.render("nonsense", denied, second), null);
});

Deno.test("a refusal says all within the 512 characters that cargo prints", async () => {
  const refusal: Refusal = {
    ecosystem: "cargo",
    name: "alpha",
    version: "1.1.0",
    filename: "alpha-1.1.0.crate",
    purl: "pkg:cargo/alpha@1.1.0",
    code: "min_age",
    message: "published 2026-01-02T03:04:05Z, may be used from 2026-01-12T03:04:05Z",
    until: Date.UTC(2026, 0, 12, 3, 4, 5),
    why: "https://proxy.example/why/pkg:cargo/alpha@1.1.0",
  };
  const answer = cargo.refuse(refusal, request("crates/alpha/1.1.0/download"));
  assert.equal(answer.status, 403);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.match(
    answer.headers.get("policy-decision") ?? "",
    /^deny; code=min_age; until="2026-01-12/,
  );
  const body = (await answer.text()).slice(0, 512);
  for (const part of ["alpha", "1.1.0", "min_age", refusal.message, refusal.why]) {
    assert.ok(body.includes(part), part);
  }
});
