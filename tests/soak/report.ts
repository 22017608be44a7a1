/** What came of it, for people; and what was not as it should be. */
// deno-lint-ignore-file no-console -- the terminal is this file's
import type { Books } from "./books.ts";
import type { LifeRecord } from "./life.ts";
import type { Load } from "./load.ts";

/** Beyond what caches may take (CACHE_MEMORY_MB) there is no reason to grow. */
const GROWTH_MB = 200;
/** Connections of clients and to upstreams come and go. */
const GROWTH_DESCRIPTORS = 200;
const SHOWN = 10;

export function printReport(
  { load, books, lives, minutes }: {
    load: Load;
    books: Books;
    lives: readonly LifeRecord[];
    minutes: number;
  },
): string[] {
  const { requests, refusals, kills, seconds, outcomes, promised, changed, wrong } = load;
  const lines: [string, string][] = [
    ["asked for", `${minutes} min; ran ${seconds.toFixed(0)} s, killed ${kills} times`],
    ["requests", `${requests} (${(requests / seconds).toFixed(0)}/s)`],
    ["refusals", `${refusals} answered 403; ${books.refusals} on record`],
    ["records promised", `${promised.length} files came whole`],
    [
      "records found",
      `${promised.length - books.missing.length} of them; ${books.installs} in all`,
    ],
    ["counters", `${books.counted.installs} installs, ${books.counted.refusals} refusals`],
    [
      "changes promised",
      `${changed.length}; ${changed.length - books.lost.length} in the audit log`,
    ],
  ];
  for (const [i, { first, last, most }] of lives.entries()) {
    if (first === null || last === null) continue;
    lines.push([
      `life ${i + 1}`,
      `memory ${mb(first.rssMB)} at the start, ${mb(last.rssMB)} at the end, ${
        mb(most)
      } at most; ` +
      `descriptors ${first.descriptors}, ${last.descriptors}`,
    ]);
  }
  console.log("");
  for (const [name, text] of lines) console.log(`${name.padEnd(18)}${text}`);
  console.log("\nhow requests ended");
  for (const key of [...outcomes.keys()].sort()) {
    console.log(`  ${key.padEnd(32)}${String(outcomes.get(key)).padStart(8)}`);
  }
  // A file's refusal is on record before it is answered.
  const refused = outcomes.get("file: 403") ?? 0;
  const unrecorded = refused > books.refusals
    ? [`${refused - books.refusals} refusals are missing`]
    : [];
  return [...unrecorded, ...faultsOf(books, lives), ...counted(wrong)];
}

function faultsOf(books: Books, lives: readonly LifeRecord[]): string[] {
  const faults: string[] = [];
  const { missing, lost, counted, installs, refusals } = books;
  if (missing.length > 0) {
    faults.push(`${missing.length} records are missing: ${missing.slice(0, SHOWN).join(", ")}`);
  }
  if (lost.length > 0) {
    faults.push(`${lost.length} changes are missing: ${lost.slice(0, SHOWN).join(", ")}`);
  }
  if (counted.installs !== installs || counted.refusals !== refusals) {
    faults.push(`counters say ${counted.installs} and ${counted.refusals}`);
  }
  for (const [i, { first, last }] of lives.entries()) {
    if (first === null || last === null) continue;
    const grown = last.rssMB - first.rssMB;
    if (grown > GROWTH_MB) faults.push(`memory of life ${i + 1} grew by ${mb(grown)}`);
    const more = last.descriptors - first.descriptors;
    if (more > GROWTH_DESCRIPTORS) faults.push(`life ${i + 1} holds ${more} more descriptors`);
  }
  return faults;
}

/** Each but once, with how often. */
function counted(wrong: readonly string[]): string[] {
  const times = new Map<string, number>();
  for (const one of wrong) times.set(one, (times.get(one) ?? 0) + 1);
  return [...times].map(([one, count]) => `${one} (${count} times)`);
}

function mb(megabytes: number): string {
  return `${megabytes.toFixed(0)} MB`;
}
