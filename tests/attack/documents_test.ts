/** Metadata as a taken-over registry account, or the registry itself, might make it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DAY, type TestProxy, testProxy } from "../proxy.ts";
import { serveRegistry } from "../registry/server.ts";

const OLD = "2020-01-01T00:00:00.000Z";
const YOUNG = new Date(Date.now() - DAY).toISOString();
const DEEP = 10_000;
const arrays = "[".repeat(DEEP) + "]".repeat(DEEP);
const objects = '{"a":'.repeat(DEEP) + "1" + "}".repeat(DEEP);
/** Members that every object has, or that make another of it. */
const INHERITED = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];

/** Registries that say what a test wants, word for word; files hold their own path. */
async function saying(
  documents: Readonly<Record<string, (base: string) => string>>,
  work: (proxy: TestProxy) => Promise<void>,
  policy?: unknown,
): Promise<void> {
  await using server = serveRegistry((request, path) => {
    const document = documents[decodeURIComponent(path)];
    if (document !== undefined) {
      const type = path.startsWith("/simple/")
        ? "application/vnd.pypi.simple.v1+json"
        : "application/json";
      return { body: document(new URL("/", request.url).href), type };
    }
    return /\.tgz$/.test(path) ? { body: path, type: "application/octet-stream" } : null;
  });
  const upstreams = { npm: server.url, pypi: `${server.url}simple/`, cargo: server.url };
  await using proxy = await testProxy({ upstreams, policy });
  await work(proxy);
}

const integrityOf = (path: string) =>
  `sha512-${createHash("sha512").update(path).digest("base64")}`;

/** A manifest as text, with a file that is there. */
function manifest(base: string, version: string, file = `left-${version}.tgz`): string {
  const path = `/left/-/${file}`;
  const dist = { tarball: `${base.slice(0, -1)}${path}`, integrity: integrityOf(path) };
  return JSON.stringify({ name: "left", version, dist });
}

/** A packument of members that are written as they are. */
function packument(members: Readonly<Record<string, string>>): string {
  const all = { name: '"left"', "dist-tags": '{"latest":"1.0.0"}', ...members };
  return `{${Object.entries(all).map(([key, value]) => `"${key}":${value}`).join(",")}}`;
}

async function index(proxy: TestProxy, path = "/npm/left") {
  const response = await proxy.fetch(path, { headers: { accept: "application/json" } });
  const text = await response.text();
  const document = response.status === 200 ? JSON.parse(text) : {};
  return {
    status: response.status,
    text,
    document,
    versions: Object.keys(document.versions ?? {}),
  };
}

const statusOf = async (proxy: TestProxy, path: string) => {
  const response = await proxy.fetch(path);
  await response.body?.cancel().catch(() => {});
  return response.status;
};

Deno.test("versions and dist-tags called like members that every object has are versions and tags", async () => {
  const own = JSON.stringify(Object.fromEntries([["1.0.0", OLD]]));
  const members = (base: string) => ({
    versions: `{"1.0.0":${manifest(base, "1.0.0")},${
      INHERITED.map((name) => `"${name}":${manifest(base, name)}`).join(",")
    }}`,
    "dist-tags": `{"latest":"1.0.0",${INHERITED.map((name) => `"${name}":"${name}"`).join(",")}}`,
    time: own,
  });
  await saying({ "/left": (base) => packument(members(base)) }, async (proxy) => {
    const { status, versions, document, text } = await index(proxy);
    assert.equal(status, 200, text);
    // Nobody says when they were published: the prototype's members are no date.
    assert.deepEqual(versions, ["1.0.0"]);
    assert.deepEqual(document["dist-tags"], { latest: "1.0.0" });
    for (const name of INHERITED) {
      assert.ok([403, 404].includes(await statusOf(proxy, `/npm/left/${name}`)), name);
      assert.equal(await statusOf(proxy, `/npm/left/-/left-${name}.tgz`), 403, name);
      assert.ok([200, 404].includes(await statusOf(proxy, `/why/pkg:npm/left@${name}`)), name);
    }
    const tags = await proxy.fetch("/npm/-/package/left/dist-tags");
    assert.deepEqual(await tags.json(), { latest: "1.0.0" });
  });
});

Deno.test("no prototype lends a version its date", async () => {
  for (const key of ["__proto__", "\\u005f_proto__", "constructor"]) {
    const time = `{"1.0.0":"${OLD}","${key}":{"1.1.0":"${OLD}","prototype":{"1.1.0":"${OLD}"}}}`;
    const versions = (base: string) =>
      `{"1.0.0":${manifest(base, "1.0.0")},"1.1.0":${manifest(base, "1.1.0")}}`;
    await saying(
      { "/left": (base) => packument({ versions: versions(base), time }) },
      async (proxy) => {
        assert.deepEqual((await index(proxy)).versions, ["1.0.0"], key);
        assert.equal(await statusOf(proxy, "/npm/left/-/left-1.1.0.tgz"), 403, key);
        assert.equal(await statusOf(proxy, "/npm/left/-/left-1.0.0.tgz"), 200, key);
      },
    );
  }
});

