/** Whatever is sent, the answer is what was read or a LockfileInvalid, and soon. */
import assert from "node:assert/strict";
import process from "node:process";
import fc from "fast-check";
import {
  type Locked,
  LockfileInvalid,
  MAX_LOCKFILE_BYTES,
} from "../../../ecosystems/lockfiles/mod.ts";
import { assertInvalid, read } from "./reading.ts";
import { SAMPLES } from "./samples.ts";

/** Null: it was refused as it should be; anything else that is thrown fails the test. */
async function readOrRefuse(
  content: string | Uint8Array,
  filename?: string,
): Promise<Locked | null> {
  try {
    return await read(content, filename);
  } catch (error) {
    if (!(error instanceof LockfileInvalid)) throw error;
    assert.ok(error.message.length < 600, error.message);
    return null;
  }
}

for (const { filename, make, closed } of SAMPLES) {
  Deno.test(`${filename}: all of it is read, with any name or none`, async () => {
    const text = make(20);
    for (const name of [undefined, filename, "unknown.bin", "requirements.txt"]) {
      const locked = await read(text, name);
      assert.equal(locked.entries.length, 20);
      assert.deepEqual(locked.skipped, []);
      for (const { location } of locked.entries) assert.ok(location !== null);
    }
  });

  Deno.test(`${filename}: every tenth of it is refused, or read as far as it goes`, async () => {
    const text = make(20);
    for (let tenth = 0; tenth < 10; tenth++) {
      const part = text.slice(0, Math.floor(text.length * tenth / 10));
      const locked = await readOrRefuse(part, filename);
      if (closed) assert.equal(locked, null, part);
      assert.ok(locked === null || locked.entries.length <= 20);
    }
  });

  Deno.test(`${filename}: with pieces changed it throws nothing else`, async () => {
    const text = make(3);
    const at = fc.nat(text.length);
    const piece = fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom(..."{}[]\"':,#@=\n\t \\&*!|>%$/"),
      fc.constantFrom("null", "1", "[]", "{}", '"x"', "__proto__", "\u0000", "- ", "'''", "file:"),
    );
    const property = fc.asyncProperty(at, at, piece, async (from, to, put) => {
      const end = Math.min(Math.max(from, to), from + 40);
      await readOrRefuse(text.slice(0, from) + put + text.slice(end), filename);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  if (!closed) continue;
  Deno.test(`${filename}: values of other types throw nothing else`, async () => {
    const document: unknown = JSON.parse(make(2).replace(/,(\s*[}\]])/g, "$1"));
    for (const path of paths(document)) {
      for (const value of [null, true, 1, "x", "", [], {}, [null], [1], { a: 1 }, { a: [] }]) {
        const changed = replaced(document, path, value);
        await readOrRefuse(JSON.stringify(changed), filename);
      }
    }
  });
}

type Path = readonly (string | number)[];

/** Every place in a JSON value. */
function paths(value: unknown, here: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [here];
  return [here, ...Object.entries(value).flatMap(([key, of]) => paths(of, [...here, key]))];
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) {
    return value.map((item, i) => `${i}` === key ? replaced(item, rest, by) : item);
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, of]) => [k, k === key ? replaced(of, rest, by) : of]),
  );
}

Deno.test("any text, JSON and bytes under any name throw nothing else", async () => {
  const filename = fc.constantFrom(undefined, ...SAMPLES.map((sample) => sample.filename));
  const content = fc.oneof(
    fc.string(),
    fc.json(),
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.string(), { maxLength: 10 }).map((lines) => lines.join("\n")),
    fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(content, filename, async (sent, name) => void await readOrRefuse(sent, name)),
    { numRuns: 2000 },
  );
});

Deno.test("JSON is read as JSON.parse reads it", async () => {
  const { readJsonText } = await import("../../../ecosystems/lockfiles/json_text.ts");
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  fc.assert(fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
    const text = JSON.stringify(value, null, indent);
    assert.deepEqual(plain(readJsonText(text)), JSON.parse(text));
  }));
});

Deno.test("what is no lockfile is refused with a list of what is", async () => {
  const others = [
    "",
    "\n",
    "# nothing\n",
    "{}",
    "1",
    '"x"',
    "hello\n",
    "a: b\n",
    '{"name": "app"}',
  ];
  for (const text of others) {
    const error = await assertInvalid(
      text,
      /^Cannot tell what this file is\. Known are .*Cargo\.lock/,
    );
    assert.deepEqual([error.format, error.line, error.unknown], [null, null, true]);
  }
  const manifest = JSON.stringify({ name: "app", version: "1.0.0", dependencies: { a: "^1" } });
  await assertInvalid(manifest, /^Cannot tell what this file is/, "package.json");
});

