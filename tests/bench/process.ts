/** Processes of the benchmark: started, waited for, weighed and stopped, each by its own id. */
import { join } from "node:path";

export interface Running {
  /** Ends in `/`. */
  readonly base: string;
  readonly pid: number;
  /** Resident megabytes now, and the most there ever were. Only on Linux; else NaN. */
  memory(): { now: number; peak: number };
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly command: readonly string[];
  /** Where its output goes. */
  readonly folder: string;
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Where it listens, if it does not print that. */
  readonly base?: string;
}

const PATIENCE_MS = 60_000;
const ADDRESS = /http:\/\/127\.0\.0\.1:\d+\//;

/** Those that were started and have not ended. */
export class Processes {
  readonly #running = new Set<Deno.ChildProcess>();

  /** Resolves when it has printed its address, or answers at `base`. */
  async start(options: StartOptions): Promise<Running> {
    const { command, folder, name, env, cwd } = options;
    const output = join(folder, `${name}-${crypto.randomUUID().slice(0, 8)}.log`);
    // A file, since a pipe would make the harness part of what is measured.
    const child = new Deno.Command("sh", {
      args: ["-c", 'exec "$0" "$@" >"$BENCH_OUTPUT" 2>&1', ...command],
      env: { ...env, BENCH_OUTPUT: output },
      cwd,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let ended = false;
    this.#running.add(child);
    const status = child.status.finally(() => {
      ended = true;
      this.#running.delete(child);
    });
    const stop = async () => {
      if (!ended) child.kill("SIGTERM");
      const timer = setTimeout(() => ended || child.kill("SIGKILL"), 3_000);
      await status;
      clearTimeout(timer);
    };
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline && !ended) {
      const base = options.base === undefined
        ? ADDRESS.exec(await read(output))?.[0]
        : await answers(options.base)
        ? options.base
        : undefined;
      if (base !== undefined) {
        return {
          base,
          pid: child.pid,
          memory: () => memoryOf(child.pid),
          stop,
        };
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await stop();
    throw new Error(`Cannot start ${name}: ${(await read(output)).slice(-2_000)}`);
  }

  /** For when the benchmark itself is stopped. */
  stopAll(): void {
    for (const child of this.#running) {
      try {
        child.kill("SIGTERM");
      } catch {
        // It ended a moment ago.
      }
    }
  }
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "");
}

async function answers(base: string): Promise<boolean> {
  try {
    await (await fetch(base)).body?.cancel();
    return true;
  } catch {
    return false;
  }
}

function memoryOf(pid: number): { now: number; peak: number } {
  let text = "";
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/status`);
  } catch {
    // No /proc here.
  }
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? NaN) / 1024;
  return { now: megabytes("VmRSS"), peak: megabytes("VmHWM") };
}
