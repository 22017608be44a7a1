/** The proxy as a process of its own, as its operator starts it. */

const ROOT = new URL("../", import.meta.url);
const MAIN = new URL("main.ts", ROOT).pathname;
/** For a start on a machine that is busy with other tests. */
const START_MS = 60_000;

export interface Started extends AsyncDisposable {
  /** Without trailing slash. */
  readonly url: string;
  /** What it printed up to the line with its address. */
  readonly lines: readonly string[];
  /** All that it has printed so far. */
  readonly printed: () => string;
  readonly process: Deno.ChildProcess;
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface StartOptions {
  /** Flags of `deno run`; those of `deno task start` if not given. */
  readonly permissions?: readonly string[];
  /** A module of this folder in place of main.ts. */
  readonly entry?: string;
  /** How many the process may have open at once. */
  readonly openFiles?: number;
}

function command(
  variables: Readonly<Record<string, string>>,
  { permissions = ["-P", "--allow-read", "--allow-write"], entry, openFiles }: StartOptions = {},
): Deno.Command {
  const passed = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "TMPDIR"];
  const env = Object.fromEntries(passed.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
  const words = [
    Deno.execPath(),
    "run",
    ...permissions,
    "--no-prompt",
    "--quiet",
    entry ? `${ROOT.pathname}tests/${entry}` : MAIN,
  ];
  const [program, ...args] = openFiles === undefined
    ? words
    : ["/bin/sh", "-c", `ulimit -n ${openFiles} && exec "$0" "$@"`, ...words];
  return new Deno.Command(program, {
    args,
    cwd: ROOT,
    clearEnv: true,
    env: {
      ...env,
      NO_COLOR: "1",
      UPSTREAM_NPM: "http://127.0.0.1:9/",
      OSV_URL: "",
      KV_URL: ":memory:",
      ...variables,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** For a start that fails by itself. Loopback and memory unless the variables say otherwise. */
export async function run(
  variables: Readonly<Record<string, string>>,
  options?: StartOptions,
): Promise<Ended> {
  const process = command(variables, options).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), START_MS);
  const { code, stdout, stderr } = await process.output();
  clearTimeout(timer);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

export async function start(
  variables: Readonly<Record<string, string>> = {},
  options?: StartOptions,
): Promise<Started> {
  const process = command({ PORT: "0", ...variables }, options).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), START_MS);
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const errors = new Response(process.stderr).text();
  let text = "";
  let url: string | undefined;
  while (url === undefined) {
    const { value, done } = await reader.read();
    if (done) {
      clearTimeout(timer);
      throw new Error(`The proxy did not start: ${text}${await errors}`);
    }
    text += value;
    url = /listens on (http:\S+)\/\n/.exec(text)?.[1];
  }
  clearTimeout(timer);
  const rest = drain(reader, (more) => text += more);
  return {
    url,
    lines: text.trim().split("\n"),
    printed: () => text,
    process,
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGKILL");
      } catch (error) {
        // It has ended by itself, as the test wanted.
        if (!(error instanceof TypeError)) throw error;
      }
      await Promise.all([process.status, rest, errors]);
    },
  };
}

/** A pipe that nobody reads would stop the process that writes. */
async function drain(
  reader: ReadableStreamDefaultReader<string>,
  keep: (more: string) => void,
): Promise<void> {
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    keep(value);
  }
}

export async function temporary(): Promise<AsyncDisposable & { file(name: string): string }> {
  const folder = await Deno.makeTempDir();
  return {
    file: (name) => `${folder}/${name}`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
