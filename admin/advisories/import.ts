/** OSV's bulk files (`<ecosystem>/all.zip`, or what was unpacked from them) into KV. */
import type { Ecosystem } from "../../ecosystems/ecosystem.ts";
import { advisoryFor, type OsvRecord, readRecord } from "../../policy/advisories/record.ts";
import type { AdvisoryStore, BulkHead } from "../../policy/store/advisories.ts";
import type { Advisory } from "../../policy/types.ts";
import { readZip } from "./zip.ts";

/** The records of one ecosystem, by package. */
interface Collected {
  readonly packages: Map<string, Advisory[]>;
  /** Unix ms: the newest change. */
  at: number;
}

/**
 * Replaces what was imported for each ecosystem that the records speak of. One
 * record that cannot be read, and nothing is replaced.
 * @param path a zip file, or a folder of JSON and zip files
 * Throws Error with a sentence for the terminal.
 */
export async function importAdvisories(
  path: string,
  { store, ecosystems, now }: {
    store: AdvisoryStore;
    ecosystems: readonly Ecosystem[];
    now: number;
  },
): Promise<Map<string, BulkHead>> {
  const collected = new Map<string, Collected>();
  for await (const { name, bytes } of documents(path)) {
    let record: OsvRecord;
    try {
      record = readRecord(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Cannot import ${name}, so nothing was imported: ${reason}`, { cause });
    }
    collect(record, collected, ecosystems);
  }
  if (collected.size === 0) {
    throw new Error(`Cannot import ${path}: no advisory in it is of an ecosystem served here`);
  }
  const heads = new Map<string, BulkHead>();
  for (const [ecosystem, { packages, at }] of collected) {
    heads.set(ecosystem, await store.replaceBulk(ecosystem, packages, { at, now }));
  }
  return heads;
}

function collect(
  record: OsvRecord,
  collected: Map<string, Collected>,
  ecosystems: readonly Ecosystem[],
): void {
  for (const { id, osv, versions } of ecosystems) {
    const named = (record.affected ?? []).flatMap((affected) => affected.package ?? []).filter(
      ({ ecosystem }) => ecosystem.split(":")[0] === osv?.ecosystem,
    );
    if (osv === undefined || named.length === 0) continue;
    let one = collected.get(id);
    if (one === undefined) collected.set(id, one = { packages: new Map(), at: 0 });
    one.at = Math.max(one.at, Date.parse(record.modified));
    const names = new Set(named.flatMap(({ name }) => versions.normalizeName(name) ?? []));
    for (const name of names) {
      const isNamed = (other: string) => versions.normalizeName(other) === name;
      const advisory = advisoryFor(record, { ecosystem: osv.ecosystem, isNamed });
      if (advisory === null) continue;
      const list = one.packages.get(name);
      if (list === undefined) one.packages.set(name, [advisory]);
      else list.push(advisory);
    }
  }
}

interface Text {
  readonly name: string;
  readonly bytes: Uint8Array;
}

async function* documents(path: string): AsyncGenerator<Text, void, undefined> {
  const { isDirectory } = await Deno.stat(path);
  if (isDirectory) {
    for await (const { name } of Deno.readDir(path)) yield* below(`${path}/${name}`);
    return;
  }
  yield* archive(path);
}

async function* below(path: string): AsyncGenerator<Text, void, undefined> {
  const { isDirectory } = await Deno.stat(path);
  if (isDirectory) yield* documents(path);
  else if (path.endsWith(".json")) yield { name: path, bytes: await Deno.readFile(path) };
  else if (path.endsWith(".zip")) yield* archive(path);
}

async function* archive(path: string): AsyncGenerator<Text, void, undefined> {
  using file = await Deno.open(path);
  for await (const { name, read } of readZip(file)) {
    if (name.endsWith(".json")) yield { name: `${path}: ${name}`, bytes: await read() };
  }
}
