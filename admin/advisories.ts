/** `deno task advisories`: OSV's bulk files for machines without access, and what is known. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { ECOSYSTEMS } from "../ecosystems/mod.ts";
import { AdvisoryStore, type BulkHead } from "../policy/store/advisories.ts";
import { checkVersion } from "../policy/store/migrations.ts";
import { importAdvisories } from "./advisories/import.ts";
import { existingDatabase } from "./database.ts";
import { visible } from "./formats.ts";
import { fromHere } from "./from_here.ts";

const HELP = `deno task advisories import <zip|dir>   replace the advisories of the ecosystems in it
deno task advisories status             what was imported, and when OSV last answered

Uses the database that KV_URL names, as the proxy does.`;

/** KV on a busy machine may take its time; nobody waits for an answer here. */
const TIMEOUT_MS = 30_000;

/** The exit status. */
async function advisories(args: readonly string[]): Promise<number> {
  const [command, path, ...more] = args;
  if (command === "--help" || command === "-h") {
    console.log(HELP);
    return 0;
  }
  const known = command === "import" ? path !== undefined : command === "status" && !path;
  if (!known || more.length > 0) {
    console.error(HELP);
    return 2;
  }
  try {
    const address = Deno.env.get("KV_URL") || undefined;
    // What is imported may be the first that a database holds.
    const kv = await Deno.openKv(command === "import" ? address : await existingDatabase(address));
    try {
      await checkVersion(kv);
      const store = new AdvisoryStore(kv, TIMEOUT_MS);
      if (command === "import") await load(store, path);
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

async function load(store: AdvisoryStore, path: string): Promise<void> {
  const from = fromHere(path, Deno.env.get("INIT_CWD"));
  const heads = await importAdvisories(from, { store, ecosystems: ECOSYSTEMS, now: Date.now() });
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
