/** The npm-family clients, as one table: how each is started, configured and asked. */
import { installed } from "../registry/installed.ts";

const TOOLS = new URL("./node_modules/", import.meta.url);

export interface NpmClient {
  readonly name: string;
  /** Program and leading arguments. */
  readonly command: readonly string[];
  /** Resolves specs such as `kettle@^1`, downloads and saves them. */
  readonly add: (spec: string) => readonly string[];
  /** Installs exactly what the lockfile says, or fails. */
  readonly frozen: readonly string[];
  readonly lockfile: string;
  /** Files of the project that point it at a registry (an address that ends in `/`). */
  readonly config: (registry: string) => Readonly<Record<string, string>>;
  /** Why it cannot run on this machine; null: it can. */
  readonly missing: string | null;
}

const npmrc = (registry: string) => ({ ".npmrc": `registry=${registry}\n` });

export const NPM_CLIENTS: readonly NpmClient[] = [
  {
    name: "npm",
    command: ["node", tool("npm/bin/npm-cli.js")],
    add: (spec) => ["install", spec],
    frozen: ["ci"],
    lockfile: "package-lock.json",
    config: npmrc,
    missing: needsNode("npm/bin/npm-cli.js"),
  },
  {
    name: "pnpm",
    command: [pnpmBinary()],
    add: (spec) => ["add", spec],
    frozen: ["install", "--frozen-lockfile"],
    lockfile: "pnpm-lock.yaml",
    config: npmrc,
    missing: isFile(pnpmBinary()) ? null : "no pnpm binary for this platform",
  },
  {
    name: "yarn 1",
    command: ["node", tool("yarn/bin/yarn.js"), "--non-interactive"],
    add: (spec) => ["add", spec],
    frozen: ["install", "--frozen-lockfile"],
    lockfile: "yarn.lock",
    config: npmrc,
    missing: needsNode("yarn/bin/yarn.js"),
  },
  {
    name: "yarn 4",
    command: ["node", tool("@yarnpkg/cli-dist/bin/yarn.js")],
    add: (spec) => ["add", spec],
    frozen: ["install", "--immutable"],
    lockfile: "yarn.lock",
    config: (registry) => ({
      ".yarnrc.yml": `npmRegistryServer: "${registry.slice(0, -1)}"\n` +
        `unsafeHttpWhitelist: ["127.0.0.1"]\nnodeLinker: node-modules\n`,
    }),
    missing: needsNode("@yarnpkg/cli-dist/bin/yarn.js"),
  },
  {
    name: "bun",
    command: [bunBinary()],
    add: (spec) => ["add", spec],
    frozen: ["install", "--frozen-lockfile"],
    lockfile: "bun.lock",
    config: npmrc,
    missing: isFile(bunBinary()) ? null : "no bun binary for this platform",
  },
  {
    name: "deno",
    command: [Deno.execPath()],
    add: (spec) => ["add", `npm:${spec}`],
    frozen: ["install", "--frozen"],
    lockfile: "deno.lock",
    config: npmrc,
    missing: null,
  },
];

function tool(path: string): string {
  return decodeURIComponent(new URL(path, TOOLS).pathname);
}

function needsNode(script: string): string | null {
  if (!installed("node")) return "no node on PATH";
  return isFile(tool(script)) ? null : "run `deno task tools` first";
}

/** Beside the wrapper package, which would copy it here in a lifecycle script. */
function pnpmBinary(): string {
  return platformBinary("pnpm", `@pnpm/exe.${Deno.build.os}-${x64() ? "x64" : "arm64"}/pnpm`);
}

function bunBinary(): string {
  return platformBinary("bun", `@oven/bun-${Deno.build.os}-${x64() ? "x64" : "aarch64"}/bin/bun`);
}

function platformBinary(wrapper: string, path: string): string {
  try {
    return `${Deno.realPathSync(tool(wrapper))}/../${path}`;
  } catch {
    return tool(path);
  }
}

function x64(): boolean {
  return Deno.build.arch === "x86_64";
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
