/** A blocked package under another spelling, and PURLs in every encoding. */
import assert from "node:assert/strict";
import { testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";
import { serveRegistry } from "../registry/server.ts";

const BLOCKED = [
  "pkg:npm/left",
  "pkg:npm/@acme/tool",
  "pkg:npm/caf\u00e9",
  "pkg:pypi/demo-tool",
  "pkg:cargo/demo-tool",
];

/**
 * Registries that do not care how a name is spelt, as behind a file system that
 * ignores case or a server that normalises: each spelling is the blocked package.
 */
async function careless() {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  for (const name of ["left", "@acme/tool", "caf\u00e9"]) npm.publish({ name, version: "1.0.0" });
  const [wheel] = pypi.publish({ name: "Demo.Tool", version: "1.0" });
  cargo.publish({ name: "demo_tool", version: "1.0.0" });
  const sloppy = serveRegistry(async (_request, path) => {
    const plain = decodeURIComponent(path).normalize("NFKC").toLowerCase();
    const response = await fetch(new URL(encodeURI(plain), npm.url));
    return {
      status: response.status,
      body: new Uint8Array(await response.arrayBuffer()),
      type: "application/json",
    };
  });
  const proxy = await testProxy({
    upstreams: { npm: sloppy.url, pypi: pypi.index, cargo: cargo.url },
    policy: { rules: { block: { entries: BLOCKED.map((purl) => ({ purl })) } } },
  });
  return {
    proxy,
    wheel,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [sloppy, npm, pypi, cargo]) await server[Symbol.asyncDispose]();
    },
  };
}

const wide = (text: string) =>
  text.replace(/[!-~]/g, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0));
