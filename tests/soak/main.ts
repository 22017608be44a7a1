/**
 * `deno task soak [--minutes 10]`: mixed load on a real process over a database
 * file, with an upstream that fails, changes of policy, and `kill -9` every
 * minute and a half. Exits with 1 if anything that was promised is missing, if
 * memory or file descriptors grow without bound, or at any answer that must not be.
 */
// deno-lint-ignore-file no-console -- the terminal is this file's
import { parseArgs } from "node:util";
import { temporary } from "../process.ts";
import { settle } from "./books.ts";
import { openLife } from "./life.ts";
import { runLoad } from "./load.ts";
import { printReport } from "./report.ts";
import { openSoakUpstreams } from "./upstreams.ts";

/** Unless the whole takes less. */
const KILL_EVERY_MS = 90_000;
const LEAK_REQUESTS = 10_000;

async function leakCheck(): Promise<boolean> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", new URL("../faults/leak_test.ts", import.meta.url).pathname],
    env: { LEAK_REQUESTS: String(LEAK_REQUESTS) },
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  return code === 0;
}

const { values } = parseArgs({
  args: Deno.args,
  options: { minutes: { type: "string", default: "10" }, "no-leaks": { type: "boolean" } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0 && minutes <= 24 * 60)) {
  console.error("--minutes: a number above 0 is accepted");
  Deno.exit(2);
}

const totalMs = minutes * 60_000;
const faults: string[] = [];
{
  await using folder = await temporary();
  await using upstreams = await openSoakUpstreams();
  const path = folder.file("proxy.sqlite");
  const life = await openLife(path, upstreams.settings);
  const load = await runLoad({
    life,
    upstreams,
    totalMs,
    killEveryMs: Math.min(KILL_EVERY_MS, totalMs / 3),
    progress: (line) => console.log(line),
  });
  const ended = await life.end();
  if (ended !== 0) faults.push(`SIGTERM ended the process with ${ended}`);
  const books = await settle(path, load);
  faults.push(...printReport({ load, books, lives: life.lives, minutes }));
}
if (!values["no-leaks"] && !await leakCheck()) faults.push(`${LEAK_REQUESTS} faulty requests leak`);
for (const fault of faults) console.error(`FAILED: ${fault}`);
console.log(faults.length === 0 ? "soak: ok" : "soak: failed");
Deno.exit(faults.length === 0 ? 0 : 1);
