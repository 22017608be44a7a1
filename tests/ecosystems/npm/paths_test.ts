import assert from "node:assert/strict";
import fc from "fast-check";
import { matchNpm } from "../../../ecosystems/npm/paths.ts";
import { npmVersions } from "../../../ecosystems/npm/versions.ts";

function match(path: string, { method = "GET", accept, search = "" }: {
  method?: string;
  accept?: string;
  search?: string;
} = {}) {
  const headers = new Headers(accept === undefined ? {} : { accept });
  return matchNpm({ method, mount: "npm", path, search, headers });
}

const full = (name: string) => ({ kind: "index", name, form: "full" });

Deno.test("a name is an index, scoped ones encoded or not", () => {
  assert.deepEqual(match("lodash"), full("lodash"));
  assert.deepEqual(match("lodash/"), full("lodash"));
  for (const path of ["@acme/pkg", "@acme%2fpkg", "@acme%2Fpkg", "%40acme%2Fpkg", "%40acme/pkg"]) {
    assert.deepEqual(match(path), full("@acme/pkg"), path);
  }
});

Deno.test("the form follows Accept", () => {
  const corgi = "application/vnd.npm.install-v1+json";
  const form = (accept?: string) => {
    const target = match("lodash", { accept });
    return target?.kind === "index" ? target.form : null;
  };
  assert.equal(form(), "full");
  assert.equal(form("*/*"), "full");
  assert.equal(form("application/json"), "full");
  assert.equal(form(corgi), "abbreviated");
  assert.equal(form(`${corgi}; q=1.0, application/json; q=0.8, */*`), "abbreviated");
  assert.equal(form(`application/json, ${corgi};q=0.5`), "full");
  assert.equal(form(`${corgi};q=0`), "full");
});

Deno.test("a version or tag behind the name is a manifest", () => {
  assert.deepEqual(match("lodash/1.0.0"), {
    kind: "index",
    name: "lodash",
    form: "manifest:1.0.0",
  });
  assert.deepEqual(match("@acme%2fpkg/latest"), {
    kind: "index",
    name: "@acme/pkg",
    form: "manifest:latest",
  });
  assert.deepEqual(match("@acme/pkg/latest"), {
    kind: "index",
    name: "@acme/pkg",
    form: "manifest:latest",
  });
  assert.deepEqual(match("-/package/@acme%2fpkg/dist-tags"), {
    kind: "index",
    name: "@acme/pkg",
    form: "dist-tags",
  });
});

Deno.test("one slash too many before a path is overlooked, and gives no second spelling of it", () => {
  const plain = ["", "lodash", "@acme%2fpkg/1.0.0", "-/ping", "-/package/lodash/dist-tags"];
  for (const path of [...plain, "lodash/-/lodash-1.0.0.tgz"]) {
    assert.deepEqual(match(`/${path}`), match(path), path);
    assert.notEqual(match(path), null);
    if (path !== "") assert.equal(match(`//${path}`), null, path);
  }
});

Deno.test("a tarball is a file of its package", () => {
  assert.deepEqual(match("lodash/-/lodash-4.17.21.tgz"), {
    kind: "file",
    names: ["lodash"],
    path: "lodash-4.17.21.tgz",
  });
  for (const path of ["@acme/pkg/-/pkg-1.0.0.tgz", "@acme%2fpkg/-/pkg-1.0.0.tgz"]) {
    assert.deepEqual(
      match(path),
      { kind: "file", names: ["@acme/pkg"], path: "pkg-1.0.0.tgz" },
      path,
    );
  }
});

Deno.test("services pass to fixed addresses, and nothing else does", () => {
  const path = (target: ReturnType<typeof match>) => target?.kind === "pass" ? target.path : null;
  assert.equal(path(match("-/ping")), "-/ping");
  assert.equal(path(match("-/v1/search", { search: "?text=x" })), "-/v1/search?text=x");
  assert.equal(path(match("-/npm/v1/keys")), "-/npm/v1/keys");
  assert.equal(
    path(match("-/npm/v1/attestations/@acme%2fpkg@1.0.0")),
    "-/npm/v1/attestations/@acme%2Fpkg@1.0.0",
  );
  assert.equal(
    path(match("-/npm/v1/attestations/sigstore@1.0.0")),
    "-/npm/v1/attestations/sigstore@1.0.0",
  );
  const bulk = "-/npm/v1/security/advisories/bulk";
  assert.equal(path(match(bulk, { method: "POST" })), bulk);
  for (
    const other of [
      "-/whoami",
      "-/user/org.couchdb.user:x",
      "-/all",
      "-/npm/v1/attestations/",
      "-/npm/v1/tokens",
      bulk,
    ]
  ) {
    assert.equal(match(other), null, other);
  }
  for (const method of ["PUT", "DELETE", "PATCH", "POST"]) {
    for (const other of ["lodash", "lodash/-/lodash-1.0.0.tgz", "-/ping", "-/v1/login"]) {
      assert.equal(match(other, { method }), null, `${method} ${other}`);
    }
  }
});

Deno.test("paths that leave the package are nothing", () => {
  const bad = [
    "..",
    "../x",
    "%2e%2e/x",
    "lodash/../x",
    "lodash/-/../../x",
    "lodash/-/..",
    "lodash/-/%2e%2e",
    "lodash/-/a%2f..%2fb",
    "lodash//x",
    "%00",
    "a%5cb",
    "%ff",
    "%",
    "lodash/-",
    "lodash/1.0.0/x",
    "@acme",
    "@acme/",
    "@/x",
    "@acme/../x",
    "a b",
    "http://evil.example/x",
    "lodash?x",
    "_",
    ".",
    ".hidden/..",
  ];
  for (const path of bad) {
    const target = match(path);
    assert.ok(target === null || (target.kind === "index" && !target.name.includes("..")), path);
    if (target !== null) {
      assert.ok(
        ["lodash", ".hidden", "_"].includes("name" in target ? target.name ?? "" : ""),
        path,
      );
    }
  }
});

Deno.test("a name has whole characters, also where it is a dependency's and comes in no path", () => {
  assert.equal(npmVersions.normalizeName("a\u{1f600}"), "a\u{1f600}");
  for (const name of ["\ud800", "a\udc00b", "@\ud83d/a", "@a/\ude00"]) {
    assert.equal(npmVersions.normalizeName(name), null);
  }
});

Deno.test("every path has an answer, and no name carries a path", () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom("..", "%2e", "%2f", "@", "-", "%00", "/", "\\", "__proto__"),
  );
  fc.assert(
    fc.property(
      fc.array(part).map((parts) => parts.join("/")),
      fc.constantFrom("GET", "POST", "PUT"),
      (path, method) => {
        const target = match(path, { method });
        if (target === null || !("name" in target) || target.name === undefined) return;
        assert.ok(
          !target.name.split("/").some((piece) => piece === "." || piece === ".."),
          target.name,
        );
        assert.ok(
          target.name.split("/").length <= (target.name.startsWith("@") ? 2 : 1),
          target.name,
        );
      },
    ),
  );
});
