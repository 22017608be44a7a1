/** What the numbers were made on. */
import { versionOf } from "./load.ts";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryMB: number;
  readonly system: string;
  /** Load average before the first measurement: above 0.5 others were at work too. */
  readonly load: number;
  /** Versions by program; what is not there is left out. */
  readonly programs: Readonly<Record<string, string>>;
}

/** Taken before the first measurement. @param tool name of what made the load */
export function describeMachine(tool: string): Machine {
  const programs = {
    deno: Deno.version.deno,
    load: tool,
    nginx: versionOf("nginx", ["-v"])?.replace(/^nginx version: /, ""),
    node: versionOf("node", ["--version"]),
    npm: versionOf("npm", ["--version"]),
  };
  return {
    processor: processor(),
    cores: navigator.hardwareConcurrency,
    memoryMB: Math.round(Deno.systemMemoryInfo().total / 1024 / 1024),
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    load: Number(Deno.loadavg()[0].toFixed(1)),
    programs: Object.fromEntries(
      Object.entries(programs).filter((entry): entry is [string, string] => Boolean(entry[1])),
    ),
  };
}

/** Milliseconds, of all cores since the start, in which the host ran others although this machine had work; 0: not known. */
export function stolenMs(): number {
  try {
    const [line] = Deno.readTextFileSync("/proc/stat").split("\n", 1);
    // In hundredths of a second, the eighth after the name.
    return Number(line.trim().split(/\s+/)[8] ?? 0) * 10;
  } catch {
    return 0;
  }
}

function processor(): string {
  try {
    const text = Deno.readTextFileSync("/proc/cpuinfo");
    return /^model name\s*:\s*(.+)$/m.exec(text)?.[1] ?? "unknown";
  } catch {
    return "unknown";
  }
}
