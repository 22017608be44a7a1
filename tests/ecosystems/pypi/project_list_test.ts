import assert from "node:assert/strict";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";
import { documentOf, indexOf, JSON_TYPE, page, viewOf } from "./world.ts";

const HTML = `<html><body><a href="/simple/demo-pkg/">Demo.Pkg</a>
  <a href="/simple/other/">other</a><a href="https://x.example/">About us</a></body></html>`;
const LIST = {
  meta: { "api-version": "1.4", "_last-serial": 9 },
  projects: [{ name: "Demo.Pkg", "_last-serial": 3 }, { name: "-" }],
};

async function list(body: unknown, type: string, accept: string) {
  const headers = new Headers({ accept });
  const target = pypi.match({ method: "GET", mount: "pypi", path: "simple/", search: "", headers });
  assert.ok(target?.kind === "page");
  assert.equal(new URL(target.document.url, "https://pypi.org/simple/").pathname, "/simple/");
  const view = viewOf(await indexOf(page([])), () => assert.fail("nothing is judged"));
  const rendered = target.render(target.reading.read(documentOf(body, { type })), view);
  const text = typeof rendered.body === "string"
    ? rendered.body
    : new TextDecoder().decode(rendered.body);
  return { text, type: rendered.type };
}

Deno.test("a JSON list of projects is passed on as it is", async () => {
  const text = JSON.stringify(LIST);
  assert.deepEqual(await list(text, JSON_TYPE, JSON_TYPE), { text, type: JSON_TYPE });
});

Deno.test("a list of projects has links to the pages below it, whatever upstream's form", async () => {
  for (const [body, type] of [[LIST, JSON_TYPE], [HTML, "text/html"]] as const) {
    const { text, type: given } = await list(body, type, "text/html");
    assert.match(text, /<a href="demo-pkg\/">Demo\.Pkg<\/a>/);
    assert.equal(/href="[^"]*(:|^\/)/.test(text), false);
    assert.equal(given, "text/html; charset=utf-8");
  }
});

Deno.test("an HTML list of projects is given as JSON too", async () => {
  const { text } = await list(HTML, "text/html", JSON_TYPE);
  assert.deepEqual(JSON.parse(text), {
    meta: { "api-version": "1.0" },
    projects: [{ name: "Demo.Pkg" }, { name: "other" }],
  });
});

Deno.test("a list of projects that cannot be read is refused", async () => {
  for (
    const body of [{ projects: [] }, { ...LIST, projects: {} }, { ...LIST, projects: [{}] }, "x"]
  ) {
    await assert.rejects(list(body, JSON_TYPE, "text/html"), InvalidMetadata);
  }
  await assert.rejects(list(HTML, "text/plain", "text/html"), InvalidMetadata);
});
