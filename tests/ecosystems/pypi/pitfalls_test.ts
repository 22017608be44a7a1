/** What other proxies got wrong with PyPI; each test is named after its line. */
import assert from "node:assert/strict";
import type { Release } from "../../../policy/types.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";
import {
  ALLOW,
  DENY,
  documentOf,
  file,
  indexOf,
  JSON_TYPE,
  MOUNT,
  page,
  REASON,
  render,
  renderJson,
  viewOf,
} from "./world.ts";

const WHEEL = "demo-1.0-py3-none-any.whl";

function match(path: string, accept: string) {
  const headers = new Headers({ accept });
  return pypi.match({ method: "GET", mount: "pypi", path, search: "", headers });
}

Deno.test("allow-listing a PyPI version removes its files", async () => {
  const index = await indexOf(page([file(WHEEL), file("demo-2.0-py3-none-any.whl")]));
  const judge = ({ version }: Release) => version === "1.0" ? ALLOW : DENY;
  const { files } = renderJson(index, judge);
  assert.deepEqual(files[0], { ...file(WHEEL), url: `${MOUNT}packages/aa/bb/${WHEEL}` });
  assert.equal(files[1].yanked, REASON);
});

Deno.test("hyphenated sdists parse wrongly", async () => {
  const name = "python-language-server";
  const index = await indexOf(
    { ...page([file(`${name}-0.1.13.tar.gz`)]), name },
    { name },
  );
  assert.equal(index.releases[0].version, "0.1.13");
  const path = renderJson(index).files[0].url.slice(MOUNT.length);
  const target = match(path, "*/*");
  assert.ok(target?.kind === "file");
  assert.equal(target.names[0], name);
});

Deno.test("age is checked in metadata only: a lockfile's pinned URL passes", async () => {
  const index = await indexOf(page([file("demo-0.9.zip"), file(WHEEL)]));
  assert.equal(index.locate(`packages/aa/bb/${WHEEL}`)?.release, 1);
});

Deno.test("a wheel added later inherits the age of its version", async () => {
  const index = await indexOf(page([
    file("demo-1.0.tar.gz", { "upload-time": "2019-01-01T00:00:00Z" }),
    file(WHEEL, { "upload-time": "2026-11-22T00:00:00Z" }),
  ]));
  const dates = index.releases.map(({ publishedAt }) => publishedAt);
  assert.deepEqual(dates, [Date.UTC(2019, 0, 1), Date.UTC(2026, 10, 22)]);
});

Deno.test("/pypi/x/json unfiltered", async () => {
  const target = match("demo/json", "*/*");
  assert.ok(target?.kind === "index");
  const index = await indexOf(page([file(WHEEL)]));
  const urls = [{ filename: WHEEL, url: file(WHEEL).url, yanked: false }];
  const document = documentOf({ info: { version: "1.0" }, urls }, { type: "application/json" });
  const rendered = index.render(target.form, viewOf(index, () => DENY), document);
  assert.deepEqual(rendered, { withheld: 0 });
});

Deno.test("always JSON whatever Accept says", async () => {
  const index = await indexOf(page([file(WHEEL)]));
  for (
    const [accept, type] of [["text/html", "text/html; charset=utf-8"], [JSON_TYPE, JSON_TYPE]]
  ) {
    const target = match("simple/demo/", accept);
    assert.ok(target?.kind === "index");
    assert.equal(render(index, () => ALLOW, { form: target.form }).type, type);
  }
});

Deno.test("a JSON-less PyPI proxy breaks uv", async () => {
  const index = await indexOf(`<a href="/packages/aa/bb/${WHEEL}">x</a>`, { type: "text/html" });
  assert.equal(renderJson(index).files[0].url, `${MOUNT}packages/aa/bb/${WHEEL}`);
});

Deno.test("an HTML-only filter is bypassed, pip prefers JSON", async () => {
  const index = await indexOf(page([file(WHEEL)]));
  for (const form of ["json", "html", "v1+html"]) {
    assert.match(String(render(index, () => DENY, { form }).body), /min_age: published/);
  }
});

Deno.test("a package without versions crashes", async () => {
  const index = await indexOf(page([]));
  assert.deepEqual(renderJson(index), page([]));
  assert.match(String(render(index, () => ALLOW, { form: "html" }).body), /Links for demo/);
});

Deno.test("every rule parses and prints the whole document again", async () => {
  const files = Array.from({ length: 5000 }, (_, n) => file(`demo-1.${n}-py3-none-any.whl`));
  const index = await indexOf(page(files));
  const { parse } = JSON;
  let parsed = 0;
  JSON.parse = (...args: Parameters<typeof parse>) => {
    parsed++;
    return parse(...args);
  };
  try {
    for (let round = 0; round < 5; round++) render(index, round % 2 ? () => DENY : () => ALLOW);
  } finally {
    JSON.parse = parse;
  }
  assert.equal(parsed, 0);
});
