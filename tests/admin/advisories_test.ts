import assert from "node:assert/strict";
import { importAdvisories } from "../../admin/advisories/import.ts";
import { readZip } from "../../admin/advisories/zip.ts";
import { ECOSYSTEMS } from "../../ecosystems/mod.ts";
import { AdvisoryStore, type BulkHead } from "../../policy/store/advisories.ts";
import { testProxy } from "../proxy.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { advisory, type OsvRecord } from "../registry/osv.ts";
import { zip } from "../registry/zip.ts";

const NPM = { "user-agent": "npm/12.0.0", accept: "application/json" };
const ROOT = new URL("../../", import.meta.url);

/** A zip file of records; and the same as a folder. */
async function bulk(...records: readonly (OsvRecord | string)[]) {
  const folder = await Deno.makeTempDir();
  const texts = records.map((record, i) => ({
    name: `record-${i}.json`,
    text: typeof record === "string" ? record : JSON.stringify(record),
  }));
  const archive = zip(texts.map(({ name, text }) => ({ path: name, content: text })));
  await Deno.mkdir(`${folder}/records`);
  for (const { name, text } of texts) await Deno.writeTextFile(`${folder}/records/${name}`, text);
  await Deno.writeFile(`${folder}/all.zip`, archive);
  return {
    zip: `${folder}/all.zip`,
    folder: `${folder}/records`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Packages of each ecosystem. */
const sizes = (heads: ReadonlyMap<string, BulkHead>) =>
  [...heads].map(([id, { packages }]) => [id, packages]);

/** Tells whenever KV is asked what was imported for an ecosystem. */
function watched(told: () => void): (kv: Deno.Kv) => Deno.Kv {
  return (kv) =>
    new Proxy(kv, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "get" && Array.isArray(args[0]) && args[0][0] === "advisory_bulk") told();
          return value.apply(target, args);
        };
      },
    });
}

const bad = advisory("MAL-2026-1", { name: "bad", versions: ["1.0.1"] });
const other = advisory("MAL-2026-2", { name: "other", versions: ["1.0.0"] });
const crate = advisory("MAL-2026-3", { ecosystem: "crates.io", name: "a_b", versions: ["1.0.0"] });

Deno.test("without OSV the proxy judges by what was imported, replaced as a whole per ecosystem", async () => {
  await using npm = startNpmRegistry();
  for (const version of ["1.0.0", "1.0.1"]) npm.publish({ name: "bad", version });
  npm.publish({ name: "other", version: "1.0.0" });
  await using proxy = await testProxy({ upstreams: { npm: npm.url } });
  const store = new AdvisoryStore(proxy.kv);
  const versions = async (name: string) => {
    const response = await proxy.fetch(`/npm/${name}`, { headers: NPM });
    const body = await response.json();
    return response.status === 200 ? Object.keys(body.versions) : [`${response.status}`];
  };
  const load = (path: string) =>
    importAdvisories(path, { store, ecosystems: ECOSYSTEMS, now: proxy.clock.now });
  assert.deepEqual(await versions("bad"), ["1.0.0", "1.0.1"]);
  {
    await using first = await bulk(bad);
    assert.deepEqual([...(await load(first.zip)).keys()], ["npm"]);
    await using crates = await bulk(crate);
    assert.deepEqual([...(await load(crates.folder)).keys()], ["cargo"]);
  }
  proxy.clock.now += 2 * 60_000;
  assert.deepEqual(await versions("bad"), ["1.0.0"]);
  assert.deepEqual(await versions("other"), ["1.0.0"]);
  {
    await using second = await bulk(other);
    await load(second.folder);
  }
  proxy.clock.now += 2 * 60_000;
  assert.deepEqual(await versions("bad"), ["1.0.0", "1.0.1"]);
  assert.deepEqual(await versions("other"), ["403"]);
  const heads = await store.bulks();
  assert.deepEqual(sizes(heads), [["cargo", 1], ["npm", 1]]);
  const entries = await Array.fromAsync(proxy.kv.list({ prefix: ["bulk_advisories"] }));
  assert.equal(entries.length, 2, "nothing of the first import of npm is left");
});

/** As GitHub has them: one record of packages in several ecosystems, which is in the file of each. */
const both = {
  id: "GHSA-aaaa-bbbb-cccc",
  modified: "2026-01-01T00:00:00Z",
  affected: [["npm", "swagger-ui"], ["PyPI", "swagger-ui-py"]].map(([ecosystem, name]) => ({
    package: { ecosystem, name },
    ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "4.1.3" }] }],
  })),
};
const python = advisory("PYSEC-2026-1", { ecosystem: "PyPI", name: "x", versions: ["1"] });

