/**
 * Registries' documents with something cut out, put in, doubled or swapped.
 * Whatever is made of them, it is no 500, and index and file agree.
 * FUZZ_DOCUMENTS and FUZZ_SEED say how many and which.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DAY, testProxy } from "../proxy.ts";
import { serveRegistry } from "../registry/server.ts";

const DOCUMENTS = Number(Deno.env.get("FUZZ_DOCUMENTS") ?? 1_000);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const OLD = "2020-01-01T00:00:00.000Z";
const YOUNG = new Date(Date.now() - DAY).toISOString();
const SHA256 = "0".repeat(64);

function packument(base: string, name: string): string {
  const manifest = (version: string) => ({
    name,
    version,
    dependencies: { left: "^1.0.0" },
    scripts: { install: "node x" },
    _npmUser: { name: "x", trustedPublisher: { id: "github" } },
    dist: { tarball: `${base}${name}/-/${name}-${version}.tgz`, shasum: "0".repeat(40) },
  });
  return JSON.stringify({
    _id: name,
    name,
    "dist-tags": { latest: "1.0.0", next: "1.1.0" },
    versions: { "1.0.0": manifest("1.0.0"), "1.1.0": manifest("1.1.0") },
    time: { created: OLD, modified: YOUNG, "1.0.0": OLD, "1.1.0": YOUNG },
    readme: "# é \\u2028",
  });
}

function simplePage(base: string, name: string): string {
  const file = (version: string, at: string) => ({
    filename: `${name}-${version}.tar.gz`,
    url: `${base}packages/${name}-${version}.tar.gz`,
    hashes: { sha256: SHA256 },
    "requires-python": ">=3",
    "upload-time": at,
    yanked: false,
    size: 10,
  });
  const files = [file("1.0", OLD), file("1.1", YOUNG)];
  const meta = { "api-version": "1.1" };
  return JSON.stringify({ meta, name, versions: ["1.0", "1.1"], files });
}

function crateLines(_base: string, name: string): string {
  const line = (vers: string, pubtime: string) =>
    JSON.stringify({ name, vers, deps: [], cksum: SHA256, features: {}, yanked: false, pubtime });
  return `${line("1.0.0", OLD)}\n${line("1.1.0", YOUNG)}\n`;
}

interface Change {
  readonly at: number;
  readonly length: number;
  readonly put: string;
}

const change: fc.Arbitrary<Change> = fc.record({
  // Of the document's length.
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.oneof(fc.constant(0), fc.nat(4), fc.nat(60)),
  put: fc.oneof(
    fc.constant(""),
    fc.constantFrom(
      ...[
        '"',
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "1e999",
        "\u0000",
        "\n",
        "\ud800",
        "\ufeff",
      ],
      ...[
        "\\u0000",
        "\\ud800",
        '"__proto__":',
        '"versions":{},',
        '"time":{},',
        '"name":"x",',
        "-",
        "0",
      ],
      ...['"yanked":"x",', '"files":[],', "[".repeat(2_000), '{"a":'.repeat(2_000), "<a href='x'>"],
    ),
    fc.string({ maxLength: 4, unit: "binary" }),
  ),
});

function changed(text: string, changes: readonly Change[]): string {
  return changes.reduce((document, { at, length, put }) => {
    const from = Math.floor(at * document.length);
    return document.slice(0, from) + put + document.slice(from + length);
  }, text);
}

Deno.test(`${DOCUMENTS} broken documents of each registry: no 500, and index and file agree`, async () => {
  // deno-lint-ignore no-console -- whoever wants to see it again needs the seed
  console.log(`FUZZ_SEED=${SEED}`);
  const documents = new Map<string, string>();
  await using server = serveRegistry((_request, path) => {
    const document = documents.get(path);
    if (document === undefined) {
      return /\.(?:tgz|gz|crate)$|\/download$/.test(path)
        ? { body: "x", type: "application/gzip" }
        : null;
    }
    const type = path.startsWith("/simple/")
      ? "application/vnd.pypi.simple.v1+json"
      : "application/json";
    return { body: document, type };
  });
  documents.set("/config.json", JSON.stringify({ dl: `${server.url}crates`, api: server.url }));
  await using proxy = await testProxy({
    upstreams: { npm: server.url, pypi: `${server.url}simple/`, cargo: server.url },
    policy: { rules: { license: { level: "warn", deny: ["X"] }, deprecated: { level: "warn" } } },
  });
  const statuses = new Map<number, number>();
  const ask = async (path: string, method = "GET") => {
    const response = await proxy.fetch(path, {
      method,
      headers: { accept: "application/json, */*" },
    });
    const text = await response.text();
    const { status } = response;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    assert.ok([200, 301, 302, 403, 404, 502].includes(status), `${path} ${status} ${text}`);
    return { status, text };
  };
  let count = 0;
  const property = fc.asyncProperty(
    fc.array(change, { minLength: 1, maxLength: 3 }),
    async (changes) => {
      const logged = proxy.lines.length;
      const name = `p${count++}x`;
      const npm = changed(packument(server.url, name), changes);
      documents.set(`/${name}`, npm);
      documents.set(`/simple/${name}/`, changed(simplePage(server.url, name), changes));
      const crate = `/${name.slice(0, 2)}/${name.slice(2, 4)}/${name}`;
      if (name.length >= 4) documents.set(crate, changed(crateLines(server.url, name), changes));

      const index = await ask(`/npm/${name}`);
      await ask(`/npm/${name}/1.0.0`);
      await ask(`/why/pkg:npm/${name}`);
      await ask(`/pypi/simple/${name}/`);
      await ask(`/why/pkg:pypi/${name}`);
      if (name.length >= 4) await ask(`/cargo${crate}`);
      if (index.status === 200) {
        const visible = Object.keys(JSON.parse(index.text).versions ?? {});
        for (const version of ["1.0.0", "1.1.0"]) {
          const file = await ask(`/npm/${name}/-/${name}-${version}.tgz`, "HEAD");
          // Where its address was changed too, there is no such file.
          const expected = visible.includes(version) ? [200, 404, 502] : [403, 404, 502];
          assert.ok(
            expected.includes(file.status),
            `${version} ${file.status}\n${index.text}\n${npm}`,
          );
        }
      }
      for (const line of proxy.lines.slice(logged)) {
        assert.notEqual(line.code, "internal", JSON.stringify(line));
      }
      documents.delete(`/${name}`);
    },
  );
  await fc.assert(property, { numRuns: DOCUMENTS, seed: SEED });
  // Some stay readable, some do not: else nothing was tried.
  for (const status of [200, 403, 502]) {
    assert.ok((statuses.get(status) ?? 0) > DOCUMENTS / 20, JSON.stringify([...statuses]));
  }
});