const each = (text: string) =>
  [...new TextEncoder().encode(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(
    "",
  );

const NPM_SPELLINGS = [
  "left",
  "Left",
  "LEFT",
  "%6ceft",
  "%4Ceft",
  each("left"),
  encodeURIComponent(wide("left")),
  "left%20",
  "%20left",
  "left%09",
  "left%00",
  "left%0a",
  "left.",
  "left%2e",
  "left%2f",
  "left%5c",
  "left%c2%a0",
  "left%e2%80%8b",
  "left%ef%bb%bf",
  "le%cc%81ft",
  "left%23",
  "left%3f",
  "left;x",
  "@acme/tool",
  "@acme%2ftool",
  "@acme%2Ftool",
  "%40acme%2ftool",
  "%40acme/tool",
  "@ACME/tool",
  "@acme/Tool",
  "@acme%252ftool",
  "@acme//tool",
  "@acme/%74ool",
  "caf%c3%a9",
  "cafe%cc%81",
  "CAF%c3%89",
];

Deno.test("npm: a blocked package is not had under another spelling, whatever the registry thinks of it", async (t) => {
  await using it = await careless();
  for (const spelling of NPM_SPELLINGS) {
    await t.step(spelling, async () => {
      const bare = spelling.slice(spelling.search(/(?<=%2f|\/)[^/]*$/i)).replace(/^-1$/, "");
      for (
        const path of [
          spelling,
          `${spelling}/1.0.0`,
          `${spelling}/latest`,
          `${spelling}/-/${bare}-1.0.0.tgz`,
          `${spelling}/-/left-1.0.0.tgz`,
          `${spelling}/-/tool-1.0.0.tgz`,
          `-/package/${spelling}/dist-tags`,
        ]
      ) {
        for (const mount of ["/npm/", "/"]) {
          const response = await it.proxy.fetch(`${mount}${path}`, {
            headers: { "user-agent": "npm/12.0.0" },
          });
          const text = await response.text();
          assert.ok([400, 403, 404, 405, 502].includes(response.status), `${path} ${text}`);
          assert.ok(!text.includes("integrity"), `${path} ${text}`);
        }
      }
    });
  }
  assert.deepEqual(await it.proxy.installs(), []);
});

Deno.test("PyPI: a blocked project is not had under another spelling", async (t) => {
  await using it = await careless();
  const directory = it.wheel.path.slice(0, it.wheel.path.lastIndexOf("/"));
  for (
    const spelling of [
      "demo-tool",
      "Demo.Tool",
      "demo_tool",
      "DEMO--TOOL",
      "demo.-_tool",
      "demo%2Dtool",
      "demo%2etool",
      "%64emo-tool",
      encodeURIComponent(wide("demo-tool")),
      "demo%E2%80%90tool",
      "demo-tool%20",
      "demo-tool.",
    ]
  ) {
    await t.step(spelling, async () => {
      for (
        const path of [
          `simple/${spelling}/`,
          `simple/${spelling}`,
          `${spelling}/`,
          `${spelling}/json`,
          `${spelling}/1.0/json`,
          `${directory}/${spelling}-1.0-py3-none-any.whl`,
          `${directory}/${spelling}-1.0.tar.gz`,
          `packages/+/${spelling}/${it.wheel.filename}`,
          it.wheel.path,
          it.wheel.path.replace("demo_tool", each("demo_tool")),
          it.wheel.path.toUpperCase().replace("PACKAGES", "packages"),
        ]
      ) {
        const headers = { accept: "application/vnd.pypi.simple.v1+json" };
        const response = await it.proxy.fetch(`/pypi/${path}`, { headers });
        const text = await response.text();
        const location = response.headers.get("location") ?? "";
        // To the one spelling, which is among these; or to the page that says why, which is 403.
        if (response.status === 301 || location.includes("/why/pkg:pypi/demo-tool")) continue;
        if (response.status !== 200) {
          assert.ok(
            [400, 403, 404].includes(response.status),
            `${path} ${response.status} ${text}`,
          );
          continue;
        }
        // pip is told why: withheld files stay, yanked.
        const { files = [], urls = [], releases = {} } = JSON.parse(text);
        for (const file of [...files, ...urls, ...Object.values(releases).flat()]) {
          assert.ok(file.yanked, `${path} ${text}`);
        }
      }
    });
  }
  assert.deepEqual(await it.proxy.installs(), []);
});

Deno.test("cargo: a blocked crate is not had under another spelling", async (t) => {
  await using it = await careless();
  for (
    const spelling of [
      "demo_tool",
      "demo-tool",
      "Demo_Tool",
      "DEMO-TOOL",
      "%64emo_tool",
      "demo%5ftool",
      "demo%2Dtool",
      encodeURIComponent(wide("demo_tool")),
      "demo_tool%20",
    ]
  ) {
    await t.step(spelling, async () => {
      for (
        const path of [
          `de/mo/${spelling}`,
          `DE/MO/${spelling}`,
          `api/v1/crates/${spelling}`,
          `api/v1/crates/${spelling}/1.0.0`,
          `api/v1/crates/${spelling}/1.0.0/download`,
          `crates/${spelling}/1.0.0/download`,
          `crates/${spelling}/${spelling}-1.0.0.crate`,
        ]
      ) {
        const response = await it.proxy.fetch(`/cargo/${path}`);
        const text = await response.text();
        if (response.status !== 200) {
          assert.ok(
            [400, 403, 404].includes(response.status),
            `${path} ${response.status} ${text}`,
          );
          continue;
        }
        // The index's lines stay, yanked, so that locked builds resolve and are told why.
        assert.match(text, /"yanked":\s*true/, `${path} ${text}`);
        assert.doesNotMatch(text, /"yanked":\s*false/, `${path} ${text}`);
      }
    });
  }
  assert.deepEqual(await it.proxy.installs(), []);
});

Deno.test("/why names one package whatever the PURL's encoding, or none", async (t) => {
  await using it = await careless();
  for (
    const purl of [
      "pkg:npm/left",
      "pkg:npm/left@1.0.0",
      "pkg:npm/left%401.0.0",
      "pkg:npm/left@1.0.0?repository_url=http://evil.example",
      "pkg:npm/left@1.0.0#../../etc",
      "pkg%3Anpm%2Fleft%401.0.0",
      "pkg%3anpm%2fleft",
      "npm/left",
      "pkg://npm/left",
      "PKG:NPM/left",
      "pkg:npm/%6ceft@1.0.0",
      "pkg:npm/@acme/tool@1.0.0",
      "pkg:npm/%40acme/tool@1.0.0",
      "pkg:npm/%40acme%2Ftool@1.0.0",
      "pkg:npm/%2540acme/tool",
      "pkg:npm/Left",
      "pkg:npm/../left",
      "pkg:npm/%2e%2e/left",
      "pkg:npm/left/..",
      "pkg:npm//left",
      "pkg:pypi/Demo_Tool@1.0",
      "pkg:pypi/demo.tool@1.0%00",
      "pkg:cargo/DEMO-tool@1.0.0",
      "pkg:golang/left@1.0.0",
      "pkg:__proto__/left",
      "pkg:npm/__proto__@constructor",
      "pkg:npm/left@__proto__",
      "pkg:npm/",
      "pkg:",
      "%",
      "%ff",
      "pkg:npm/left@%ff",
      `pkg:npm/${"a/".repeat(2_000)}b`,
    ]
  ) {
    await t.step(purl.slice(0, 80), async () => {
      const headers = { accept: "application/json" };
      const response = await it.proxy.fetch(`/why/${purl}`, { headers });
      const text = await response.text();
      assert.ok([200, 400, 404, 414, 502].includes(response.status), `${response.status} ${text}`);
      assert.ok(!text.includes("evil.example"), text);
      if (response.status !== 200) return;
      // Whoever it is taken for is one of the blocked, so nothing is said to be allowed.
      for (const { verdict, code } of JSON.parse(text).versions) {
        assert.deepEqual([verdict, code], ["deny", "blocked"], text);
      }
    });
  }
});