Deno.test("a file replaces what it is for, not what else its records name", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  const load = (path: string, only?: readonly string[]) =>
    importAdvisories(path, { store, ecosystems: ECOSYSTEMS, now: 1, only });
  await using npm = await bulk(bad, other, both);
  await using pypi = await bulk(both, python);
  assert.deepEqual(sizes(await load(npm.zip)), [["npm", 3]]);
  for (const path of [pypi.zip, pypi.folder]) {
    assert.deepEqual(sizes(await load(path)), [["pypi", 2]]);
  }
  assert.deepEqual(sizes(await store.bulks()), [["npm", 3], ["pypi", 2]]);
  const found = await store.imported("npm", "bad");
  assert.deepEqual(found?.answer?.list.map(({ id }) => id), ["MAL-2026-1"]);
});

Deno.test("a folder replaces what each zip file in it is for, and all that lies beside them", async () => {
  const maven = advisory("GHSA-1111", { ecosystem: "Maven", name: "a:b" });
  const alsoCargo = { ...crate, affected: [...crate.affected ?? [], ...maven.affected ?? []] };
  await using npm = await bulk(bad, other, both);
  await using java = await bulk(maven, alsoCargo);
  await using pypi = await bulk(python);
  const { folder } = pypi;
  await Deno.rename(npm.zip, `${folder}/npm.zip`);
  await Deno.rename(java.zip, `${folder}/maven.zip`);
  await Deno.mkdir(`${folder}/more`);
  await Deno.writeTextFile(`${folder}/more/record.json`, JSON.stringify(both));
  using kv = await Deno.openKv(":memory:");
  const options = { store: new AdvisoryStore(kv), ecosystems: ECOSYSTEMS, now: 1 };
  assert.deepEqual(sizes(await importAdvisories(folder, options)), [["npm", 3], ["pypi", 2]]);
  await Deno.writeTextFile(`${folder}/more/record.json`, JSON.stringify(crate));
  await assert.rejects(importAdvisories(folder, options), /--ecosystem/);
});

Deno.test("what nobody can tell the ecosystem of replaces nothing, unless it is said", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  const load = (path: string, only?: readonly string[]) =>
    importAdvisories(path, { store, ecosystems: ECOSYSTEMS, now: 1, only });
  await using mixed = await bulk(bad, both, python);
  const git = { id: "CVE-2026-1", modified: "2026-01-01T00:00:00Z", affected: [{}] };
  await using nameless = await bulk(bad, git);
  for (const { zip, folder } of [mixed, nameless]) {
    for (const path of [zip, folder]) await assert.rejects(load(path), /--ecosystem/);
  }
  assert.equal((await store.bulks()).size, 0);
  assert.deepEqual(sizes(await load(mixed.zip, ["npm"])), [["npm", 2]]);
  assert.deepEqual(sizes(await load(mixed.zip, ["npm", "pypi"])), [["npm", 2], ["pypi", 2]]);
  await assert.rejects(load(mixed.zip, ["npm", "cargo"]), /no advisory in it is of cargo/);
  assert.deepEqual(sizes(await store.bulks()), [["npm", 2], ["pypi", 2]]);
});

Deno.test("of several copies of a record the newest counts, whichever comes first", async () => {
  const at = (modified: string, more = {}) => ({ ...bad, ...more, modified });
  const withdrawn = at("2026-02-01T00:00:00.000002Z", { withdrawn: "2026-02-01T00:00:00Z" });
  const renamed = advisory(bad.id, { name: "renamed", modified: "2026-03-01T00:00:00Z" });
  const older = at("2026-02-01T00:00:00.000001Z");
  for (
    const [records, names] of [[[older, withdrawn], []], [[older, renamed], ["renamed"]]] as const
  ) {
    for (const order of [records, records.toReversed()]) {
      using kv = await Deno.openKv(":memory:");
      const store = new AdvisoryStore(kv);
      await using copies = await bulk(...order);
      await importAdvisories(copies.zip, { store, ecosystems: ECOSYSTEMS, now: 1 });
      const found = ["bad", "renamed"].map(async (name) =>
        (await store.imported("npm", name))?.answer === null ? [] : [name]
      );
      assert.deepEqual((await Promise.all(found)).flat(), names);
    }
  }
});

Deno.test("what was imported of a package is looked up while its index is on its way", async () => {
  await using npm = startNpmRegistry();
  npm.publish({ name: "bad", version: "1.0.1" });
  await using proxy = await testProxy({ upstreams: { npm: npm.url } });
  const { indexes, publicSources } = proxy.deps;
  const ecosystem = ECOSYSTEMS.find(({ id }) => id === "npm")!;
  await using imported = await bulk(bad);
  const store = new AdvisoryStore(proxy.kv);
  await importAdvisories(imported.zip, { store, ecosystems: ECOSYSTEMS, now: proxy.clock.now });
  const source = publicSources.get("npm")!;
  const kept = await indexes.load(ecosystem, "bad", { source, purpose: "answer" });
  assert.equal(proxy.advisories.peek(kept!.value), undefined);
  proxy.advisories.expect("npm", "bad");
  await proxy.advisories.settled();
  const facts = proxy.advisories.peek(kept!.value);
  assert.deepEqual(facts?.advisories.list.map(({ id }) => id), ["MAL-2026-1"]);
});

