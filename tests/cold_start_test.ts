/** What a start loads before the first answer: pages and the like wait until somebody wants them. */
import assert from "node:assert/strict";
import * as v from "valibot";

const graph = v.object({
  roots: v.array(v.string()),
  redirects: v.optional(v.record(v.string(), v.string()), {}),
  modules: v.array(v.object({
    specifier: v.string(),
    dependencies: v.optional(
      v.array(v.object({
        isDynamic: v.optional(v.boolean(), false),
        code: v.optional(v.object({ specifier: v.optional(v.string()) })),
      })),
      [],
    ),
  })),
});

/** By folder or file of ours, or package. */
const LATER = [
  "admin/",
  "ecosystems/issuers/client.ts",
  "ecosystems/issuers/keys.ts",
  "ecosystems/issuers/verifier.ts",
  "ecosystems/lockfiles/",
  "policy/store/alerts.ts",
  "policy/store/audit.ts",
  "policy/store/exceptions.ts",
  "policy/store/outbox.ts",
  "policy/store/requests.ts",
  "routes/ask.ts",
  "routes/check.ts",
  "routes/explanation.ts",
  "routes/setup.ts",
  "routes/why.ts",
  "npm:/hono@",
  "npm:/jose@",
  "npm:/oauth4webapi@",
  "npm:/packageurl-js@",
  "npm:/registry-url@",
  "npm:/smol-toml@",
  "npm:/js-yaml@",
  "node:dns/promises",
  "node:http",
];

Deno.test("a start loads nothing that only some requests want", async () => {
  const main = new URL("../main.ts", import.meta.url);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", main.href],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const { roots, redirects, modules } = v.parse(
    graph,
    JSON.parse(new TextDecoder().decode(stdout)),
  );
  const known = new Map(modules.map(({ specifier, dependencies }) => [specifier, dependencies]));
  const loaded = new Set(roots);
  for (const specifier of loaded) {
    for (const { isDynamic, code } of known.get(specifier) ?? []) {
      const to = code?.specifier;
      if (!isDynamic && to !== undefined) loaded.add(redirects[to] ?? to);
    }
  }
  const folder = new URL(".", main).href;
  const names = [...loaded].map((specifier) => specifier.replace(folder, ""));
  for (const start of ["routes/registry.ts", "npm:/valibot@", "node:crypto"]) {
    assert.ok(names.some((name) => name.startsWith(start)), start);
  }
  assert.deepEqual(names.filter((name) => LATER.some((start) => name.startsWith(start))), []);
  // Where something has moved, it is no longer looked for.
  const all = [...known.keys()].map((specifier) => specifier.replace(folder, ""));
  const ours = LATER.filter((start) => !/^(?:npm|node):/.test(start));
  assert.deepEqual(ours.filter((start) => !all.some((name) => name.startsWith(start))), []);
});
