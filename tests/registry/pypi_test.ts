import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { installed } from "./installed.ts";
import { type PypiRegistry, startPypiRegistry } from "./pypi.ts";

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";

Deno.test("a published file is in both forms of the index, the JSON API and at its address", async () => {
  await using registry = startPypiRegistry();
  const [wheel, sdist] = registry.publish({
    name: "Alpha.Beta",
    version: "1.0",
    files: ["wheel", "sdist"],
    provenance: true,
    uploadedAt: "2026-01-02T03:04:05Z",
  });
  assert.equal(wheel.filename, "alpha_beta-1.0-py3-none-any.whl");
  assert.equal(sdist.filename, "alpha_beta-1.0.tar.gz");
  const page = await json(registry, "simple/alpha-beta/");
  assert.deepEqual(page.versions, ["1.0"]);
  assert.equal(page.files[0]["upload-time"], "2026-01-02T03:04:05Z");
  assert.equal((await (await fetch(page.files[0].provenance)).json()).version, 1);
  const bytes = await (await fetch(page.files[0].url)).bytes();
  assert.equal(createHash("sha256").update(bytes).digest("hex"), page.files[0].hashes.sha256);
  assert.match(await (await fetch(`${page.files[0].url}.metadata`)).text(), /^Name: Alpha.Beta$/m);
  const html = await (await fetch(`${registry.index}alpha-beta/`)).text();
  assert.equal(html.match(/<a /g)?.length, 2);
  const legacy = await json(registry, "pypi/alpha-beta/json");
  assert.equal(legacy.info.version, "1.0");
  assert.equal(legacy.releases["1.0"].length, 2);
  assert.equal((await json(registry, "pypi/alpha-beta/1.0/json")).releases, undefined);
  assert.deepEqual((await json(registry, "simple/")).projects, [{ name: "alpha-beta" }]);
  assert.equal((await fetch(`${registry.index}nothing/`)).status, 404);
});

Deno.test("a version may get a further file later, and be yanked", async () => {
  await using registry = startPypiRegistry({ forms: "json" });
  registry.publish({ name: "alpha", version: "1.0", files: ["sdist"] });
  registry.publish({ name: "alpha", version: "1.0", build: "2", uploadedAt: null, tamper: true });
  registry.yank("alpha", "1.0", "broken");
  const { files } = await json(registry, "simple/alpha/");
  assert.deepEqual(files.map((file: { yanked: unknown }) => file.yanked), ["broken", "broken"]);
  assert.equal(files[1].filename, "alpha-1.0-2-py3-none-any.whl");
  assert.equal("upload-time" in files[1], false);
  assert.equal(files[1].hashes.sha256, "0".repeat(64));
});

for (const forms of ["both", "json", "html"] as const) {
  Deno.test({
    name: `pip installs a package and its dependency from the registry (${forms})`,
    ignore: !installed("python3"),
    async fn() {
      await using registry = startPypiRegistry({ forms });
      registry.publish({ name: "Beta.Pkg", version: "1.0+local.1" });
      registry.publish({ name: "alpha", version: "2.0", dependencies: ["beta-pkg>=1"] });
      const folder = await Deno.makeTempDir();
      try {
        const output = await pip(registry.index, folder, "alpha");
        assert.match(output, /Successfully installed alpha-2\.0 beta-pkg-1\.0\+local\.1/);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

// deno-lint-ignore no-explicit-any -- a test reads what it has written itself
async function json(registry: PypiRegistry, path: string): Promise<any> {
  const answer = await fetch(registry.url + path, { headers: { accept: JSON_TYPE } });
  assert.equal(answer.status, 200);
  return await answer.json();
}

/** Runs pip with nothing of this machine's set-up. */
async function pip(index: string, folder: string, ...requirements: string[]): Promise<string> {
  const settings = Deno.env.toObject();
  const kept = Object.entries(settings).filter(([name]) => !name.startsWith("PIP_"));
  const args = ["-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"];
  const { stdout, stderr } = await new Deno.Command("python3", {
    args: [...args, "--index-url", index, "--target", `${folder}/target`, ...requirements],
    env: { ...Object.fromEntries(kept), PIP_CONFIG_FILE: "/dev/null", HOME: folder },
    clearEnv: true,
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