Deno.test("files that are nearly right are refused with a better word", async () => {
  await assertInvalid('<?xml version="1.0"?>\n<bom/>', /XML or HTML: SBOMs are read as JSON only/);
  await assertInvalid("SPDXVersion: SPDX-2.3\n", /tags and values/);
  await assertInvalid(new Uint8Array([0x50, 0x4b, 0xff, 0xfe]), /^The file is no text$/);
  const conflict = "a==1\n<<<<<<< HEAD\nb==1\n=======\nb==2\n>>>>>>> x\n";
  const error = await assertInvalid(conflict, /^Line 2 is a merge conflict that is not resolved$/);
  assert.equal(error.line, 2);
});

Deno.test("what two tools would read as two formats is refused", async () => {
  const evil = { "node_modules/evil": { version: "6.6.6" } };
  const npm = { lockfileVersion: 3, packages: evil };
  const json = [
    [{ bomFormat: "CycloneDX", ...npm }, /It is CycloneDX and package-lock\.json at once/],
    [{ spdxVersion: "SPDX-2.3", ...npm }, /It is SPDX and package-lock\.json at once/],
    [{ _meta: { "pipfile-spec": 6 }, ...npm }, /package-lock\.json and Pipfile\.lock at once/],
    [
      { lockfileVersion: 1, workspaces: {}, dependencies: { evil: { version: "6.6.6" } } },
      /It is bun\.lock and package-lock\.json at once/,
    ],
  ] as const;
  for (const [document, message] of json) await assertInvalid(JSON.stringify(document), message);
  const sbom = { bomFormat: "CycloneDX", components: [] };
  assert.equal((await read(JSON.stringify({ sbom, ...npm }))).entries.length, 1);
  const cargo = '[[package]]\nname = "evil"\nversion = "6.6.6"\n';
  await assertInvalid(`lock-version = "1.0"\n${cargo}`, /pylock\.toml and Cargo\.lock at once/);
  const text = '# yarn lockfile v1\n\nlockfileVersion:\n  version "6.6.6"\n';
  await assertInvalid(text, /It is pnpm-lock\.yaml and yarn\.lock at once/);
});

Deno.test("what is not what its name says is refused", async () => {
  const wrong = [
    ["package-lock.json", "CycloneDX", '{"bomFormat": "CycloneDX", "components": []}'],
    ["bun.lock", "list of PURLs", '["pkg:npm/a@1"]'],
    ["app/Cargo.lock", "pdm.lock", '[metadata]\nlock_version = "4"\n'],
    ["pnpm-lock.yaml", "list of PURLs", "pkg:npm/a@1\n"],
    ["app\\yarn.lock", "pnpm-lock.yaml", "lockfileVersion: 9\n"],
    ["Pipfile.lock", "requirements.txt", "a==1\n"],
  ];
  for (const [filename, is, text] of wrong) {
    const message = new RegExp(`^It is named as [\\w.-]+, but is ${is}$`);
    assert.equal((await assertInvalid(text, message, filename)).format, is);
  }
});

Deno.test("files over the bounds are refused", async () => {
  await assertInvalid(new Uint8Array(MAX_LOCKFILE_BYTES + 1), /^The file is over 50 MB$/);
  const many = Array.from({ length: 200_001 }, (_, i) => `a==${i}\n`).join("");
  await assertInvalid(many, /more than 200,000 entries/);
  await assertInvalid("[".repeat(10_000) + "]".repeat(10_000), /./, "package-lock.json");
  const values = `[${"0,".repeat(2_000_001)}0]`;
  await assertInvalid(`{"a": ${values}}`, /^Cannot read it as JSON: .*more than 2,000,000 values/);
  await assertInvalid(`version = 4\na = ${values}`, /TOML: It has more than 2,000,000 values/);
  await assertInvalid(`lockfileVersion: 9\na: ${values}`, /more than 1,000,000 values/);
  await assertInvalid("\n".repeat(2_000_001), /more than 2,000,000 lines/, "requirements.txt");
  await assertInvalid('{"a":'.repeat(10_000), /line 1: it is nested deeper than 256 levels/);
});

/** Of the processor, so that a busy machine fails nothing. */
function milliseconds({ user, system }: { user: number; system: number }): number {
  return (user + system) / 1000;
}

Deno.test("2,500 entries are read in well under a second", async () => {
  for (const { filename, make } of SAMPLES) {
    const text = make(2_500);
    const started = process.cpuUsage();
    const locked = await read(text, filename);
    const took = milliseconds(process.cpuUsage(started));
    assert.equal(locked.entries.length, 2_500);
    assert.ok(took < 1_000, `${filename}: ${took} ms`);
  }
});

const OPERATORS = ["==", "===", "~=", "!=", "<", "<=", ">", ">="];

function inNpmLock(resolved: string): string {
  return JSON.stringify({
    lockfileVersion: 3,
    packages: { "node_modules/a": { version: "1.0.0", resolved } },
  });
}

