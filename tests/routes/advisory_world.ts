/** A proxy between small registries and a small OSV, all on loopback. */
import { type ProxyOptions, testProxy } from "../proxy.ts";
import { startCargoRegistry } from "../registry/cargo.ts";
import { startNpmRegistry } from "../registry/npm.ts";
import { advisory, startOsv } from "../registry/osv.ts";
import { startPypiRegistry } from "../registry/pypi.ts";

export const NPM = {
  "user-agent": "npm/12.0.0 node/v24.0.0 linux x64",
  accept: "application/json",
};

export async function setting(
  options: Omit<ProxyOptions, "upstreams" | "osv"> & { osv?: string } = {},
) {
  const npm = startNpmRegistry();
  const pypi = startPypiRegistry();
  const cargo = startCargoRegistry();
  const osv = startOsv();
  const upstreams = { npm: npm.url, pypi: pypi.index, cargo: cargo.url };
  const proxy = await testProxy({ osv: osv.url, ...options, upstreams });
  const text = async (path: string, headers: HeadersInit = NPM) => {
    const response = await proxy.fetch(path, { headers });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    npm,
    pypi,
    cargo,
    osv,
    proxy,
    text,
    asked: () => osv.requests.map(({ method, path }) => `${method} ${path}`),
    async versions(name: string): Promise<string[]> {
      const { status, text: body } = await text(`/npm/${name}`);
      return status === 200 ? Object.keys(JSON.parse(body).versions) : [`${status}`];
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const server of [npm, pypi, cargo, osv]) await server[Symbol.asyncDispose]();
    },
  };
}

export const mal = (name: string, ...versions: string[]) =>
  advisory(`MAL-2026-${name.length}${versions.length}`, { name, versions });
