import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseForm } from "../../../ecosystems/pypi/accept.ts";

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";
const HTML_TYPE = "application/vnd.pypi.simple.v1+html";

const CASES: [accept: string | null, form: string][] = [
  [null, "html"],
  ["", "html"],
  ["*/*", "html"],
  ["text/html", "html"],
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"],
  [`${JSON_TYPE}, ${HTML_TYPE};q=0.1, text/html;q=0.01`, "json"], // pip
  [`${JSON_TYPE}, ${HTML_TYPE};q=0.2, text/html;q=0.01`, "json"], // uv
  [JSON_TYPE, "json"],
  [HTML_TYPE, "v1+html"],
  ["application/vnd.pypi.simple.latest+json", "json"],
  ["application/vnd.pypi.simple.latest+html", "v1+html"],
  [`${JSON_TYPE};q=0.5, text/html`, "html"],
  [`${JSON_TYPE};q=0, */*`, "html"],
  [`${JSON_TYPE}, text/html`, "json"],
  [`${JSON_TYPE}; Q=0.9 , ${HTML_TYPE} ; q=1.0`, "v1+html"],
  [JSON_TYPE.toUpperCase(), "json"],
  ["application/*", "json"],
  ["text/*", "html"],
  ["*/*;q=0.1, application/*;q=0.5", "json"],
  [`${JSON_TYPE};q=nonsense, text/html;q=0.1`, "html"],
  ["image/png", "html"],
  [",,;;q=1,", "html"],
];

for (const [accept, form] of CASES) {
  Deno.test(`Accept ${JSON.stringify(accept)} gets ${form}`, () => {
    assert.equal(chooseForm(accept), form);
  });
}

Deno.test("any Accept gets a form", () => {
  fc.assert(fc.property(fc.string(), (accept) => {
    assert.ok(["json", "v1+html", "html"].includes(chooseForm(accept)));
  }));
});
