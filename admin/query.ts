/** `deno task query`: who installed what, and what was refused. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { SCHEMES } from "../ecosystems/mod.ts";
import { parseDuration } from "../policy/duration.ts";
import { checkVersion } from "../policy/store/migrations.ts";
import { openRecords } from "../policy/store/records.ts";
import { existingDatabase } from "./database.ts";
import { visible } from "./formats.ts";
import { fromHere } from "./from_here.ts";
import { type Arguments, HELP, readArguments, UsageError } from "./query/arguments.ts";
import { output } from "./query/output.ts";
import { type Ask, proxySource, storeSource } from "./query/sources.ts";

const DEFAULT_RETENTION = "400d";

/** The exit status. */
async function query(args: readonly string[]): Promise<number> {
  try {
    const read = readArguments(args, {
      schemes: SCHEMES,
      now: Date.now(),
      proxyUrl: Deno.env.get("PROXY_URL"),
      proxyToken: Deno.env.get("PROXY_TOKEN"),
    });
    if (read === null) await print([HELP]);
    else await run(read);
    return 0;
  } catch (error) {
    // Whoever reads us (`head`) has enough.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    const message = error instanceof Error ? error.message : String(error);
    const usage = error instanceof UsageError;
    console.error(visible(usage ? `${message} (--help lists the arguments)` : message));
    return usage ? 2 : 1;
  }
}

async function run(read: Arguments): Promise<void> {
  const format = read.format ?? (Deno.stdout.isTerminal() ? "table" : "jsonl");
  if (read.proxy !== null) {
    const document = read.document === null ? {} : await readDocument(read.document);
    await print(output(proxySource(read.proxy), read, format, document));
    return;
  }
  const retentionMs = retention();
  const kv = await Deno.openKv(await existingDatabase(Deno.env.get("KV_URL") || undefined));
  let local: Ask | undefined;
  try {
    await checkVersion(kv);
    const records = openRecords(kv, { schemes: SCHEMES, now: Date.now, retentionMs });
    const ask: Ask = async (...question) => {
      // Most questions are of installs, and need nothing of the API.
      const { localAsk } = await import("./query/local.ts");
      return await (local ??= localAsk(kv, { schemes: SCHEMES, records, now: Date.now }))(
        ...question,
      );
    };
    await print(output(storeSource(records, ask), read, format));
  } finally {
    kv.close();
  }
}

async function readDocument(
  { kind, path }: NonNullable<Arguments["document"]>,
): Promise<object> {
  try {
    const text = await Deno.readTextFile(fromHere(path, Deno.env.get("INIT_CWD")));
    return { [kind]: JSON.parse(text) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--${kind}: ${reason}`);
  }
}

/** The proxy's own setting: what it holds to be gone is not shown. */
function retention(): number {
  try {
    return parseDuration(Deno.env.get("INSTALL_RETENTION") || DEFAULT_RETENTION);
  } catch (error) {
    throw new UsageError(`INSTALL_RETENTION: ${error instanceof Error ? error.message : error}`);
  }
}

const BUFFERED = 65_536;

async function print(pieces: Iterable<string> | AsyncIterable<string>): Promise<void> {
  let text = "";
  for await (const piece of pieces) {
    text += piece;
    if (text.length < BUFFERED) continue;
    await write(text);
    text = "";
  }
  await write(text);
}

async function write(text: string): Promise<void> {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
}

if (import.meta.main) Deno.exit(await query(Deno.args));
