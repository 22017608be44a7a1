/** The servers that are compared, each a process of its own. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bench } from "./bench.ts";
import type { Running } from "./process.ts";

const DENO = Deno.execPath();
export const ADMIN_TOKEN = "benchmark-administrator-token";

export async function startUpstream(bench: Bench, maxAge: number | "none" = 300): Promise<Running> {
  return await bench.processes.start({
    command: [...script("upstream.ts"), `max-age=${maxAge}`, `now=${bench.now}`],
    folder: bench.folder,
    name: "upstream",
  });
}

/** The proxy as `deno task start` runs it, on a KV file of its own. */
export async function startProxy(
  bench: Bench,
  { upstream, kv, env }: { upstream: Running; kv?: string; env?: Readonly<Record<string, string>> },
): Promise<Running> {
  const id = crypto.randomUUID().slice(0, 8);
  return await bench.processes.start({
    command: [DENO, "run", "-A", fileURLToPath(new URL("../../main.ts", import.meta.url))],
    folder: bench.folder,
    name: "proxy",
    env: {
      HOST: "127.0.0.1",
      PORT: "0",
      KV_URL: kv ?? join(bench.folder, `kv-${id}.sqlite`),
      ADMIN_TOKEN,
      UPSTREAM_NPM: upstream.base,
      UPSTREAM_PYPI: `${upstream.base}simple/`,
      OSV_URL: "",
      ...env,
    },
  });
}

export type FloorMode = "prepared" | "revalidated" | "streamed" | "parsed" | "empty";

export async function startFloor(
  bench: Bench,
  mode: FloorMode,
  { answers, upstream }: { answers?: string; upstream?: Running } = {},
): Promise<Running> {
  return await bench.processes.start({
    command: [
      ...script("floor.ts"),
      `mode=${mode}`,
      ...(answers === undefined ? [] : [`answers=${answers}`]),
      ...(upstream === undefined ? [] : [`upstream=${upstream.base}`]),
    ],
    folder: bench.folder,
    name: mode,
  });
}

function script(name: string): string[] {
  return [DENO, "run", "-A", fileURLToPath(new URL(`./servers/${name}`, import.meta.url))];
}