Deno.test("texts made to be slow are not", async () => {
  const long = 300_000;
  const slow = [
    `# ${"# ".repeat(long)}\n`,
    `a==${"1".repeat(long)}${" ".repeat(long)}!`,
    `${"a".repeat(long)}!`,
    `a${" ".repeat(long)}b\n`,
    `a[${"[".repeat(long)}==1\n`,
    `a==1${" --hash".repeat(long / 10)}\n`,
    `a==1${", ==1".repeat(long / 10)},\n`,
    `# yarn lockfile v1\n"${"\\".repeat(long)}:\n`,
    `# yarn lockfile v1\n${"a, ".repeat(long)}\n`,
    `# yarn lockfile v1\na@1:\n  version "1"\n  resolved "https://x.example${
      "/-/".repeat(long)
    }"\n`,
    `lockfileVersion: 5\npackages:\n  ? ${"/a".repeat(long)}\n  : resolution: {integrity: x}\n`,
    `lockfileVersion: 9\na: ${"{b: ".repeat(60)}${"x ".repeat(long)}`,
    `version = 4\n${"[[package]]\n".repeat(long / 10)}`,
    `{"a": "${" ".repeat(long)}`,
    `{"lockfileVersion": 3, "packages": {"node_modules/${"node_modules/".repeat(long / 10)}": {}}}`,
    "\n".repeat(long),
    "pkg:npm/a@1?" + "vcs_url&".repeat(long / 10),
    ...OPERATORS.map((operator) => `a==1\nfoo${`${operator}1,`.repeat(long / 10)}x\n`),
    `a==1\nfoo${">=1 ".repeat(long)}x\n`,
    `a==1\n${"a.".repeat(long)}\u0085!\n`,
    `a==1\nb @ ${"#".repeat(long)}\u0085!\n`,
    `# yarn lockfile v1\na@1:\n  version "1"\n  resolved "https://x.example/${
      "#".repeat(long)
    }\\n"\n`,
    `# yarn lockfile v1\n${"a@".repeat(long)} \n`,
    `# yarn lockfile v1\na@1:\n  version "${"1".repeat(long)}\n`,
    inNpmLock(`https://x.example${"/@a".repeat(long)}`),
    inNpmLock(`https://x.example${"/a/-".repeat(long)}`),
    inNpmLock(`https://github.com/${"/archive.git".repeat(long / 10)}!`),
    inNpmLock(`a/${"a.".repeat(long)}`),
    `lockfileVersion: 6\npackages:\n  ? ${"/a".repeat(long)}\n  : resolution: {integrity: x}\n`,
    `lockfileVersion: 9\npackages:\n  ? ${"a@(".repeat(long)}\n  : resolution: {integrity: x}\n`,
    `__metadata:\n  version: 8\n? a@patch:${"#".repeat(long)}\n: resolution: a@patch:${
      "#@:".repeat(long)
    }\n`,
    `version = 4\n[[package]]\nname = "a"\nversion = "1"\nsource = "${"a+".repeat(long)}?#"\n`,
    `version = 1\nrequires-python = "3"\n[[package]]\nname = "${"a-".repeat(long)}"\n`,
    `lock-version = "1.0"\n[[packages]]\nname = "a"\n[[packages.wheels]]\nname = "${
      "a-".repeat(long)
    }"\n`,
    `[metadata]\nlock-version = "2"\n[[package]]\nname = "a"\nversion = "${"1 ".repeat(long)}"\n`,
    `{"_meta": {"pipfile-spec": 6}, "default": {"a": {"version": "==${"= ".repeat(long)},"}}}`,
    `{"lockfileVersion": 1, "workspaces": {}, "packages": {"${"@a/".repeat(long)}": ["${
      "a@".repeat(long)
    }", ""]}}`,
    `{"version": "5", "npm": {"a@${"_1".repeat(long)}": {"tarball": "https://x.example${
      "/-/".repeat(long)
    }"}}}`,
    `{"bomFormat": "CycloneDX", "components": [{"purl": "pkg:${"/".repeat(long)}npm"}]}`,
    `{"bomFormat": "CycloneDX", "components": [{"purl": "pkg:npm/a@1?vcs_url=${
      "a@0123456".repeat(long / 10)
    }!"}]}`,
    `{"spdxVersion": "SPDX-2.3", "packages": [{"externalRefs": [{"referenceType": "${
      "/purl".repeat(long)
    }!"}]}]}`,
    "pkg:".repeat(long),
    `[metadata${".a".repeat(long)}\n`,
  ];
  for (const text of slow) {
    const started = process.cpuUsage();
    await readOrRefuse(text);
    const took = milliseconds(process.cpuUsage(started));
    assert.ok(took < 2_000, `${text.slice(0, 60)}: ${took} ms`);
  }
});
