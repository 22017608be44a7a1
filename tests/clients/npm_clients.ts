/** The npm-family clients as one table: how each is started, configured and asked, and what it prints. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installed } from "../registry/installed.ts";

const TOOLS = fileURLToPath(new URL("./node_modules/", import.meta.url));

/** Path in the project to content. */
export type Files = Readonly<Record<string, string>>;

export interface NpmClient {
  readonly name: string;
  /** Program and leading arguments. */
  readonly command: readonly string[];
  /** Why it cannot run on this machine; null: it can. */
  readonly missing: string | null;
  /** Points a project at a registry, an address that ends in `/`. */
  readonly config: (registry: string, token?: string) => Files;
  /** Resolves a spec such as `kettle@^1`, downloads and saves it. */
  readonly add: (spec: string) => readonly string[];
  /** Installs exactly what the lockfile says, or fails. */
  readonly frozen: readonly string[];
  readonly lockfile: string;
  /** Turns off a check of the client's own that would come before the download. */
  readonly unguarded?: Files;
  /** What is printed of `whistle@1.1.0`, pinned and withheld; `base` has no slash at its end. */
  readonly pinned: (base: string) => readonly string[];
  /** What is printed of a file that is not the one of its index; null: it is installed. */
  readonly mismatch: readonly string[] | null;
  /** What is printed of its file, when a lockfile names it. */
  readonly file: (base: string) => readonly string[];
}

/** The one of a name; a name that is not in the table is a fault of the test. */
export function npmClient(name: string): NpmClient {
  const found = NPM_CLIENTS.find((client) => client.name === name);
  if (found === undefined) throw new RangeError(`Cannot find a client named ${name}`);
  return found;
}

export const NPM_CLIENTS: readonly NpmClient[] = [
  {
    name: "npm",
    ...byNode("npm/bin/npm-cli.js"),
    config: npmrc,
    add: (spec) => ["install", spec],
    frozen: ["ci"],
    lockfile: "package-lock.json",
    mismatch: ["code EINTEGRITY", "integrity checksum failed when using sha512"],
    pinned: (base) => [
      "code E403",
      "Could not download whistle@1.1.0 due to policy violations:",
      "whistle 1.1.0 is withheld (min_age): published 20",
      `See ${base}/why/pkg:npm/whistle`,
    ],
    file: (base) => [
      "code E403",
      `403 Forbidden - GET ${base}/npm/whistle/-/whistle-1.1.0.tgz - ` +
      "whistle 1.1.0 is withheld by policy (min_age): published 20",
      `More: ${base}/why/pkg:npm/whistle@1.1.0`,
    ],
  },
  {
    name: "pnpm",
    ...byBinary("pnpm", `@pnpm/exe.${Deno.build.os}-${architecture("arm64")}/pnpm`),
    config: npmrc,
    add: (spec) => ["add", spec],
    frozen: ["install", "--frozen-lockfile"],
    lockfile: "pnpm-lock.yaml",
    unguarded: { "pnpm-workspace.yaml": "minimumReleaseAge: 0\n" },
    mismatch: ["ERR_PNPM_TARBALL_INTEGRITY"],
    pinned: (base) => [
      "ERR_PNPM_NO_MATCHING_VERSION",
      `No matching version found for whistle@1.1.0 while fetching it from ${base}/npm/`,
    ],
    file: (base) => [
      "ERR_PNPM_TARBALL_HTTP_STATUS",
      `Tarball server returned HTTP 403 for ${base}/npm/whistle/-/whistle-1.1.0.tgz`,
    ],
  },
  {
    name: "yarn 1",
    ...byNode("yarn/bin/yarn.js"),
    config: npmrc,
    add: (spec) => ["add", "--non-interactive", spec],
    frozen: ["install", "--non-interactive", "--frozen-lockfile"],
    lockfile: "yarn.lock",
    mismatch: ['Integrity check failed for "@pottery/cup"'],
    pinned: () => [`Couldn't find any versions for "whistle" that matches "1.1.0"`],
    file: (base) => [`${base}/npm/whistle/-/whistle-1.1.0.tgz: Request failed "403 Forbidden"`],
  },
  {
    name: "yarn 4",
    ...byNode("@yarnpkg/cli-dist/bin/yarn.js"),
    config: yarnrc,
    add: (spec) => ["add", spec],
    frozen: ["install", "--immutable"],
    lockfile: "yarn.lock",
    mismatch: null,
    pinned: () => ["whistle@npm:1.1.0: No candidates found"],
    file: (base) => [
      "Response Code: 403 (Forbidden)",
      `Request URL: ${base}/npm/whistle/-/whistle-1.1.0.tgz`,
      `Request Redirects: ${base}/why/pkg:npm/whistle@1.1.0?withheld=min_age`,
    ],
  },
  {
    name: "bun",
    ...byBinary("bun", `@oven/bun-${Deno.build.os}-${architecture("aarch64")}/bin/bun`),
    config: npmrc,
    add: (spec) => ["add", spec],
    frozen: ["install", "--frozen-lockfile"],
    lockfile: "bun.lock",
    mismatch: ["Integrity check failed for tarball: @pottery/cup"],
    pinned: () => [
      'No version matching "1.1.0" found for specifier "whistle" (but package exists)',
      "whistle@1.1.0 failed to resolve",
    ],
    file: (base) => [`GET ${base}/why/pkg:npm/whistle@1.1.0?withheld=min_age - 403`],
  },
  {
    name: "deno",
    command: [Deno.execPath()],
    missing: null,
    config: npmrc,
    add: (spec) => ["add", `npm:${spec}`],
    frozen: ["install", "--frozen"],
    lockfile: "deno.lock",
    mismatch: ["Tarball checksum did not match what was provided by npm registry"],
    pinned: () => ["Could not find npm package 'whistle' matching '1.1.0'"],
    file: (base) => [
      "Bad response: 403",
      '"error":"whistle 1.1.0 is withheld by policy (min_age): published 20',
      `More: ${base}/why/pkg:npm/whistle@1.1.0`,
      '"rule":"min_age"',
    ],
  },
];

