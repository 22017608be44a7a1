import assert from "node:assert/strict";
import fc from "fast-check";
import { escapeHtml, readTags } from "../../../ecosystems/pypi/html.ts";

function anchors(html: string) {
  return [...readTags(html)].filter(({ name }) => name === "a")
    .map(({ attributes, text }) => ({ ...Object.fromEntries(attributes), text }));
}

const CASES: [what: string, html: string, found: Record<string, string>[]][] = [
  ["quotes of both kinds and none", `<a href="x" b='y' c=z d>t</a>`, [
    { href: "x", b: "y", c: "z", d: "", text: "t" },
  ]],
  ["upper case and white space", `<A\n HREF = "x"\t>\n  t \n</A>`, [{ href: "x", text: "t" }]],
  ["entities", `<a href="?a&amp;b&#61;&#x3D;" t="&gt;=3 &bogus; &#0;">&lt;</a>`, [
    { href: "?a&b==", t: ">=3 &bogus; \ufffd", text: "<" },
  ]],
  ["words that are no entities", `<a t="&constructor; &valueOf; &AMP;">&toString;</a>`, [
    { t: "&constructor; &valueOf; &AMP;", text: "&toString;" },
  ]],
  ["> within a value", `<a t=">=3.6" href="x">t</a>`, [{ t: ">=3.6", href: "x", text: "t" }]],
  ["the first of a repeated attribute", `<a href="x" HREF="y">`, [{ href: "x", text: "" }]],
  ["attributes without white space", `<a href="x"b="y"/>`, [{ href: "x", b: "y", text: "" }]],
  ["a stray equals sign", `<a =b href=x>`, [{ "=b": "", href: "x", text: "" }]],
  ["comments", `<!-- <a href="x"> --><a href="y"><!----><!--><a href="z">`, [
    { href: "y", text: "" },
    { href: "z", text: "" },
  ]],
  ["scripts and titles", `<script>"<a href=x>"</script><title><a href=y></TITLE ><a href=z>`, [
    { href: "z", text: "" },
  ]],
  ["doctype, end tags and lone <", `<!DOCTYPE a><?a?></a><a href=x>1 < 2</a>`, [
    { href: "x", text: "1" },
  ]],
  ["longer tag names", `<abbr href=x><a-b href=y>`, []],
  ["an unfinished comment", `<!-- <a href=x>`, []],
  ["an unfinished script", `<script><a href=x>`, []],
  ["an unfinished value", `<a href="x`, [{ href: "x", text: "" }]],
];

for (const [what, html, found] of CASES) {
  Deno.test(`HTML is read with ${what}`, () => assert.deepEqual(anchors(html), found));
}

Deno.test("what is escaped is read back", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (value, text) => {
    const html = `<a t="${escapeHtml(value)}" u='${escapeHtml(value)}'>${escapeHtml(text)}</a>`;
    assert.deepEqual(anchors(html), [{ t: value, u: value, text: text.trim() }]);
  }));
});

Deno.test("any text is read as HTML, and in time that grows with its length only", () => {
  const piece = fc.constantFrom(
    "<",
    ">",
    "a",
    " ",
    '"',
    "'",
    "=",
    "/",
    "!--",
    "-->",
    "<script>",
    "&",
  );
  fc.assert(fc.property(fc.array(piece).map((parts) => parts.join("")), (html) => {
    for (const { name } of readTags(html)) assert.notEqual(name, "");
  }));
  const started = performance.now();
  for (const text of ['<a b="', "<a ", "<!--", "<script>", "&#", "<a\n=", "<"]) {
    assert.ok([...readTags(text.repeat(20_000))].length <= 20_000);
  }
  assert.ok(performance.now() - started < 2000);
});
