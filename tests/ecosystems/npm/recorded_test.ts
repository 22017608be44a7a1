import assert from "node:assert/strict";
import { InvalidMetadata } from "../../../ecosystems/errors.ts";
import { filterNaively } from "./naive.ts";
import { MOUNT, read, render, viewOf } from "./world.ts";

const FIXTURES = new URL("../../../../shared/fixtures/npm/packument/", import.meta.url);
const ignore = !exists(FIXTURES);

/** Not packuments, or broken on purpose. */
const REFUSED = new Set(["200_with_invalid_json.txt", "login_form.html"]);

Deno.test({ name: "recorded packuments keep every field when nothing is withheld", ignore }, () => {
  each((text, file) => {
    const document = JSON.parse(text);
    const index = read(text, document.name);
    assert.deepEqual(
      render(index, "full", viewOf(index, new Set(), true)).json,
      document,
      file,
    );
    assert.equal(index.releases.length, Object.keys(document.versions ?? {}).length, file);
  });
});

Deno.test({ name: "recorded packuments are spliced as parsing and printing would", ignore }, () => {
  each((text, file) => {
    const document = JSON.parse(text);
    const versions = Object.keys(document.versions ?? {});
    const index = read(text, document.name);
    for (const hidden of [everyThird(versions), newest(document, versions)]) {
      if (hidden.size === 0 || hidden.size === versions.length) continue;
      const { json } = render(index, "full", viewOf(index, hidden, true));
      delete json.policyRestrictions;
      assert.deepEqual(json, filterNaively(document, hidden), file);
    }
  });
});

Deno.test(
  { name: "no hidden version of a recorded packument gets out in any form", ignore },
  () => {
    each((text, file) => {
      const document = JSON.parse(text);
      const versions = Object.keys(document.versions ?? {});
      const index = read(text, document.name);
      const hidden = everyThird(versions);
      if (hidden.size === 0 || hidden.size === versions.length) return;
      for (const form of ["full", "abbreviated"]) {
        const { json } = render(index, form, viewOf(index, hidden));
        for (
          const [version, manifest] of Object.entries<{ dist?: { tarball?: string } }>(
            json.versions,
          )
        ) {
          assert.ok(!hidden.has(version), `${file} ${version}`);
          const tarball = manifest.dist?.tarball;
          if (tarball !== undefined) assert.ok(tarball.startsWith(MOUNT), `${file} ${tarball}`);
        }
        for (const version of Object.values<string>(json["dist-tags"])) {
          assert.ok(version in json.versions, `${file} ${form}: a tag dangles at ${version}`);
        }
      }
    });
  },
);

Deno.test({ name: "the abbreviated form built here equals the registry's own", ignore }, () => {
  const corgi = JSON.parse(Deno.readTextFileSync(new URL("corgi/esbuild.json", FIXTURES)));
  const text = Deno.readTextFileSync(new URL("esbuild.json", FIXTURES));
  const index = read(text, "esbuild");
  const { json } = render(index, "abbreviated", viewOf(index, new Set(), true));
  let compared = 0;
  for (const [version, theirs] of Object.entries<Record<string, unknown>>(corgi.versions)) {
    const ours = json.versions[version];
    if (ours === undefined) continue;
    for (
      const field of [
        "name",
        "version",
        "dependencies",
        "optionalDependencies",
        "bin",
        "engines",
        "hasInstallScript",
      ]
    ) {
      assert.deepEqual(ours[field], theirs[field], `${version} ${field}`);
    }
    compared++;
  }
  assert.ok(compared > 10, `${compared} versions compared`);
});

Deno.test({ name: "recorded answers that are no packument are refused", ignore }, () => {
  for (const file of REFUSED) {
    const text = Deno.readTextFileSync(new URL(`odd/${file}`, FIXTURES));
    assert.throws(() => read(text, "pkg"), InvalidMetadata, file);
  }
});

function each(check: (text: string, file: string) => void): void {
  let seen = 0;
  const visit = (folder: URL) => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) visit(new URL(`${name}/`, folder));
      else if (name.endsWith(".json")) {
        check(Deno.readTextFileSync(new URL(name, folder)), name);
        seen++;
      }
    }
  };
  visit(FIXTURES);
  assert.ok(seen > 30, `${seen} packuments read`);
}

function everyThird(versions: string[]): Set<string> {
  return new Set(versions.filter((_, i) => i % 3 === 1));
}

function newest(
  document: { "dist-tags"?: Record<string, string> },
  versions: string[],
): Set<string> {
  const latest = document["dist-tags"]?.latest;
  return new Set(versions.filter((version) => version === latest));
}

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url).isDirectory;
  } catch {
    return false;
  }
}
