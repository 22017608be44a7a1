/** Registries with something of every verdict, and ways to send a file to be checked. */
import assert from "node:assert/strict";
import { DAY, type ProxyOptions, testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

export interface CheckedRow {
  readonly purl: string;
  readonly ecosystem: string;
  readonly package: string;
  readonly version: string;
  readonly verdict: string;
  readonly code: string | null;
  readonly reason: string | null;
  readonly until: string | null;
  readonly line: number | null;
  readonly why: string | null;
}

export interface CheckedFile {
  readonly format: string;
  readonly filename: string | null;
  readonly org: string;
  readonly policy: string;
  readonly summary: Record<string, number | boolean>;
  readonly entries: CheckedRow[];
  readonly skipped: { name: string; reason: string }[];
}

/** `left` 1.0.0 is old, 2.0.0 young, 3.0.0 blocked, 4.0.0 deprecated (warned of); `demo` and `a_b` are too. */
export async function checkWorld(options: ProxyOptions = {}) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  const young = new Date(Math.floor(Date.now() / 1000) * 1000 - DAY);
  npm.publish({ name: "left", version: "1.0.0" });
  npm.publish({ name: "left", version: "2.0.0", publishedAt: young });
  npm.publish({ name: "left", version: "3.0.0" });
  npm.publish({ name: "left", version: "4.0.0", deprecated: "use right" });
  npm.publish({ name: "@acme/tool", version: "1.0.0" });
  pypi.publish({ name: "Demo.Tool", version: "1.0" });
  pypi.publish({ name: "Demo.Tool", version: "2.0", uploadedAt: young.toISOString() });
  pypi.publish({ name: "Demo.Tool", version: "3.0" });
  pypi.publish({
    name: "Demo.Tool",
    version: "3.0",
    files: ["sdist"],
    uploadedAt: young.toISOString(),
  });
  cargo.publish({ name: "a_b", version: "1.0.0" });
  cargo.publish({ name: "a_b", version: "1.0.1", yanked: true });
  const proxy = await testProxy({
    policy: {
      rules: {
        block: { entries: [{ purl: "pkg:npm/left@3.0.0", reason: `<not> "good" & 'new'` }] },
        deprecated: { level: "warn" },
      },
    },
    ...options,
    upstreams: { npm: npm.url, pypi: pypi.index, cargo: cargo.url },
  });
  const servers = [npm, pypi, cargo];
  const post = (body: BodyInit, path = "/check", headers: HeadersInit = {}) =>
    proxy.fetch(path, { method: "POST", body, headers: { accept: "*/*", ...headers } });
  return {
    npm,
    pypi,
    cargo,
    proxy,
    post,
    /** When `young` releases come of age. */
    grownUp: new Date(young.getTime() + 10 * DAY).toISOString().replace(".000Z", "Z"),
    async check(
      body: BodyInit | readonly string[],
      path = "/check",
      headers: HeadersInit = {},
    ): Promise<CheckedFile> {
      const sent = Array.isArray(body) ? body.join("\n") : body as BodyInit;
      const response = await post(sent, path, headers);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      const checked: CheckedFile = JSON.parse(text);
      const result = response.headers.get("check-result");
      assert.equal(result, checked.summary.ok ? "pass" : "fail");
      return checked;
    },
    /** Status, code and sentence of a refusal. */
    async refused(body: BodyInit, path = "/check", headers: HeadersInit = {}) {
      const response = await post(body, path, headers);
      const text = await response.text();
      assert.equal(response.headers.get("content-type"), "application/problem+json", text);
      assert.equal(response.headers.get("check-result"), null);
      const { code, detail, status } = JSON.parse(text);
      assert.equal(status, response.status);
      return { status: response.status, code, detail, headers: response.headers };
    },
    asked: () => servers.flatMap(({ requests }) => requests.map(({ path }) => path)),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

export function brief({ entries }: CheckedFile): [string, string, string | null][] {
  return entries.map(({ purl, verdict, code }) => [purl, verdict, code]);
}
