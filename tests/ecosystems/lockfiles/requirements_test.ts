/** requirements.txt. */
import assert from "node:assert/strict";
import { assertInvalid, lines, purls, read, skipped } from "./reading.ts";

const REQUIREMENTS = `# Made by hand
--index-url https://user:secret@pypi.example/simple
-i https://pypi.example/simple
--no-binary :all: --pre --extra-index-url=https://more.example/simple

Tea_Pot==1.0  # the pot
leaf [hot,cold] == 2.0 ; python_version >= "3.8"
hashed==3.0 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
    # via tea-pot
exact===4.0+local
both>=1,==5.0,!=6
parens (==6.0)
options==7.0 --config-settings "x=y" --hash sha256:cccc
epoch==1!2.0.post1
ranged>=1
wild==1.*
bare
-r other.txt
--constraint=constraints.txt
-rglued.txt
-e git+https://user:secret@git.example/a/g.git#egg=g
named @ https://files.example/named-1.0.whl
glued[hot]@https://files.example/glued-1.0.whl
https://files.example/u-1.0.whl
./local
`;

Deno.test("pins are read, with hashes, markers, extras and lines that go on", async () => {
  const locked = await read(REQUIREMENTS);
  assert.equal(locked.format, "requirements.txt");
  assert.deepEqual(lines(locked), {
    "pkg:pypi/tea-pot@1.0": 6,
    "pkg:pypi/leaf@2.0": 7,
    "pkg:pypi/hashed@3.0": 8,
    "pkg:pypi/exact@4.0+local": 12,
    "pkg:pypi/both@5.0": 13,
    "pkg:pypi/parens@6.0": 14,
    "pkg:pypi/options@7.0": 15,
    "pkg:pypi/epoch@1!2.0.post1": 16,
  });
  const integrity = locked.entries.map((entry) => entry.integrity);
  assert.deepEqual([integrity[0], integrity[2], integrity[6]], [
    undefined,
    "sha256:aaaa sha256:bbbb",
    "sha256:cccc",
  ]);
  assert.deepEqual(skipped(locked), [
    "ranged is not pinned",
    "wild is not pinned",
    "bare is not pinned",
    "other.txt is another file of requirements, to be checked itself",
    "constraints.txt is another file of requirements, to be checked itself",
    "glued.txt is another file of requirements, to be checked itself",
    "git.example/a/g.git is an editable install, of no registry",
    "named is from an address, of no registry (files.example/named-1.0.whl)",
    "glued is from an address, of no registry (files.example/glued-1.0.whl)",
    "files.example/u-1.0.whl is from an address, of no registry (files.example/u-1.0.whl)",
    "./local is from an address, of no registry (./local)",
  ]);
});

Deno.test("PowerShell's UTF-16 and Windows' lines are read", async () => {
  const text = "\ufeffleaf==2.0\r\nTea-Pot==1.0\r\n";
  const little = new Uint8Array(new Uint16Array([...text].map((c) => c.charCodeAt(0))).buffer);
  const big = little.map((_, i) => little[i ^ 1]);
  for (const bytes of [little, big, new TextEncoder().encode(text)]) {
    const locked = await read(bytes);
    assert.deepEqual(purls(locked), ["pkg:pypi/leaf@2.0", "pkg:pypi/tea-pot@1.0"]);
  }
});

Deno.test("a file without any pin is known by its name only", async () => {
  const text = "leaf\nTea-Pot>=1\n";
  await assertInvalid(text, /^Cannot tell what this file is/);
  const locked = await read(text, "requirements-dev.txt");
  assert.deepEqual(skipped(locked), ["leaf is not pinned", "Tea-Pot is not pinned"]);
  assert.deepEqual((await read("", "requirements.txt")).entries, []);
});

Deno.test("a line that is none of pip's is refused", async () => {
  for (const line of ["leaf = 2.0", "leaf==", "a b c", "==1.0", "leaf==1.0,", "{}"]) {
    await assertInvalid(
      `ok==1\n${line}\n`,
      /requirements\.txt, line 2: .* is no requirement/,
      "requirements.txt",
    );
  }
});

Deno.test("a line that ends for pip where it does not end here is refused", async () => {
  for (const end of ["\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]) {
    await assertInvalid(
      `good==1.0\n# see the docs${end}evil==6.6.6\n`,
      /requirements\.txt, line 2: It has U\+[0-9A-F]{4}, at which some tools end a line/,
    );
  }
  assert.deepEqual(purls(await read("good==1.0 # a\r\n# b\r\n")), ["pkg:pypi/good@1.0"]);
});

Deno.test("a file that pip is told to read in another encoding is refused", async () => {
  const hidden = "# +AAo-evil==6.6.6\ngood==1.0\n";
  const heads = [
    "# -*- coding: utf-7 -*-\n",
    "\n# vim: fileencoding=latin-1\n",
    "# coding: utf-7 coding: utf-8\n# coding: utf-8\n",
  ];
  for (const head of heads) {
    await assertInvalid(
      head + hidden,
      /requirements\.txt, line [12]: pip would read it as "(?:utf-7|latin-1)"/,
    );
  }
  for (const head of ["# coding: UTF-8\n", "\n\n# coding: utf-7\n"]) {
    assert.deepEqual(purls(await read(head + hidden)), ["pkg:pypi/good@1.0"]);
  }
});

Deno.test("options that could name other packages are none of those passed over", async () => {
  const lines = [
    "--requirem other.txt",
    "--requirem=other.txt",
    "--edi git+https://git.example/x.git",
    "--pre -r other.txt",
    "--index-url https://pypi.example/simple --constraint other.txt",
    "-i https://pypi.example/simple other",
    "--extra-index-url",
    "--no-index=1",
    "-q",
  ];
  for (const line of lines) {
    await assertInvalid(`good==1.0\n${line}\n`, /line 2: .* has an option that is not known/);
  }
});
