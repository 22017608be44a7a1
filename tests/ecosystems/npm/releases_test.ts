import assert from "node:assert/strict";
import { read, SOURCE } from "./world.ts";

const SHASUM = "0123456789abcdef0123456789abcdef01234567";

function index(manifest: object, { time, source = SOURCE, name = "pkg" }: {
  time?: unknown;
  source?: typeof SOURCE;
  name?: string;
} = {}) {
  return read({ name, versions: { "1.0.0": manifest }, time: { "1.0.0": time } }, name, source);
}

Deno.test("a release's evidence is the strongest that npm states", () => {
  const trustedPublisher = { id: "github", oidcConfigId: "oidc:1" };
  const attestations = {
    url: "https://x",
    provenance: { predicateType: "https://slsa.dev/provenance/v1" },
  };
  const trust = (manifest: object) => index(manifest).releases[0].trust;
  assert.equal(trust({}), "none");
  assert.equal(trust({ dist: { attestations } }), "provenance");
  assert.equal(trust({ dist: { attestations: { url: "x" } } }), "none");
  assert.equal(trust({ _npmUser: { name: "x" }, dist: { attestations } }), "provenance");
  assert.equal(trust({ _npmUser: { trustedPublisher } }), "trusted_publisher");
  assert.equal(trust({ _npmUser: { trustedPublisher, approver: { name: "a" } } }), "approved");
  assert.equal(trust({ _npmUser: "x", dist: [] }), "none");
});

