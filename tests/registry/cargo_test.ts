import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type CargoRegistry, startCargoRegistry } from "./cargo.ts";
import { installed } from "./installed.ts";

Deno.test("a published crate is in the index, the API and at its download", async () => {
  await using registry = startCargoRegistry({ dl: "f/{prefix}/{crate}-{version}.crate" });
  const publishedAt = new Date("2026-01-02T03:04:05Z");
  registry.publish({ name: "Alpha", version: "1.0.0", publishedAt, pubtime: false });
  const { checksum } = registry.publish({ name: "Alpha", version: "1.1.0", trustpub: true });
  registry.yank("Alpha", "1.0.0");

  const index = await (await fetch(`${registry.url}al/ph/alpha`)).text();
  const lines = index.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((line) => line.yanked), [true, false]);
  assert.deepEqual(lines.map((line) => line.pubtime), [undefined, "2020-01-01T00:00:00Z"]);

  const file = await (await fetch(`${registry.url}f/Al/ph/Alpha-1.1.0.crate`)).bytes();
  assert.equal(createHash("sha256").update(file).digest("hex"), checksum);

  const page = await (await fetch(`${registry.url}api/v1/crates/Alpha`)).json();
  assert.equal(page.versions[1].created_at, "2026-01-02T03:04:05.000123+00:00");
  assert.equal(page.versions[0].trustpub_data.provider, "github");
  registry.remove("Alpha", "1.1.0");
  assert.equal((await fetch(`${registry.url}api/v1/crates/Alpha/1.1.0`)).status, 404);
});

Deno.test("downloads and API may have an origin of their own, behind a token", async () => {
  await using registry = startCargoRegistry({ separate: true, authorization: "secret" });
  registry.publish({ name: "alpha", version: "1.0.0" });
  assert.equal((await fetch(`${registry.url}config.json`)).status, 401);
  const headers = { authorization: "secret" };
  const config = await (await fetch(`${registry.url}config.json`, { headers })).json();
  assert.equal(config.dl, `${registry.files.url}crates`);
  assert.notEqual(registry.files.url, registry.url);
  const found = await fetch(`${config.dl}/alpha/1.0.0/download`, { headers });
  assert.equal((await found.bytes()).length > 100, true);
  assert.equal(
    (await fetch(`${registry.url}crates/alpha/1.0.0/download`, { headers })).status,
    404,
  );
});

/** Runs cargo in a project that depends on `alpha = "1"`, with nothing of this machine's set-up. */
async function inProject(registry: CargoRegistry, work: (run: Run) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/src`);
    await Deno.mkdir(`${folder}/home`);
    await Deno.writeTextFile(
      `${folder}/Cargo.toml`,
      '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nalpha = "1"\n',
    );
    await Deno.writeTextFile(
      `${folder}/src/main.rs`,
      'fn main() { println!("{}", alpha::hello()); }\n',
    );
    await Deno.writeTextFile(
      `${folder}/home/config.toml`,
      `[source.crates-io]\nreplace-with = "test"\n[source.test]\nregistry = "sparse+${registry.url}"\n` +
        `[registries.test]\nindex = "sparse+${registry.url}"\n`,
    );
    await work(async (...args) => {
      const env = { CARGO_HOME: `${folder}/home`, CARGO_TERM_COLOR: "never", CARGO_NET_RETRY: "0" };
      const result = await new Deno.Command("cargo", { args, cwd: folder, env }).output();
      return [result.stdout, result.stderr].map((out) => new TextDecoder().decode(out)).join("");
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type Run = (...args: string[]) => Promise<string>;

Deno.test({
  name: "real cargo resolves, builds, searches and prints why a download is refused",
  ignore: !installed("cargo"),
  async fn() {
    await using registry = startCargoRegistry({ separate: true });
    registry.publish({ name: "beta", version: "0.2.0", lib: 'pub const WORD: &str = "hello";' });
    registry.publish({
      name: "alpha",
      version: "1.0.0",
      dependencies: { beta: "^0.2" },
      lib: "pub fn hello() -> &'static str { beta::WORD }",
    });
    registry.publish({ name: "alpha", version: "1.1.0", yanked: true });
    await inProject(registry, async (run) => {
      assert.match(await run("run", "--quiet"), /^hello$/m);
      assert.match(
        await run("search", "--registry", "test", "alph"),
        /^alpha = "1\.0\.0"/m,
      );
      const lock = await run("tree");
      assert.match(lock, /alpha v1\.0\.0\n.*beta v0\.2\.0/);
    });
    registry.files.fault(/alpha/, { kind: "status", status: 403, body: "alpha is withheld" });
    await inProject(registry, async (run) => assert.match(await run("fetch"), /alpha is withheld/));
  },
});