Deno.test("without OSV nothing is looked up of packages that nobody has asked for", async () => {
  await using npm = startNpmRegistry();
  for (const name of ["first", "second"]) npm.publish({ name, version: "1.0.0" });
  npm.publish({ name: "whole", version: "1.0.0", dependencies: { first: "1", second: "1" } });
  let looks = 0;
  const wrapKv = watched(() => void looks++);
  await using proxy = await testProxy({ upstreams: { npm: npm.url }, wrapKv });
  for (const [name, expected] of [["whole", 1], ["first", 2]] as const) {
    assert.equal((await proxy.fetch(`/npm/${name}`, { headers: NPM })).status, 200);
    await proxy.advisories.settled();
    assert.equal(looks, expected, name);
    proxy.clock.now += 6_000;
  }
});

Deno.test("where nothing was imported, that is asked once for all packages of a moment", async () => {
  await using npm = startNpmRegistry();
  const names = ["one", "two", "three", "bad"];
  for (const name of names) npm.publish({ name, version: "1.0.1" });
  let looks = 0;
  const wrapKv = watched(() => void looks++);
  await using proxy = await testProxy({ upstreams: { npm: npm.url }, wrapKv });
  const status = async (name: string) => {
    const response = await proxy.fetch(`/npm/${name}`, { headers: NPM });
    await response.arrayBuffer();
    return response.status;
  };
  for (const name of ["one", "two", "three"]) assert.equal(await status(name), 200);
  assert.equal(looks, 1);
  await using imported = await bulk(bad);
  const store = new AdvisoryStore(proxy.kv);
  await importAdvisories(imported.zip, { store, ecosystems: ECOSYSTEMS, now: proxy.clock.now });
  proxy.clock.now += 5_000;
  assert.equal(await status("bad"), 403);
});

Deno.test("without OSV, an import that cannot be read vouches for nothing", async () => {
  await using npm = startNpmRegistry();
  for (const name of ["seen", "new"]) npm.publish({ name, version: "1.0.0" });
  npm.publish({ name: "bad", version: "1.0.1" });
  let fails = false;
  const wrapKv = watched(() => {
    if (fails) throw new TypeError("database is locked");
  });
  await using proxy = await testProxy({ upstreams: { npm: npm.url }, wrapKv });
  const ask = async (name: string) => {
    const response = await proxy.fetch(`/npm/${name}`, { headers: NPM });
    return { status: response.status, text: await response.text() };
  };
  await using imported = await bulk(bad);
  const store = new AdvisoryStore(proxy.kv);
  await importAdvisories(imported.zip, { store, ecosystems: ECOSYSTEMS, now: proxy.clock.now });
  for (const [name, wanted] of [["seen", 200], ["bad", 403]] as const) {
    assert.equal((await ask(name)).status, wanted);
  }
  fails = true;
  proxy.clock.now += 2 * 60_000;
  for (const [name, wanted] of [["seen", 200], ["bad", 403], ["new", 403]] as const) {
    assert.equal((await ask(name)).status, wanted, name);
  }
  assert.match((await ask("new")).text, /malware_unknown/);
  fails = false;
  proxy.clock.now += 2 * 60_000;
  for (const [name, wanted] of [["seen", 200], ["bad", 403], ["new", 200]] as const) {
    assert.equal((await ask(name)).status, wanted, name);
  }
});

Deno.test("without OSV, a database that fails where nothing was imported stands in nobody's way", async () => {
  await using npm = startNpmRegistry();
  for (const name of ["seen", "new"]) npm.publish({ name, version: "1.0.0" });
  let fails = false;
  const wrapKv = watched(() => {
    if (fails) throw new TypeError("database is locked");
  });
  await using proxy = await testProxy({ upstreams: { npm: npm.url }, wrapKv });
  for (const name of ["seen", "new"]) {
    assert.equal((await proxy.fetch(`/npm/${name}`, { headers: NPM })).status, 200, name);
    fails = true;
    proxy.clock.now += 2 * 60_000;
  }
});