Deno.test("packages called like members that every object has can be installed, and blocked", async () => {
  const named = (name: string) => (base: string) => {
    const path = `/${name}/-/${name}-1.0.0.tgz`;
    const dist = { tarball: `${base.slice(0, -1)}${path}`, integrity: integrityOf(path) };
    const versions = { "1.0.0": { name, version: "1.0.0", dist } };
    const document = { name, "dist-tags": { latest: "1.0.0" }, versions, time: { "1.0.0": OLD } };
    return JSON.stringify(document);
  };
  const documents = Object.fromEntries(INHERITED.map((name) => [`/${name}`, named(name)]));
  await saying(documents, async (proxy) => {
    for (const name of INHERITED) {
      assert.deepEqual((await index(proxy, `/npm/${name}`)).versions, ["1.0.0"], name);
      assert.equal(await statusOf(proxy, `/npm/${name}/-/${name}-1.0.0.tgz`), 200, name);
    }
  });
  const entries = INHERITED.map((name) => ({ purl: `pkg:npm/${name}` }));
  await saying(documents, async (proxy) => {
    for (const name of INHERITED) {
      assert.equal((await index(proxy, `/npm/${name}`)).status, 403, name);
      assert.equal(await statusOf(proxy, `/npm/${name}/-/${name}-1.0.0.tgz`), 403, name);
    }
  }, { rules: { block: { entries } } });
});

Deno.test("of a member that is given twice the client's one is judged, or there is no answer", async () => {
  const both = (base: string) =>
    `{"1.0.0":${manifest(base, "1.0.0")},"1.1.0":${manifest(base, "1.1.0")}}`;
  const good = `{"1.0.0":"${OLD}","1.1.0":"${YOUNG}"}`;
  const bad = `{"1.0.0":"${OLD}","1.1.0":"${OLD}"}`;
  const documents: Record<string, (base: string) => string> = {
    // Readers of JSON take the last of them.
    "a date": (base) =>
      packument({
        versions: both(base),
        time: `{"1.1.0":"${OLD}","1.0.0":"${OLD}","1.1.0":"${YOUNG}"}`,
      }),
    "a date, escaped": (base) =>
      packument({
        versions: both(base),
        time: `{"1.1.0":"${OLD}","1.0.0":"${OLD}","\\u0031.1.0":"${YOUNG}"}`,
      }),
    "all dates": (base) => packument({ time: bad, versions: both(base), "\\u0074ime": good }),
    "all versions": (base) =>
      packument({
        versions: `{"1.0.0":${manifest(base, "1.0.0")}}`,
        time: good,
        "version\\u0073": both(base),
      }),
    "a version": (base) =>
      packument({
        versions: `{"1.0.0":${manifest(base, "1.0.0")},"1.0.0":${
          manifest(base, "1.0.0", "left-1.1.0.tgz")
        },"1.1.0":${manifest(base, "1.1.0")}}`,
        time: good,
      }),
  };
  for (const [what, document] of Object.entries(documents)) {
    await saying({ "/left": document }, async (proxy) => {
      const { status, versions, document, text } = await index(proxy);
      assert.ok(status === 502 || status === 200, `${what} ${text}`);
      assert.ok(!versions.includes("1.1.0"), `${what} ${text}`);
      assert.ok(
        [403, 404, 502].includes(await statusOf(proxy, "/npm/left/-/left-1.1.0.tgz")),
        what,
      );
      if (status !== 200) return;
      // What the client reads in it is what it will be given.
      const { tarball, integrity } = document.versions["1.0.0"].dist;
      const file = await proxy.fetch(new URL(tarball).pathname);
      const bytes = await file.text().catch(() => null);
      if (file.status === 200 && bytes !== null) assert.equal(integrityOf(bytes), integrity, what);
    });
  }
});

Deno.test("a date that is none is no date: the version waits", async () => {
  const dates = [
    ...['""', '"NaN"', '"Invalid Date"', "null", "true", "0", "-1", "1e308", "1577836800000"],
    ...[
      "[]",
      "{}",
      `["${OLD}"]`,
      `{"$date":"${OLD}"}`,
      '"0"',
      '"2020"',
      '"-000001-01-01T00:00:00Z"',
    ],
    ...['"2020-13-45T99:99:99Z"', '"+275760-09-13T00:00:00.001Z"', '"2999-01-01T00:00:00Z"'],
    ...[
      '"2020-01-01T00:00:00Z\\u0000"',
      '"２０２０-01-01T00:00:00Z"',
      '"2020-01-01T00:00:00Z; rm"',
    ],
  ];
  for (const date of dates) {
    const document = (base: string) =>
      packument({
        versions: `{"1.0.0":${manifest(base, "1.0.0")},"1.1.0":${manifest(base, "1.1.0")}}`,
        time: `{"1.0.0":"${OLD}","1.1.0":${date}}`,
      });
    await saying({ "/left": document }, async (proxy) => {
      const { status, versions, text } = await index(proxy);
      assert.deepEqual([status, versions], [200, ["1.0.0"]], `${date} ${text}`);
      assert.equal(await statusOf(proxy, "/npm/left/-/left-1.1.0.tgz"), 403, date);
      assert.equal(await statusOf(proxy, "/why/pkg:npm/left"), 200, date);
    });
  }
});

