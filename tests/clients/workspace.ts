/** An isolated project folder in which a real package manager runs. */
import { dirname, join } from "node:path";

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams without colours, for assertions on what a person would read. */
  readonly text: string;
}

export interface Workspace extends AsyncDisposable {
  /** The project; caches and HOME are beside it, not in it. */
  readonly project: string;
  /** Runs a program in the project. Throws when it takes longer than a minute. */
  run(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<RunResult>;
  /** Writes a file of the project, folders included. */
  write(path: string, content: string | Record<string, unknown>): Promise<void>;
  read(path: string): Promise<string>;
  exists(path: string): Promise<boolean>;
}

const TIMEOUT_MS = 60_000;

export async function openWorkspace(): Promise<Workspace> {
  // The real path, since macOS's temporary folder is a link and some clients compare.
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "proxy-client-" }));
  const project = join(root, "project");
  for (const folder of ["home", "tmp", "project"]) await Deno.mkdir(join(root, folder));
  const environment = { ...inherited(), ...folders(root) };

  return {
    project,
    async run([program, ...args], env = {}) {
      const child = new Deno.Command(program, {
        args,
        cwd: project,
        clearEnv: true,
        env: { ...environment, ...env },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, TIMEOUT_MS);
      const { code, stdout, stderr } = await child.output();
      clearTimeout(timer);
      const [out, err] = [stdout, stderr].map((bytes) => plain(new TextDecoder().decode(bytes)));
      if (late) throw new Error(`${program} ${args.join(" ")} took over a minute:\n${out}\n${err}`);
      return { code, stdout: out, stderr: err, text: `${out}\n${err}` };
    },
    async write(path, content) {
      const target = join(project, path);
      await Deno.mkdir(dirname(target), { recursive: true });
      const text = typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`;
      await Deno.writeTextFile(target, text);
    },
    read: (path) => Deno.readTextFile(join(project, path)),
    exists: (path) => Deno.stat(join(project, path)).then(() => true, () => false),
    async [Symbol.asyncDispose]() {
      await Deno.remove(root, { recursive: true });
    },
  };
}

/** Of this machine only what finds programs: PATH, and where the shims of rustup and pyenv look. */
function inherited(): Record<string, string> {
  const home = Deno.env.get("HOME") ?? "/";
  return {
    PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
    LANG: "C.UTF-8",
    RUSTUP_HOME: Deno.env.get("RUSTUP_HOME") ?? join(home, ".rustup"),
    PYENV_ROOT: Deno.env.get("PYENV_ROOT") ?? join(home, ".pyenv"),
    RUSTUP_AUTO_INSTALL: "0",
  };
}

/** Each client's own caches, so that no test sees what another has fetched. */
function folders(root: string): Record<string, string> {
  const at = (...path: string[]) => join(root, ...path);
  return {
    HOME: at("home"),
    TMPDIR: at("tmp"),
    XDG_CACHE_HOME: at("home", ".cache"),
    XDG_CONFIG_HOME: at("home", ".config"),
    XDG_DATA_HOME: at("home", ".local", "share"),
    XDG_STATE_HOME: at("home", ".local", "state"),
    npm_config_cache: at("npm"),
    npm_config_globalconfig: at("home", "globalrc"),
    npm_config_update_notifier: "false",
    PNPM_HOME: at("pnpm"),
    YARN_CACHE_FOLDER: at("yarn1"),
    YARN_GLOBAL_FOLDER: at("yarn4"),
    YARN_ENABLE_TELEMETRY: "0",
    BUN_INSTALL: at("bun"),
    BUN_INSTALL_CACHE_DIR: at("bun", "cache"),
    DO_NOT_TRACK: "1",
    DENO_DIR: at("deno"),
    DENO_NO_UPDATE_CHECK: "1",
    CARGO_HOME: at("cargo"),
    CARGO_TERM_COLOR: "never",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_CACHE_DIR: "1",
    UV_CACHE_DIR: at("uv"),
    UV_PYTHON_DOWNLOADS: "never",
    NO_COLOR: "1",
  };
}

function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- colours are control characters
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").replaceAll("\r\n", "\n");
}
