/** The proxy with all three registries behind it, for tests of its addresses. */
import assert from "node:assert/strict";
import { createApp } from "../../routes/app.ts";
import { type ProxyOptions, testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

export const NPM = { "user-agent": "npm/12.0.0 node/v24.0.0 linux x64" };
export const BROWSER = {
  accept: "text/html,application/xhtml+xml,*/*;q=0.8",
  "user-agent": "Mozilla/5.0",
};
export const CURL = { accept: "*/*", "user-agent": "curl/8.0" };
export const OWN = ["admin", "why", "health", "setup", "check", "npm", "pypi", "cargo", "files"];

/** All three registries with one package each, and npm packages named as the proxy's own routes. */
export async function setting(options: ProxyOptions = {}) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  for (const name of [...OWN, "left", "@acme/tool"]) npm.publish({ name, version: "1.0.0" });
  const [wheel] = pypi.publish({ name: "Demo.Tool", version: "1.0" });
  cargo.publish({ name: "demo", version: "1.0.0" });
  const upstreams = { npm: npm.url, pypi: pypi.index, cargo: cargo.url };
  const proxy = await testProxy({ ...options, upstreams });
  const get = (path: string, headers: HeadersInit = CURL, init: RequestInit = {}) =>
    proxy.fetch(path, { ...init, headers });
  return {
    npm,
    wheel,
    proxy,
    get,
    async status(path: string, headers: HeadersInit = CURL, init: RequestInit = {}) {
      const response = await get(path, headers, init);
      await response.arrayBuffer();
      return response.status;
    },
    async json(path: string, headers: HeadersInit = CURL) {
      const response = await get(path, headers);
      assert.equal(response.status, 200, `${path} ${await response.clone().text()}`);
      return await response.json();
    },
    /** At another host. */
    async at(url: string, headers: HeadersInit = CURL) {
      const response = await createApp(proxy.deps)(new Request(url, { headers }));
      return { status: response.status, text: await response.text() };
    },
    asked: () => [npm, pypi, cargo].flatMap(({ requests }) => requests.map(({ path }) => path)),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [npm, pypi, cargo]) await server[Symbol.asyncDispose]();
    },
  };
}
