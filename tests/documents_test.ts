/** What the Markdown files say, held against the code: links, policies and the table of rules. */
import assert from "node:assert/strict";
import { parsePolicy } from "../policy/schema.ts";
import { RULES } from "../policy/rules/mod.ts";
import { SCHEMES } from "./policy/world.ts";

const ROOT = new URL("../", import.meta.url);
const DOCUMENTS = [
  "README.md",
  "SECURITY.md",
  "CONTRIBUTING.md",
  "admin/README.md",
  "ecosystems/README.md",
  "policy/README.md",
  "tests/bench/README.md",
  "tests/replay/README.md",
];
const MINUTES = 5;
/** Of somebody who reads to understand. */
const WORDS_A_MINUTE = 300;

const texts = new Map(
  await Promise.all(DOCUMENTS.map(async (path) =>
    [
      path,
      await Deno.readTextFile(new URL(path, ROOT)),
    ] as const
  )),
);

/** The blocks of one language, without their fences. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, given]) => given === language).map(([, , inside]) => inside);
}

/** Text without what stands in fences. */
function outside(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, "");
}

/** What GitHub makes of a heading. */
function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

function headings(text: string): string[] {
  return [...outside(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchor(heading));
}

Deno.test("every link within the documents leads to a file and to one of its headings", async () => {
  let links = 0;
  for (const [path, text] of texts) {
    for (const [, target] of outside(text).matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      links++;
      const url = new URL(target, new URL(path, ROOT));
      const fragment = url.hash.slice(1);
      url.hash = "";
      const found = await Deno.readTextFile(url).catch(() => null);
      assert.ok(found !== null, `${path}: ${target}`);
      if (fragment !== "") assert.ok(headings(found).includes(fragment), `${path}: ${target}`);
    }
  }
  assert.ok(links > 20, `${links} links`);
});

Deno.test("every policy in the documents is one that is accepted", () => {
  let policies = 0;
  for (const [path, text] of texts) {
    for (const block of blocks(text, "json")) {
      const document = JSON.parse(block);
      // The message that a webhook gets is an example, too.
      if (document.type === "events") continue;
      policies++;
      assert.doesNotThrow(() => parsePolicy(document, SCHEMES), `${path}: ${block}`);
    }
  }
  assert.ok(policies > 20, `${policies} policies`);
});

Deno.test("the README's table has an example of every rule, the built-in ones first", () => {
  const rows = [...(texts.get("README.md") ?? "").matchAll(/^\| `(\w+)` .*\| `(\{.*\})` *\|$/gm)];
  for (const [, id, settings] of rows) {
    const rules = { [id]: JSON.parse(settings) };
    assert.doesNotThrow(() => parsePolicy({ rules }, SCHEMES), id);
  }
  const ids = rows.map(([, id]) => id);
  assert.deepEqual(ids.toSorted(), RULES.map(({ id }) => id).toSorted());
  const { rules } = parsePolicy({}, SCHEMES);
  const on = RULES.filter(({ id }) => rules[id].level !== "off").map(({ id }) => id);
  assert.deepEqual(ids.slice(0, on.length).toSorted(), on.toSorted());
});

Deno.test("policy/README.md has a section for every rule", () => {
  const found = headings(texts.get("policy/README.md") ?? "");
  for (const { id } of RULES) assert.ok(found.includes(id), id);
});

Deno.test("the README's prose is read in five minutes", () => {
  const prose = outside(texts.get("README.md") ?? "")
    .replaceAll(/<details>[\s\S]*?<\/details>/g, "").replaceAll(/^\|.*$/gm, "");
  const words = prose.split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
  assert.ok(words <= MINUTES * WORDS_A_MINUTE, `${words} words`);
});
