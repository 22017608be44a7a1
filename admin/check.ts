/** `deno task check`: what a running proxy makes of lockfiles, for terminals and CI. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { basename, isAbsolute } from "node:path";
import { visible } from "../policy/visible.ts";
import { type CheckArguments, HELP, readCheckArguments } from "./check/arguments.ts";
import { askProxy, ProxyRefuses } from "./check/client.ts";
import { fromHere } from "./from_here.ts";
import { UsageError } from "./query/arguments.ts";

/** The worst of several files counts. */
const EXIT = { pass: 0, fail: 1, usage: 2, proxy: 3 } as const;

/** The exit status. */
async function check(args: readonly string[]): Promise<number> {
  let worst: number = EXIT.pass;
  try {
    const read = readCheckArguments(args, {
      proxyUrl: Deno.env.get("PROXY_URL"),
      proxyToken: Deno.env.get("PROXY_TOKEN"),
    });
    if (read === null) {
      console.log(HELP);
      return EXIT.pass;
    }
    for (const file of read.files) worst = Math.max(worst, await checkFile(file, read));
    return worst;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const usage = error instanceof UsageError;
    console.error(visible(usage ? `${message} (--help lists the arguments)` : message));
    return usage ? EXIT.usage : EXIT.proxy;
  }
}

async function checkFile(file: string, read: CheckArguments): Promise<number> {
  const bytes = await contentOf(file);
  try {
    // What is reported is read elsewhere, where folders of this machine mean nothing.
    const filename = isAbsolute(file) ? basename(file) : file;
    const { text, passes } = await askProxy(bytes, { ...read, filename });
    await print(text, read);
    const { output } = read;
    if (output !== null) {
      console.log(visible(`${file}: ${passes ? "pass" : "FAIL"}, see ${output}`));
    }
    return passes ? EXIT.pass : EXIT.fail;
  } catch (error) {
    if (!(error instanceof ProxyRefuses) || !error.unreadable) throw error;
    // The next file may be fine.
    console.error(visible(`${file}: ${error.message}`));
    return EXIT.usage;
  }
}

async function contentOf(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(fromHere(file, Deno.env.get("INIT_CWD")));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${file}: ${message}`, { cause });
  }
}

async function print(text: string, { output, format }: CheckArguments): Promise<void> {
  const safe = format === "table" ? text.split("\n").map(visible).join("\n") : text;
  const whole = safe.endsWith("\n") ? safe : `${safe}\n`;
  if (output === null) {
    let bytes = new TextEncoder().encode(whole);
    while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
    return;
  }
  try {
    await Deno.writeTextFile(fromHere(output, Deno.env.get("INIT_CWD")), whole);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--output: ${message}`, { cause });
  }
}

if (import.meta.main) Deno.exit(await check(Deno.args));
