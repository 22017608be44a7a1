import assert from "node:assert/strict";
import {
  csvLines,
  jsonArray,
  jsonLines,
  tableLines,
  toCsv,
  toJsonl,
  visible,
} from "../../admin/formats.ts";

async function text(pieces: AsyncIterable<string>): Promise<string> {
  let all = "";
  for await (const piece of pieces) all += piece;
  return all;
}

Deno.test("CSV is quoted as RFC 4180 says", () => {
  const rows = [{ a: 'say "hi"', b: "one, two", c: "line\nbreak" }, { a: 1, c: null }];
  assert.equal(
    toCsv(rows, ["a", "b", "c"]),
    'a,b,c\r\n"say ""hi""","one, two","line\nbreak"\r\n1,,\r\n',
  );
  assert.equal(toCsv([], ["a", "b"]), "a,b\r\n");
  assert.equal(toCsv([{ users: ["alice", "bob"] }], ["users"]), "users\r\nalice bob\r\n");
});

Deno.test("CSV holds nothing that a spreadsheet runs as a formula", () => {
  for (
    const formula of [
      "=cmd",
      "+cmd",
      "-cmd",
      "-1+2",
      "+1()",
      "@SUM(1)",
      "@a\nb(1)",
      "@x|' /C y'!A0",
      "\tx",
      "\rx",
      "\n=1",
      "＝1+1",
      "＋1",
      "－1",
      "＠SUM(1)",
      " =1+1",
    ]
  ) {
    const [, field] = toCsv([{ a: formula }], ["a"]).split("\r\n");
    assert.match(field, /^"?'/, JSON.stringify(formula));
  }
  for (const harmless of ["a=1", "@scope/name", "@scope/name@1.0.0", "-12", "+3.5"]) {
    assert.equal(toCsv([{ a: harmless }], ["a"]), `a\r\n${harmless}\r\n`);
  }
});

Deno.test("no format lets a text control the terminal or reorder a line", async () => {
  const nasty = "a\u001b[31mb\u202ec\u0007d\u200be\u009bf\u2028g\u{e0041}h";
  const rows = [{ name: nasty }];
  const unseen = /(?![\r\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
  for (
    const printed of [
      toCsv(rows, ["name"]),
      toJsonl(rows),
      await text(tableLines(rows, ["name"])),
      await text(jsonArray(rows)),
      visible(nasty),
    ]
  ) {
    assert.doesNotMatch(printed, unseen);
  }
  assert.deepEqual(JSON.parse(toJsonl(rows)), rows[0]);
  assert.equal(visible("x\u202ey"), "x\\u{202e}y");
});

Deno.test("a table's line break within a text is no line of its own", async () => {
  const printed = await text(tableLines([{ a: "one\ntwo" }], ["a"]));
  assert.equal(printed, "A\none\\u{a}two\n");
});

Deno.test("a table's columns line up, and rows beyond those measured still appear", async () => {
  const printed = await text(tableLines([{ a: "long text", b: 1 }, { a: "x", b: 22 }], ["a", "b"]));
  assert.equal(printed, "A          B\nlong text  1\nx          22\n");
  const rows = Array.from({ length: 450 }, (_, n) => ({ n }));
  const lines = (await text(tableLines(rows, ["n"]))).trimEnd().split("\n");
  assert.deepEqual(lines, ["N", ...rows.map(({ n }) => String(n))]);
  assert.equal(await text(tableLines([], ["n"])), "");
});

Deno.test("streams say the same as what is made at once", async () => {
  const rows = [{ a: 1, b: "=x" }, { a: 2, b: "y" }];
  assert.equal(await text(csvLines(rows, ["a", "b"])), toCsv(rows, ["a", "b"]));
  assert.equal(await text(jsonLines(rows)), toJsonl(rows));
  assert.deepEqual(JSON.parse(await text(jsonArray(rows))), rows);
  assert.deepEqual(JSON.parse(await text(jsonArray([]))), []);
});
