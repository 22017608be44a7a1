/** The command lines, as processes of their own. */

const PROJECT = new URL("../../", import.meta.url);

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `admin/<name>.ts`; the settings of whoever runs the tests do not count. */
export async function runTool(
  name: "query" | "check" | "advisories",
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", `admin/${name}.ts`, ...args],
    cwd: PROJECT,
    env: {
      NO_COLOR: "1",
      PROXY_URL: "",
      PROXY_TOKEN: "",
      KV_URL: ":memory:",
      INSTALL_RETENTION: "",
      INIT_CWD: "",
      ...env,
    },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
