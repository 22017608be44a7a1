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

Deno.test("a publish time written the usual way is read as Date.parse reads it", () => {
  const published = (time: string) => index({}, { time }).releases[0].publishedAt;
  const usual = "2024-02-28T23:59:59.999Z";
  const digits = [...usual.matchAll(/\d/g)].map(({ index }) => index);
  const others = digits.flatMap((at) =>
    ["0", "1", "2", "3", "6", "9", ":", "/", "x"].map((byte) =>
      usual.slice(0, at) + byte + usual.slice(at + 1)
    )
  );
  const marks = [4, 7, 10, 13, 16, 19, 23].map((at) =>
    usual.slice(0, at) + "_" + usual.slice(at + 1)
  );
  const days = ["00", "29", "30", "31", "32"].flatMap((day) =>
    ["01", "02", "04", "12", "13"].map((month) => `2023-${month}-${day}T00:00:00.000Z`)
  );
  const years = ["0000", "0001", "0099", "0100", "1969", "1970", "9999"].map((year) =>
    `${year}-01-01T00:00:00.000Z`
  );
  const odd = ["2024-02-28T24:00:00.000Z", "2024-02-28 23:59:59.999Z", "2024-02-28T23:59:59.9999Z"];
  const looks = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
  for (const text of [usual, ...others, ...marks, ...days, ...years, ...odd]) {
    const wanted = looks.test(text) ? Date.parse(text) : NaN;
    assert.equal(published(text), Number.isNaN(wanted) ? null : wanted, text);
  }
});

Deno.test("times are of their versions in whatever order they stand", () => {
  const at = (minute: number) => new Date(Date.UTC(2024, 0, 1, 0, minute)).toISOString();
  const versions = ["1.0.0", "1.0.1", "1.0.10", "1.1.0", "2.0.0", "10.0.0"];
  const orders = [
    versions,
    versions.toReversed(),
    ["1.0.10", "1.0.1", "2.0.0", "10.0.0", "1.1.0", "1.0.0"],
    [
      "0.9.0",
      "1.0.0",
      "created",
      "1.0.1",
      "1.0.10",
      "modified",
      "1.1.0",
      "2.0.0",
      "10.0.0",
      "11.0.0",
    ],
    ["1.0.1", "2.0.0"],
  ];
  for (const order of orders) {
    const time = Object.fromEntries(order.map((key, minute) => [key, at(minute)]));
    const parts = [{ versions: Object.fromEntries(versions.map((key) => [key, {}])) }, { time }];
    for (const [first, second] of [parts, parts.toReversed()]) {
      const { releases } = read({ name: "pkg", ...first, ...second }, "pkg");
      for (const { version, publishedAt } of releases) {
        const minute = order.indexOf(version);
        assert.equal(publishedAt, minute < 0 ? null : Date.parse(at(minute)), version);
      }
    }
  }
  const twice =
    `{"versions":{"1.0.0":{},"1.0.1":{}},"time":{"1.0.0":"${at(1)}","1.0.1":"${at(2)}",` +
    `"1.0.0":"${at(3)}","1.0.1":7}}`;
  const [first, second] = read(twice, "pkg").releases;
  assert.equal(first.publishedAt, Date.parse(at(3)), "of two the last counts");
  assert.equal(second.publishedAt, null);
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
        k: "NPM:shouted@1.0.0",
        l: "Npm:@Real/l",
      },
      optionalDependencies: { a: "^1.0.0", h: "*" },
      peerDependencies: { i: ">=1" },
      devDependencies: { j: "1" },
    }),
    ["a", "@real/b", "plain", "g", "shouted", "@Real/l", "h", "i"],
  );
  assert.deepEqual(dependencies({ dependencies: ["x"] }), []);
});