Deno.test("one record that cannot be read, and what was imported before stays", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = new AdvisoryStore(kv);
  const options = { store, ecosystems: ECOSYSTEMS, now: 1 };
  {
    await using good = await bulk(bad);
    await importAdvisories(good.zip, options);
  }
  const before = await store.bulk("npm");
  for (const broken of ["{", '{"id":"MAL-1"}', '{"id":"x/y","modified":"2026-01-01T00:00:00Z"}']) {
    await using mixed = await bulk(other, broken);
    await assert.rejects(
      importAdvisories(mixed.zip, options),
      /record-1\.json.*nothing was imported/,
    );
    await assert.rejects(importAdvisories(mixed.folder, options), /nothing was imported/);
  }
  assert.deepEqual(await store.bulk("npm"), before);
});

Deno.test("what holds no advisory is no import", async () => {
  using kv = await Deno.openKv(":memory:");
  const options = { store: new AdvisoryStore(kv), ecosystems: ECOSYSTEMS, now: 1 };
  await using maven = await bulk(advisory("GHSA-1111", { ecosystem: "Maven", name: "a:b" }));
  await assert.rejects(importAdvisories(maven.zip, options), /no advisory in it/);
  const path = await Deno.makeTempFile({ suffix: ".zip" });
  try {
    for (const text of ["", "no zip file at all", "PK\x05\x06" + "\xff".repeat(18)]) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(importAdvisories(path, options), Error, text);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a damaged entry of a zip file is noticed", async () => {
  await using one = await bulk(bad);
  const bytes = await Deno.readFile(one.zip);
  for (let at = 45; at < 60; at++) bytes[at] ^= 0xff;
  await Deno.writeFile(one.zip, bytes);
  using file = await Deno.open(one.zip);
  const reading = async () => {
    for await (const entry of readZip(file)) {
      await entry.read();
    }
  };
  await assert.rejects(reading(), /Cannot read the zip file: record-0\.json/);
});

Deno.test("a zip file that holds more entries than it counts is not taken for a whole one", async () => {
  await using three = await bulk(bad, other, both);
  const bytes = await Deno.readFile(three.zip);
  new DataView(bytes.buffer).setUint16(bytes.length - 22 + 10, 2, true);
  await Deno.writeFile(three.zip, bytes);
  using kv = await Deno.openKv(":memory:");
  const options = { store: new AdvisoryStore(kv), ecosystems: ECOSYSTEMS, now: 1 };
  await assert.rejects(importAdvisories(three.zip, options), /holds more than it says/);
  assert.equal((await options.store.bulks()).size, 0);
});

Deno.test("`deno task advisories` imports advisories and says what is known", async () => {
  const gone = advisory("MAL-2026-4", {
    name: "gone",
    modified: "2026-02-01T00:00:00Z",
    withdrawn: "2026-02-01T00:00:00Z",
  });
  await using records = await bulk(bad, both, gone);
  await using mixed = await bulk(bad, both, python);
  const KV_URL = `${records.folder}/../kv.sqlite`;
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "admin/advisories.ts", ...args],
      cwd: ROOT,
      env: { KV_URL, NO_COLOR: "1", INIT_CWD: records.folder },
    }).output();
    return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
  };
  const imported = await run("import", records.zip);
  assert.equal(imported.code, 0, imported.err);
  const npm = "imported npm: 2 advisories of 2 packages, the newest of 2026-02-01T00:00:00.000Z\n";
  assert.equal(imported.out, npm);
  assert.equal((await run("import", ".")).out, npm, "the folder it is started from");
  const unclear = await run("import", mixed.zip);
  assert.deepEqual([unclear.code, unclear.out], [1, ""]);
  assert.match(unclear.err, /^Cannot import .*say so with --ecosystem\n$/);
  const pypi = await run("import", "--ecosystem", "pypi", mixed.zip);
  assert.match(pypi.out, /^imported pypi: 2 advisories of 2 packages, [^\n]*\n$/);
  assert.equal((await run("status")).out, `OSV last answered: never\n${npm}${pypi.out}`);
  assert.equal((await run("import", "none.zip")).code, 1);
  const misused = [[], ["import"], ["import", "a", "b"], ["status", "a"], ["import", "--all", "."]];
  for (const args of [...misused, ["import", "--ecosystem", "maven", "."]]) {
    assert.equal((await run(...args)).code, 2, args.join(" "));
  }
  assert.match((await run("--help")).out, /--ecosystem \(npm, pypi, cargo\)/);
});

Deno.test("a zip file whose entry claims to unfold to far more than itself is not unfolded", async () => {
  const archive = zip([{ path: "record.json", content: "x".repeat(5_000) }]);
  const view = new DataView(archive.buffer);
  const directory = view.getUint32(archive.length - 22 + 16, true);
  view.setUint16(directory + 10, 8, true); // deflated
  view.setUint32(directory + 24, 40 * 1024 * 1024, true);
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, archive);
  {
    using file = await Deno.open(path);
    const [entry] = await Array.fromAsync(readZip(file));
    await assert.rejects(entry.read(), /record\.json, which unfolds to far more than itself/);
  }
  await Deno.remove(path);
});
