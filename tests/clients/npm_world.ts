/** A registry with a small tree of packages, the proxy in front of it, and projects that use it. */
import { DAY, type ProxyOptions, type TestProxy, testProxy } from "../proxy.ts";
import { type NpmRegistry, startNpmRegistry } from "../registry/npm.ts";
import type { Files, NpmClient } from "./npm_clients.ts";
import { openWorkspace, type RunResult, type Workspace } from "./workspace.ts";

/** Older than the cooldowns that pnpm, yarn and deno bring themselves, younger than the proxy's. */
export const YOUNG_MS = 5 * DAY;

export interface NpmWorld extends AsyncDisposable {
  readonly registry: NpmRegistry;
  readonly proxy: TestProxy;
  /** `http://127.0.0.1:<port>` of the proxy. */
  readonly base: string;
  /** An empty project that installs from an address. */
  project(registry: string, options?: { token?: string; files?: Files }): Promise<Project>;
  /** Paths of the tarballs that upstream was asked for, each once. */
  fetched(): string[];
}

export interface Project extends Workspace {
  add(spec: string, env?: Readonly<Record<string, string>>): Promise<RunResult>;
  frozen(): Promise<RunResult>;
}

/** Publishes `kettle`, which needs `whistle` and `@pottery/cup`; of each a young release, too. */
export async function npmWorld(client: NpmClient, options: ProxyOptions = {}): Promise<NpmWorld> {
  const stack = new AsyncDisposableStack();
  const registry = stack.use(startNpmRegistry());
  publishTree(registry);
  const proxy = stack.use(await testProxy({ ...options, upstreams: { npm: registry.url } }));
  return {
    registry,
    proxy,
    base: proxy.listen(),
    async project(address, { token, files = {} } = {}) {
      const workspace = stack.use(await openWorkspace());
      const manifest = JSON.stringify({ name: "app", version: "1.0.0", private: true });
      const all = { "package.json": manifest, ...client.config(address, token), ...files };
      for (const [path, text] of Object.entries(all)) await workspace.write(path, text);
      return {
        ...workspace,
        add: (spec, env) => workspace.run([...client.command, ...client.add(spec)], env),
        frozen: () => workspace.run([...client.command, ...client.frozen]),
      };
    },
    fetched: () => [...new Set(tarballs(registry))].sort(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function publishTree(registry: NpmRegistry): void {
  const young = new Date(Date.now() - YOUNG_MS);
  const tool = (name: string) => ({
    bin: { [name]: `bin/${name}.js` },
    files: { [`bin/${name}.js`]: "#!/usr/bin/env node\n" },
  });
  registry.publish({ name: "whistle", version: "1.0.0", ...tool("whistle") });
  registry.publish({ name: "whistle", version: "1.1.0", publishedAt: young });
  registry.publish({ name: "@pottery/cup", version: "1.0.0" });
  registry.publish({ name: "@pottery/cup", version: "1.2.0", publishedAt: young });
  const { bin, files } = tool("kettle");
  registry.publish({
    name: "kettle",
    version: "1.0.0",
    dependencies: { "whistle": "^1.0.0", "@pottery/cup": "^1.0.0" },
    bin,
    files: {
      ...files,
      "index.js":
        `module.exports = ["kettle@1.0.0", require("whistle"), require("@pottery/cup")];\n`,
    },
  });
  registry.publish({ name: "kettle", version: "1.1.0", publishedAt: young });
}

/** Paths of all tarball requests that upstream has had. */
export function tarballs(registry: NpmRegistry): string[] {
  return registry.requests.map(({ path }) => path).filter((path) => path.endsWith(".tgz"));
}
