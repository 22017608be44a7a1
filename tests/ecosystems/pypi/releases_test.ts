import assert from "node:assert/strict";
import type { Release } from "../../../policy/types.ts";
import { file, indexOf, page, SHA } from "./world.ts";

async function releaseOf(more: Record<string, unknown>, version = "1.4"): Promise<Release> {
  const fields = file("demo-1.0-py3-none-any.whl", more);
  const index = await indexOf(page([fields], { meta: { "api-version": version } }));
  return index.releases[0];
}

Deno.test("each file is a release of its own, with its own age and yank", async () => {
  const index = await indexOf(page([
    file("demo-1.0.tar.gz", { size: 12, "upload-time": "2020-01-01T00:00:00Z" }),
    file("demo-1.0-py3-none-any.whl", {
      yanked: "broken",
      "upload-time": "2026-11-20T10:00:00.5Z",
    }),
  ], { name: "Demo" }));
  assert.equal(index.name, "Demo");
  assert.deepEqual(index.releases.map(({ files: _, ...release }) => release), [
    {
      ecosystem: "pypi",
      name: "Demo",
      version: "1.0",
      publishedAt: Date.UTC(2020, 0, 1),
      yanked: false,
      trust: "none",
      installScripts: true,
      deprecated: null,
    },
    {
      ecosystem: "pypi",
      name: "Demo",
      version: "1.0",
      publishedAt: Date.UTC(2026, 10, 20, 10, 0, 0, 500),
      yanked: "broken",
      trust: "none",
      installScripts: false,
      deprecated: null,
    },
  ]);
  assert.deepEqual(index.releases[0].files, [{
    filename: "demo-1.0.tar.gz",
    url: "https://files.pythonhosted.org/packages/aa/bb/demo-1.0.tar.gz",
    digest: { algorithm: "sha256", hex: SHA },
    size: 12,
  }]);
});

const TIMES: [text: unknown, time: number | null][] = [
  ["2024-01-02T03:04:05Z", Date.UTC(2024, 0, 2, 3, 4, 5)],
  ["2024-01-02T03:04:05.678901Z", Date.UTC(2024, 0, 2, 3, 4, 5, 678)],
  ["2024-01-02T03:04:05+00:00", Date.UTC(2024, 0, 2, 3, 4, 5)],
  ["2024-02-30T00:00:00Z", null],
  ["2024-13-01T00:00:00Z", null],
  ["2024-01-02T03:04:05", null],
  ["2024-01-02", null],
  ["yesterday", null],
  ["", null],
  [1704164645, null],
  [null, null],
  [undefined, null],
];

for (const [text, time] of TIMES) {
  Deno.test(`an upload-time of ${JSON.stringify(text)} is ${time}`, async () => {
    assert.equal((await releaseOf({ "upload-time": text })).publishedAt, time);
  });
}

Deno.test("provenance is trusted publishing; without it is none, or unknown before 1.3", async () => {
  const provenance = "https://pypi.org/integrity/demo/1.0/demo-1.0-py3-none-any.whl/provenance";
  assert.equal((await releaseOf({ provenance })).trust, "trusted_publisher");
  assert.equal((await releaseOf({ provenance: null })).trust, "none");
  assert.equal((await releaseOf({}, "1.3")).trust, "none");
  assert.equal((await releaseOf({}, "1.2")).trust, null);
  assert.equal((await releaseOf({ provenance }, "1.0")).trust, "trusted_publisher");
});

Deno.test("a yank is its reason, empty if there is none", async () => {
  assert.equal((await releaseOf({ yanked: true })).yanked, "");
  assert.equal((await releaseOf({ yanked: "" })).yanked, "");
  assert.equal((await releaseOf({ yanked: undefined })).yanked, false);
});

Deno.test("the strongest digest counts, and none is no fault", async () => {
  const digest = async (hashes: unknown) => (await releaseOf({ hashes })).files[0].digest;
  const sha512 = "CD".repeat(64);
  assert.deepEqual(await digest({ md5: "ab".repeat(16), sha256: SHA, sha512 }), {
    algorithm: "sha512",
    hex: "cd".repeat(64),
  });
  assert.equal(await digest({}), null);
  assert.equal(await digest({ blake2b: "x" }), null);
  assert.equal(await digest(undefined), null);
});

Deno.test("a version is spelled as the index's own list spells it", async () => {
  const files = ["demo-1.0-1.tar.gz", "demo-2018.4-py3-none-any.whl", "demo-3.0.bogus.1.tar.gz"];
  const index = await indexOf(page(files.map((name) => file(name)), {
    versions: ["1.0.post1", "2018.04.0"],
  }));
  const versions = index.releases.map(({ version }) => version);
  assert.deepEqual(versions, ["1.0.post1", "2018.04.0", "3.0.bogus.1"]);
});

Deno.test("a quarantined project without files is read, and an empty one", async () => {
  const status = { status: "quarantined", reason: "malware" };
  const index = await indexOf(page([], { "project-status": status }));
  assert.deepEqual(index.releases, []);
});

Deno.test("a project's status says whether it is given up (PEP 792)", async () => {
  const of = async (status: unknown) => {
    const fields = file("demo-1.0-py3-none-any.whl");
    return (await indexOf(page([fields], { "project-status": status }))).releases[0].deprecated;
  };
  assert.equal(await of({ status: "active" }), false);
  assert.equal(await of({ status: "deprecated" }), "deprecated");
  assert.equal(await of({ status: "archived", reason: "use demo2" }), "archived: use demo2");
  assert.equal(await of(undefined), null);
  assert.equal(await of("archived"), null);
});
