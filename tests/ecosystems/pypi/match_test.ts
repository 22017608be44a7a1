import assert from "node:assert/strict";
import fc from "fast-check";
import type { RegistryRequest, Target } from "../../../ecosystems/ecosystem.ts";
import { pypi } from "../../../ecosystems/pypi/mod.ts";
import { JSON_TYPE } from "./world.ts";

function request(path: string, more: Partial<RegistryRequest> = {}): RegistryRequest {
  const headers = new Headers({ accept: JSON_TYPE });
  return { method: "GET", mount: "pypi", path, search: "", headers, ...more };
}

function match(path: string, more: Partial<RegistryRequest> = {}): Target | null {
  return pypi.match(request(path, more));
}

const REDIRECTS: [from: string, to: string][] = [
  ["simple", "simple/"],
  ["simple/demo", "simple/demo/"],
  ["simple/Demo.Pkg/", "simple/demo-pkg/"],
  ["simple/Demo__Pkg", "simple/demo-pkg/"],
  ["simple/%44emo/", "simple/demo/"],
  ["Demo.Pkg/", "demo-pkg/"],
  ["demo", "demo/"],
  ["Demo/json", "demo/json"],
  ["demo/json/", "demo/json"],
  ["Demo/1.0%2Blocal/json/", "demo/1.0%2Blocal/json"],
  ["simple/json", "simple/json/"],
];

for (const [from, to] of REDIRECTS) {
  Deno.test(`${from} redirects to ${to}`, () => {
    assert.deepEqual(match(from), { kind: "redirect", path: to });
  });
}

Deno.test("a project's page is its index in the form that Accept names", () => {
  assert.deepEqual(match("simple/demo-pkg/"), { kind: "index", name: "demo-pkg", form: "json" });
  const headers = new Headers();
  assert.deepEqual(match("simple/demo/", { headers }), {
    kind: "index",
    name: "demo",
    form: "html",
  });
});

Deno.test("<base>/pypi/ is an index address too", () => {
  assert.deepEqual(match("demo/"), { kind: "index", name: "demo", form: "json" });
  assert.equal(match("")?.kind, "page");
});

Deno.test("projects called simple, packages, integrity and json can be reached", () => {
  for (const name of ["simple", "packages", "integrity", "json"]) {
    assert.deepEqual(match(`simple/${name}/`), { kind: "index", name, form: "json" });
  }
  assert.deepEqual(match("packages/"), { kind: "index", name: "packages", form: "json" });
  assert.deepEqual(match("integrity/"), { kind: "index", name: "integrity", form: "json" });
  for (const path of ["packages/json", "integrity/json", "packages/1.0/json", "simple/1.0/json"]) {
    const target = match(path);
    assert.ok(target?.kind === "index" && target.document !== undefined, path);
  }
});

Deno.test("the JSON API is a form of the index, made from its own document", () => {
  const accept = "application/json";
  assert.deepEqual(match("demo/json"), {
    kind: "index",
    name: "demo",
    form: "legacy",
    document: { url: "../pypi/demo/json", accept },
  });
  assert.deepEqual(match("demo/1.0%2Blocal/json"), {
    kind: "index",
    name: "demo",
    form: "legacy/1.0+local",
    document: { url: "../pypi/demo/1.0%2Blocal/json", accept },
  });
});

Deno.test("a file's path is kept as it came, with the projects it may be of", () => {
  const path = "packages/ab/cd/ef01/demo_pkg-1.0%2Blocal-py3-none-any.whl";
  for (const mount of ["pypi", "files"]) {
    assert.deepEqual(match(path, { mount }), { kind: "file", names: ["demo-pkg"], path });
  }
  assert.deepEqual(match(`${path}.metadata`), {
    kind: "file",
    names: ["demo-pkg"],
    path: `${path}.metadata`,
  });
});

Deno.test("a file below packages/+/ names its project", () => {
  const path = "packages/+/demo/a-b-1.0.tar.gz";
  assert.deepEqual(match(path), { kind: "file", names: ["demo"], path });
  assert.equal(match("packages/+/_/a-b-1.0.tar.gz"), null);
});

Deno.test("provenance passes through to a fixed address", () => {
  const path = "integrity/Demo/1.0%2B1/demo-1.0%2B1-py3-none-any.whl/provenance";
  assert.deepEqual(match(path), {
    kind: "pass",
    method: "GET",
    path: "../integrity/demo/1.0%2B1/demo-1.0%2B1-py3-none-any.whl/provenance",
    accept: "application/vnd.pypi.integrity.v1+json",
    name: "demo",
  });
});

const NOTHING = [
  "packages/ab/cd/demo",
  "packages/ab/cd/demo.tar.gz",
  "packages/ab/cd/demo-1.0.tar.gz/",
  "packages/../simple/x",
  "packages/%2e%2e/demo-1.0.tar.gz",
  "packages/a%2Fb/demo-1.0.tar.gz",
  "packages/%5c/demo-1.0.tar.gz",
  "packages/%00/demo-1.0.tar.gz",
  "packages/%ff/demo-1.0.tar.gz",
  "packages//demo-1.0.tar.gz",
  "simple/demo/extra",
  "simple//demo/",
  "simple/-/",
  "simple/dem%20o/",
  "demo/1.0/other",
  "demo/../json",
  "demo/..%2f..%2fetc/json",
  "integrity/demo/1.0/x/provenance",
  "integrity/demo/1 0/demo-1.0.tar.gz/provenance",
  "integrity/demo/1.0/demo-1.0.tar.gz/publish",
  "/",
  "//",
];

for (const path of NOTHING) {
  Deno.test(`${path} is nothing`, () => assert.equal(match(path), null));
}

Deno.test("the files mount has files only, and nothing is written", () => {
  for (const path of ["", "simple/", "simple/demo/", "demo/json"]) {
    assert.equal(match(path, { mount: "files" }), null);
  }
  assert.equal(match("simple/demo/", { method: "POST" }), null);
  assert.equal(match("", { method: "PUT" }), null);
});

Deno.test("match is total, and gives no address outside the upstream's interfaces", () => {
  const segment = fc.oneof(
    fc.constantFrom(
      "simple",
      "packages",
      "integrity",
      "json",
      "provenance",
      "..",
      "%2e%2e",
      "+",
      "",
    ),
    fc.constantFrom("demo", "Demo", "1.0", "demo-1.0.tar.gz", "a%2f..", "http:", "@", "%"),
    fc.string(),
  );
  const path = fc.array(segment, { maxLength: 6 }).map((parts) => parts.join("/"));
  const mount = fc.constantFrom("pypi", "files");
  fc.assert(
    fc.property(path, mount, (path, mount) => {
      const target = match(path, { mount });
      const addresses = target?.kind === "pass"
        ? [target.path]
        : target?.kind === "index" && typeof target.document === "object"
        ? [target.document.url]
        : [];
      if (target?.kind === "index") addresses.push(pypi.indexAddress(target.name).url);
      for (const address of addresses) {
        const { href } = new URL(address, "https://pypi.org/simple/");
        assert.match(href, /^https:\/\/pypi\.org\/(simple|pypi|integrity)\/[a-z0-9-]+\//);
      }
      if (target?.kind === "redirect") {
        const followed = match(target.path, { mount });
        assert.ok(followed !== null && followed.kind !== "redirect", target.path);
      }
    }),
    { numRuns: 2000 },
  );
});
