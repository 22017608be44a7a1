/** Packages on record, found by jumping from one to the next instead of reading every record. */
import { keys } from "./keys.ts";
import { firstKey } from "./leaps.ts";
import { compileQuery } from "./record_query.ts";
import { getRecords, type Reading, spanOf } from "./record_scan.ts";
import type { PackageName } from "./types.ts";

/** Records read at once to learn how their registry spells a name. */
const SPELLED_AT_ONCE = 10;

/** The packages an org has installed, each once. Throws StoreUnavailable. */
export async function* listPackageNames(
  reading: Reading,
  org: string,
): AsyncGenerator<PackageName> {
  const { from } = spanOf(compileQuery({ org }, reading.schemes), reading);
  let found: { ecosystem: string; name: string; id: string }[] = [];
  for await (const one of newestOfEach(reading, org)) {
    // KV removes what has expired when it finds the time.
    if (one.id < from) continue;
    found.push(one);
    if (found.length < SPELLED_AT_ONCE) continue;
    yield* await spelled(reading, org, found);
    found = [];
  }
  yield* await spelled(reading, org, found);
}

/** The newest record of each package, last package first. */
async function* newestOfEach({ kv, timeoutMs }: Reading, org: string) {
  const prefix = keys.recordsOfPackage("install", org);
  let before: readonly string[] | null = null;
  while (true) {
    const selector: Deno.KvListSelector = before === null
      ? { prefix }
      : { prefix, end: keys.recordsOfPackage("install", org, ...before) };
    const key = await firstKey(kv, selector, { timeoutMs, reverse: true });
    if (key === null) return;
    const [ecosystem, name, id] = key.slice(2).map(String);
    yield { ecosystem, name, id };
    before = [ecosystem, name];
  }
}

/** The index has normalised names only; the registry's own is in the record. */
async function spelled(
  reading: Reading,
  org: string,
  found: readonly { ecosystem: string; name: string; id: string }[],
): Promise<PackageName[]> {
  const records = await getRecords(reading, "install", org, found.map(({ id }) => id));
  return found.map(({ ecosystem, name }, at) => ({
    ecosystem,
    package: records[at]?.package ?? name,
  }));
}