Deno.test("a publish time is an RFC 3339 instant, or unknown", () => {
  const published = (time: unknown) => index({}, { time }).releases[0].publishedAt;
  assert.equal(published("2026-01-02T03:04:05.678Z"), Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  assert.equal(published("2026-01-02T03:04:05.678901+00:00"), Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  for (
    const nonsense of [undefined, null, 0, NaN, "", "yesterday", "2026", "2026-99-99T00:00:00Z", {}]
  ) {
    assert.equal(published(nonsense), null, String(nonsense));
  }
});

Deno.test("install scripts are found whatever form states them", () => {
  const runs = (manifest: object) => index(manifest).releases[0].installScripts;
  assert.equal(runs({}), false);
  assert.equal(runs({ scripts: { test: "x" } }), false);
  assert.equal(runs({ scripts: { postinstall: "x" } }), true);
  assert.equal(runs({ scripts: { preinstall: "" } }), false);
  assert.equal(runs({ gypfile: true }), true);
  assert.equal(runs({ hasInstallScript: true, scripts: {} }), true);
});

Deno.test("the strongest digest counts; one that cannot be read matches nothing", () => {
  const digest = (dist: object) =>
    index({ dist: { tarball: `${SOURCE.url}pkg/-/pkg-1.0.0.tgz`, ...dist } }).releases[0].files[0]
      .digest;
  assert.deepEqual(digest({ shasum: SHASUM.toUpperCase() }), { algorithm: "sha1", hex: SHASUM });
  assert.deepEqual(digest({ shasum: SHASUM, integrity: "sha1-AAAA sha512-AQID sha256-BBBB" }), {
    algorithm: "sha512",
    hex: "010203",
  });
  assert.deepEqual(digest({ integrity: "sha512-A" }), { algorithm: "sha512", hex: "unreadable" });
  assert.deepEqual(digest({ integrity: "md5-xx", shasum: SHASUM }), {
    algorithm: "sha1",
    hex: SHASUM,
  });
  assert.equal(digest({}), null);
});

Deno.test("a file is found by its path upstream, and by no other", () => {
  const found = index({ dist: { tarball: `${SOURCE.url}pkg/-/odd-name.tgz` } });
  assert.equal(found.locate("odd-name.tgz")?.file.url, `${SOURCE.url}pkg/-/odd-name.tgz`);
  assert.equal(found.locate("pkg-1.0.0.tgz"), null);
  assert.equal(found.locate("../odd-name.tgz"), null);
});

Deno.test("a scoped package's file is found however its address is written", () => {
  for (
    const path of [
      "@acme/pkg/-/pkg-1.0.0.tgz",
      "@acme%2fpkg/-/pkg-1.0.0.tgz",
      "@acme/pkg/-/@acme/pkg-1.0.0.tgz",
    ]
  ) {
    const found = index({ dist: { tarball: SOURCE.url + path } }, { name: "@acme/pkg" });
    const tail = path.split("/-/")[1];
    assert.equal(found.locate(tail)?.file.url, SOURCE.url + path);
  }
});

Deno.test("an address on another host is asked of the upstream by convention", () => {
  const found = index({
    dist: { tarball: "https://elsewhere.example/pkg/-/pkg-1.0.0.tgz", shasum: SHASUM },
  });
  assert.equal(found.locate("pkg-1.0.0.tgz")?.file.url, `${SOURCE.url}pkg/-/pkg-1.0.0.tgz`);
});

Deno.test("an address elsewhere on the upstream keeps its own URL", () => {
  const tarball = `${SOURCE.url}download/@acme/pkg/1.0.0/abcdef`;
  const found = index({ dist: { tarball } }, { name: "@acme/pkg" });
  assert.equal(found.locate("pkg-1.0.0.tgz")?.file.url, tarball);
});

Deno.test("an upstream below a path keeps it", () => {
  const source = { ...SOURCE, url: "https://host.example/npm/all/" };
  const tarball = `${source.url}pkg/-/pkg-1.0.0.tgz`;
  const found = index({ dist: { tarball } }, { source });
  assert.equal(found.locate("pkg-1.0.0.tgz")?.file.url, tarball);
});

Deno.test("an address with credentials, or of another scheme, is never asked", () => {
  for (
    const tarball of [
      "https://u:p@npm.registry.example/pkg/-/pkg-1.0.0.tgz",
      "file:///etc/passwd",
      "x",
    ]
  ) {
    const found = index({ dist: { tarball } });
    assert.equal(
      found.locate("pkg-1.0.0.tgz")?.file.url,
      `${SOURCE.url}pkg/-/pkg-1.0.0.tgz`,
      tarball,
    );
  }
});

Deno.test("a deprecation is a text that is not empty, or true", () => {
  const deprecated = (manifest: object) => index(manifest).releases[0].deprecated;
  assert.equal(deprecated({}), false);
  assert.equal(deprecated({ deprecated: "use other" }), "use other");
  assert.equal(deprecated({ deprecated: "" }), false);
  assert.equal(deprecated({ deprecated: false }), false);
  assert.equal(deprecated({ deprecated: null }), false);
  assert.equal(deprecated({ deprecated: true }), "");
});

Deno.test("a licence is what the manifest states, in all forms there ever were", () => {
  const license = (manifest: object) => index(manifest).releases[0].license;
  assert.equal(license({ license: " MIT " }), "MIT");
  assert.equal(license({ license: { type: "ISC", url: "https://x" } }), "ISC");
  assert.equal(license({ licenses: [{ type: "MIT" }, { type: "GPL-2.0" }] }), "(MIT) OR (GPL-2.0)");
  assert.equal(license({ licenses: ["MIT"] }), "MIT");
  for (
    const nothing of [{}, { license: "" }, { license: 7 }, { license: null }, { licenses: [] }]
  ) {
    assert.equal(license(nothing), null, JSON.stringify(nothing));
  }
});

Deno.test("dependencies are the packages that installing brings from a registry", () => {
  const dependencies = (manifest: object) => index(manifest).releases[0].dependencies;
  assert.deepEqual(dependencies({}), []);
  assert.deepEqual(
    dependencies({
      dependencies: {
        a: "^1.0.0",
        b: "npm:@real/b@^2",
        c: "npm:plain",
        d: "git+https://git.example/d.git",
        e: "owner/repository",
        f: "file:../f",
        g: "latest",
      },
      optionalDependencies: { a: "^1.0.0", h: "*" },
      peerDependencies: { i: ">=1" },
      devDependencies: { j: "1" },
    }),
    ["a", "@real/b", "plain", "g", "h", "i"],
  );
  assert.deepEqual(dependencies({ dependencies: ["x"] }), []);
});
