/** `deno task advisories`: OSV's bulk files for machines without access, and what is known. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { parseArgs } from "node:util";
import { ECOSYSTEMS } from "../ecosystems/mod.ts";
import { AdvisoryStore, type BulkHead } from "../policy/store/advisories.ts";
import { checkVersion } from "../policy/store/migrations.ts";
import { importAdvisories } from "./advisories/import.ts";
import { existingDatabase } from "./database.ts";
import { visible } from "./formats.ts";
import { fromHere } from "./from_here.ts";

const IDS = ECOSYSTEMS.filter(({ osv }) => osv !== undefined).map(({ id }) => id);

const HELP = `deno task advisories import <zip|dir> [--ecosystem ID]...
deno task advisories status

import  replaces what was imported for the ecosystem that a zip file is for, or
        the records that lie in a folder: the one that all of them name. With
        --ecosystem (${IDS.join(", ")}) for those and no others, whatever
        else the records name. The newest copy of each record counts.
status  says what was imported, and when OSV last answered.

Uses the database that KV_URL names, as the proxy does.`;

const OPTIONS = {
  ecosystem: { type: "string", multiple: true },
  help: { type: "boolean", short: "h" },
} as const;

/** KV on a busy machine may take its time; nobody waits for an answer here. */
const TIMEOUT_MS = 30_000;

/** The exit status. */
async function advisories(args: readonly string[]): Promise<number> {
  const read = readArguments(args);
  if (read === null) {
    console.error(HELP);
    return 2;
  }
  const { command, path, only } = read;
  if (command === "help") {
    console.log(HELP);
    return 0;
  }
  try {
    const address = Deno.env.get("KV_URL") || undefined;
    // What is imported may be the first that a database holds.
    const kv = await Deno.openKv(command === "import" ? address : await existingDatabase(address));
    try {
      await checkVersion(kv);
      const store = new AdvisoryStore(kv, TIMEOUT_MS);
      if (command === "import") await load(store, path, only);
      else await status(store);
    } finally {
      kv.close();
    }
    return 0;
  } catch (error) {
    console.error(visible(error instanceof Error ? error.message : String(error)));
    return 1;
  }
}

interface Arguments {
  readonly command: "import" | "status" | "help";
  /** `""` but for an import. */
  readonly path: string;
  readonly only?: readonly string[] | undefined;
}

/** null: bad usage. */
function readArguments(args: readonly string[]): Arguments | null {
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch {
    return null;
  }
  const { ecosystem: only, help } = parsed.values;
  const [command, path = "", ...more] = parsed.positionals;
  if (help) return { command: "help", path };
  if (more.length > 0 || only?.some((id) => !IDS.includes(id))) return null;
  if (command === "status") return path === "" && only === undefined ? { command, path } : null;
  if (command !== "import" || path === "") return null;
  return { command, path, only: only && [...new Set(only)] };
}

async function load(
  store: AdvisoryStore,
  path: string,
  only: readonly string[] | undefined,
): Promise<void> {
  const from = fromHere(path, Deno.env.get("INIT_CWD"));
  const options = { store, ecosystems: ECOSYSTEMS, now: Date.now(), only };
  const heads = await importAdvisories(from, options);
  for (const [ecosystem, head] of heads) console.log(`imported ${line(ecosystem, head)}`);
}

async function status(store: AdvisoryStore): Promise<void> {
  const last = await store.lastAnswer();
  console.log(`OSV last answered: ${last === null ? "never" : new Date(last).toISOString()}`);
  const heads = await store.bulks();
  for (const [ecosystem, head] of heads) console.log(`imported ${line(ecosystem, head)}`);
  if (heads.size === 0) console.log("nothing was imported");
}

function line(ecosystem: string, { advisories, packages, at }: BulkHead): string {
  const what = advisories === 1 ? "1 advisory" : `${advisories} advisories`;
  const of = packages === 1 ? "1 package" : `${packages} packages`;
  return `${ecosystem}: ${what} of ${of}, ` +
    `the newest of ${new Date(at).toISOString()}`;
}

if (import.meta.main) Deno.exit(await advisories(Deno.args));
