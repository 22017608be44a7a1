/** What else people run in front of a registry: nginx as caching proxy, and Verdaccio. */
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import type { Running } from "./process.ts";

/** The last one that runs on Node 20 too. */
const VERDACCIO = "6.8.0";
const PROJECT = {
  private: true,
  dependencies: { verdaccio: VERDACCIO },
  // It is asked for by a tag, and not every mirror has tags besides `latest`.
  overrides: { "node-fetch": "2.7.0" },
};
const INSTALL_MS = 180_000;

/** On a cache folder of its own, so it begins empty. Its `Host` goes through: the upstream writes addresses for it. */
export async function startNginx(bench: Bench, upstream: Running): Promise<Running> {
  const folder = await Deno.makeTempDir({ dir: bench.folder, prefix: "nginx-" });
  const port = freePort();
  const file = join(folder, "nginx.conf");
  await Deno.writeTextFile(
    file,
    configuration(folder, { port, upstream: new URL(upstream.base).host }),
  );
  return await bench.processes.start({
    command: ["nginx", "-p", folder, "-e", join(folder, "error.log"), "-c", file],
    folder: bench.folder,
    name: "nginx",
    base: `http://127.0.0.1:${port}/`,
  });
}

function configuration(
  folder: string,
  { port, upstream }: { port: number; upstream: string },
): string {
  // A worker that gave up root's rights could not read a folder of root's.
  const user = Deno.uid() === 0 ? "user root;" : "";
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
  return `
daemon off; ${user} worker_processes auto; pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; keepalive_requests 100000000; ${paths}
  proxy_cache_path ${folder}/cache levels=1:2 keys_zone=cache:64m max_size=10g use_temp_path=off;
  upstream registry { server ${upstream}; keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 256k;
      proxy_cache cache;
      proxy_cache_key "$uri $http_accept $http_accept_encoding";
      proxy_ignore_headers Vary;
      proxy_cache_valid 200 10m;
      proxy_cache_lock on;
    }
  }
}
`;
}

/** Path of Verdaccio's program, installed by npm at the first run; null: it cannot be had. */
export async function installVerdaccio(say: (text: string) => void): Promise<string | null> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "/tmp", ".cache");
  const folder = join(cache, "package-proxy-bench", `verdaccio-${VERDACCIO}`);
  const program = join(folder, "node_modules", "verdaccio", "bin", "verdaccio");
  if (await exists(program)) return program;
  say(`installing Verdaccio ${VERDACCIO} into ${folder}`);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify(PROJECT));
  try {
    const { success } = await new Deno.Command("npm", {
      args: ["install", "--ignore-scripts", "--no-audit", "--no-fund"],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(INSTALL_MS),
    }).output();
    return success && await exists(program) ? program : null;
  } catch {
    return null;
  }
}

/** With a storage of its own, so it begins empty. */
export async function startVerdaccio(
  bench: Bench,
  program: string,
  upstream: Running,
): Promise<Running> {
  const folder = await Deno.makeTempDir({ dir: bench.folder, prefix: "verdaccio-" });
  const port = freePort();
  const file = join(folder, "config.yaml");
  // JSON is YAML.
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      storage: join(folder, "storage"),
      auth: { htpasswd: { file: join(folder, "htpasswd") } },
      uplinks: {
        registry: {
          url: upstream.base,
          maxage: "10m",
          timeout: "30s",
          agent_options: { keepAlive: true },
        },
      },
      packages: { "**": { access: "$all", proxy: "registry" } },
      web: { enable: false },
      middlewares: { audit: { enabled: false } },
      log: { type: "stdout", format: "json", level: "error" },
    }),
  );
  return await bench.processes.start({
    command: ["node", program, "--config", file, "--listen", `127.0.0.1:${port}`],
    folder: bench.folder,
    name: "verdaccio",
    cwd: folder,
    base: `http://127.0.0.1:${port}/`,
  });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
