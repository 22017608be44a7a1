/** Load: wrk where there is one, else a generator of our own; one tool for all columns of a run. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Target {
  /** Absolute; several are asked for in turn. */
  readonly urls: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

export interface Measured {
  readonly requestsPerSecond: number;
  /** Unfinished answers count too. */
  readonly bytesPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface LoadTool {
  readonly name: string;
  /** Throws if any answer was not 200. */
  run(target: Target): Promise<Measured>;
}

export function loadTool({ folder, own = false }: { folder: string; own?: boolean }): LoadTool {
  const version = own ? null : versionOf("wrk", ["--version"]);
  return version === null ? GENERATOR : {
    name: /wrk \S+/.exec(version)?.[0] ?? "wrk",
    run: (target) => runWrk(target, folder),
  };
}

/** First line of what a program says of itself; null: it is not here. */
export function versionOf(program: string, args: readonly string[]): string | null {
  try {
    const { stdout, stderr } = new Deno.Command(program, { args: [...args] }).outputSync();
    const text = new TextDecoder().decode(stdout.length > 0 ? stdout : stderr);
    return text.trim().split("\n")[0];
  } catch {
    return null;
  }
}

async function runWrk(target: Target, folder: string): Promise<Measured> {
  const { urls, headers = {}, connections, seconds } = target;
  const options = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  if (urls.length > 1) {
    const script = join(folder, "in_turn.lua");
    await Deno.writeTextFile(script, inTurn(urls));
    options.push("-s", script);
  }
  // wrk knows whole seconds only; interrupted, it reports what it has.
  const fixed = [
    "-t1",
    `-c${connections}`,
    `-d${Math.ceil(seconds) + 1}s`,
    "--timeout",
    "10s",
    "--latency",
  ];
  const child = new Deno.Command("wrk", {
    args: [...fixed, ...options, urls[0]],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGINT"), seconds * 1_000);
  const { stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder().decode(stdout);
  const field = (pattern: RegExp) => pattern.exec(text)?.[1] ?? "";
  const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(text);
  const requestsPerSecond = Number(field(/Requests\/sec:\s+([\d.]+)/) || NaN);
  if (failed !== null || Number.isNaN(requestsPerSecond)) {
    const cause = new TextDecoder().decode(stderr).trim();
    throw new Error(`Cannot measure ${urls[0]}: ${failed?.[0] ?? "no answers"} ${cause}`);
  }
  return {
    requestsPerSecond,
    bytesPerSecond: bytesOf(field(/Transfer\/sec:\s+([\d.]+\w+)/)),
    p50: milliseconds(field(/50%\s+([\d.]+\w+)/)),
    p99: milliseconds(field(/99%\s+([\d.]+\w+)/)),
  };
}

function inTurn(urls: readonly string[]): string {
  const paths = urls.map((url) => `"${new URL(url).pathname}"`).join(",\n");
  return `local paths = {${paths}}
local i = 0
request = function()
  i = i % #paths + 1
  return wrk.format("GET", paths[i])
end
`;
}

function milliseconds(text: string): number {
  const match = /^([\d.]+)(us|ms|s|m)$/.exec(text);
  if (match === null) return NaN;
  return Number(match[1]) * { us: 0.001, ms: 1, s: 1_000, m: 60_000 }[match[2] as "us"];
}

function bytesOf(text: string): number {
  const match = /^([\d.]+)([KMG]?)B$/.exec(text);
  return match === null ? NaN : Number(match[1]) * 1024 ** " KMG".indexOf(match[2] || " ");
}

const GENERATOR: LoadTool = {
  name: "the benchmark's own generator",
  async run(target) {
    const script = fileURLToPath(new URL("./servers/generator.ts", import.meta.url));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script, JSON.stringify(target)],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    return JSON.parse(new TextDecoder().decode(stdout));
  },
};