/** All but yarn 4 read this file. */
function npmrc(registry: string, token?: string): Files {
  const lines = [`registry=${registry}`];
  // yarn 1 keeps the token from packages without a scope unless told so.
  if (token) {
    lines.push(`${registry.replace(/^http:/, "")}:_authToken=${token}`, "always-auth=true");
  }
  return { ".npmrc": `${lines.join("\n")}\n` };
}

function yarnrc(registry: string, token?: string): Files {
  const lines = [
    `npmRegistryServer: "${registry.slice(0, -1)}"`,
    `unsafeHttpWhitelist: ["127.0.0.1"]`,
    "nodeLinker: node-modules",
    ...token ? [`npmAuthToken: "${token}"`, "npmAlwaysAuth: true"] : [],
  ];
  return { ".yarnrc.yml": `${lines.join("\n")}\n` };
}

function byNode(script: string): Pick<NpmClient, "command" | "missing"> {
  const path = join(TOOLS, script);
  const found = isFile(path) ? null : "not installed: run `deno task tools`";
  return { command: ["node", path], missing: installed("node") ? found : "no node on PATH" };
}

/** From the platform's own package, which the wrapper's lifecycle script would copy it out of. */
function byBinary(wrapper: string, path: string): Pick<NpmClient, "command" | "missing"> {
  try {
    const binary = join(dirname(Deno.realPathSync(join(TOOLS, wrapper))), path);
    return { command: [binary], missing: isFile(binary) ? null : "no binary for this platform" };
  } catch {
    return { command: [wrapper], missing: "not installed: run `deno task tools`" };
  }
}

function architecture(arm: string): string {
  return Deno.build.arch === "x86_64" ? "x64" : arm;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
