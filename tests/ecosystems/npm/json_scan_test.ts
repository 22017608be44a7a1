/** What is read past is JSON exactly where JSON.parse says so. */
import assert from "node:assert/strict";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { skipValue } from "../../../ecosystems/npm/json_scan.ts";

/** Whether the whole text is one value. */
function isRead(text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  try {
    return skipValue(bytes, 0) === bytes.length;
  } catch (error) {
    assert.ok(error instanceof InvalidMetadata, String(error));
    return false;
  }
}

function isParsed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a text ends at its quote, whatever its length and wherever it stands", () => {
  const insides = [
    "",
    "\\n",
    "\\\\",
    '\\"',
    "\\u00e9",
    "\\u00g9",
    "\\x",
    "\u0001",
    "\x1f",
    "é",
    "\x7f",
  ];
  const ends = ['"', "", "\\", '\\"', '""', '"x'];
  for (let before = 0; before < 12; before++) {
    for (let after = 0; after < 9; after++) {
      for (const inside of insides) {
        for (const end of ends) {
          const text = `"${"a".repeat(before)}${inside}${"b".repeat(after)}${end}`;
          for (const whole of [text, `[${text}]`, `{${text}:${text}}`]) {
            assert.equal(isRead(whole), isParsed(whole), whole);
          }
        }
      }
    }
  }
});

Deno.test("values are read past as the grammar has them", () => {
  const texts = [
    "0",
    "-0",
    "01",
    "1.5e+3",
    "1.",
    ".5",
    "-",
    "1e",
    "true",
    "tru",
    "null",
    "nul",
    "{}",
  ];
  const more = [
    "[]",
    "[1,]",
    "{,}",
    '{"a"}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    "[1 2]",
    "[[[]]]",
    "",
    "x",
  ];
  for (const text of [...texts, ...more]) {
    for (
      const whole of [text, `[${text}]`, `{"a":${text}}`, `{ "a" : ${text} , "b":[ ${text} ]}`]
    ) {
      assert.equal(isRead(whole), isParsed(whole), whole);
    }
  }
});
