/** A small PyPI, the proxy in front of it, and projects that install from it. */
import { DAY, type ProxyOptions, type TestProxy, testProxy } from "../proxy.ts";
import { type PypiRegistry, startPypiRegistry } from "../registry/pypi.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

export interface PypiWorld extends AsyncDisposable {
  readonly registry: PypiRegistry;
  readonly proxy: TestProxy;
  /** `http://127.0.0.1:<port>` of the proxy. */
  readonly base: string;
  project(): Promise<Workspace>;
  /** Paths of the wheels that upstream was asked for. */
  wheels(): string[];
}

/** Publishes `teapot`, which needs `tea-leaf`; of each a young release, too. */
export async function pypiWorld(options: ProxyOptions = {}): Promise<PypiWorld> {
  const stack = new AsyncDisposableStack();
  const registry = stack.use(startPypiRegistry());
  const young = { uploadedAt: new Date(Date.now() - 5 * DAY).toISOString() };
  registry.publish({ name: "Teapot", version: "1.0", dependencies: ["tea-leaf>=1"] });
  registry.publish({ name: "teapot", version: "1.1", ...young });
  registry.publish({ name: "tea-leaf", version: "1.0" });
  registry.publish({ name: "tea-leaf", version: "1.5", ...young });
  registry.publish({ name: "saucer", version: "1.0", files: ["sdist"] });
  registry.publish({ name: "saucer", version: "1.1", files: ["sdist"], ...young });
  const proxy = stack.use(await testProxy({ ...options, upstreams: { pypi: registry.index } }));
  return {
    registry,
    proxy,
    base: proxy.listen(),
    project: async () => stack.use(await openWorkspace()),
    wheels: () => registry.requests.map(({ path }) => path).filter((path) => path.endsWith(".whl")),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Address of the index that clients are pointed at. */
export function simple(base: string): string {
  return `${base}/pypi/simple/`;
}