Deno.test("ten thousand levels of JSON anywhere in metadata end no request in a 500", async () => {
  for (const deep of [arrays, objects]) {
    const npm = (base: string) => ({
      versions: `{"1.0.0":${manifest(base, "1.0.0")}}`,
      time: `{"1.0.0":"${OLD}"}`,
    });
    const within = (base: string, key: string) =>
      `{"1.0.0":${manifest(base, "1.0.0").slice(0, -1)},"${key}":${deep}}}`;
    const documents: Record<string, (base: string) => string> = {
      "/left": (base) => packument({ ...npm(base), readme: deep }),
      "/time": (base) => packument({ ...npm(base), name: '"time"', time: deep }),
      "/tags": (base) => packument({ ...npm(base), name: '"tags"', "dist-tags": deep }),
      "/versions": () => packument({ name: '"versions"', versions: deep }),
      ...Object.fromEntries(
        ["dependencies", "scripts", "_npmUser", "dist", "license", "deprecated", "x"].map((key) => [
          `/${key}`,
          (base: string) =>
            packument({ ...npm(base), name: `"${key}"`, versions: within(base, key) }),
        ]),
      ),
      "/simple/top/": () => `{"meta":{"api-version":"1.1"},"name":"top","files":[],"x":${deep}}`,
      "/simple/files/": () => `{"meta":{"api-version":"1.1"},"name":"files","files":${deep}}`,
      "/simple/file/": () =>
        `{"meta":{"api-version":"1.1"},"name":"file","files":[{"filename":"file-1.0.tar.gz","url":"x","hashes":${deep}}]}`,
      "/simple/": () => `{"meta":{"api-version":"1.1"},"projects":${deep}}`,
      "/pypi/legacy/json": () => deep,
      "/de/ps/deps": () =>
        `{"name":"deps","vers":"1.0.0","deps":${deep},"cksum":"${"0".repeat(64)}","yanked":false}`,
      "/wh/ol/whole": () => deep,
      "/config.json": (base) => `{"dl":"${base}crates","x":${deep}}`,
    };
    await saying(documents, async (proxy) => {
      const npm = Object.keys(documents).filter((path) => /^\/[a-z_]+$/i.test(path));
      for (
        const path of [
          ...npm.flatMap((name) => [`/npm${name}`, `/npm${name}/1.0.0`, `/why/pkg:npm${name}`]),
          ...["top", "files", "file", "legacy"].map((name) => `/pypi/simple/${name}/`),
          ...["/pypi/simple/", "/pypi/legacy/json", "/cargo/config.json"],
          ...["/cargo/de/ps/deps", "/cargo/wh/ol/whole"],
        ]
      ) {
        const response = await proxy.fetch(path, {
          headers: { accept: "application/vnd.npm.install-v1+json, application/json, */*" },
        });
        const text = await response.text();
        assert.ok([200, 403, 404, 502].includes(response.status), `${path} ${text.slice(0, 300)}`);
      }
    });
  }
});

Deno.test("ten thousand levels in what is sent are refused in words", async () => {
  await using proxy = await testProxy();
  const authorization = `Bearer ${proxy.rootToken}`;
  const org = "/admin/v1/orgs/acme";
  const yaml = Array.from({ length: DEEP }, (_, i) => `${" ".repeat(i % 900)}a:`).join("\n");
  const asked: [method: string, path: string][] = [
    ["PUT", `${org}/policy`],
    ["PATCH", `${org}/policy`],
    ["POST", `${org}/block`],
    ["POST", `${org}/exceptions`],
    ["POST", `${org}/tokens`],
    ["POST", `${org}/break-glass`],
    ["POST", `${org}/simulate`],
    ["POST", "/check?filename=package-lock.json"],
    ["POST", "/check?filename=bun.lock"],
    ["POST", "/check?filename=sbom.cdx.json"],
    ["POST", "/check?filename=pnpm-lock.yaml"],
    ["POST", "/check?filename=uv.lock"],
    ["POST", "/check"],
  ];
  const bodies = [
    arrays,
    objects,
    `{"rules":${objects}}`,
    `{"lockfileVersion":3,"packages":${objects}}`,
    `{"bomFormat":"CycloneDX","components":${arrays}}`,
    `lockfileVersion: '9.0'\npackages: ${arrays}\n`,
    `lockfileVersion: '9.0'\npackages:\n${yaml}\n`,
    `version = 1\nx = ${arrays}\n`,
  ];
  for (const [method, path] of asked) {
    for (const body of bodies) {
      const headers = { authorization, "content-type": "application/json" };
      const response = await proxy.fetch(path, { method, headers, body });
      const text = await response.text();
      const what = `${method} ${path} ${body.slice(0, 30)}: ${response.status} ${
        text.slice(0, 300)
      }`;
      assert.ok([200, 400, 413, 422].includes(response.status), what);
      assert.ok(text.length > 0 && text.length < 100_000, what);
    }
  }
  assert.equal(await proxy.deps.policies.read("acme"), null);
});
