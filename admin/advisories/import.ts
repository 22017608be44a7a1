/** OSV's bulk files (`<ecosystem>/all.zip`, or what was unpacked from them) into KV. */
import type { Ecosystem } from "../../ecosystems/ecosystem.ts";
import { advisoryFor, type OsvRecord, readRecord } from "../../policy/advisories/record.ts";
import type { AdvisoryStore, BulkHead } from "../../policy/store/advisories.ts";
import type { Advisory } from "../../policy/types.ts";
import { readZip } from "./zip.ts";

/** What one record says of one package. */
interface Said {
  /** Normalised. */
  readonly name: string;
  /** null: nothing that counts. */
  readonly advisory: Advisory | null;
}

/** The newest copy of a record. */
interface Copy {
  readonly modified: string;
  /** By our ids of the ecosystems that it names. */
  readonly said: ReadonlyMap<string, readonly Said[]>;
}

/** What a file or folder holds. */
interface Collected {
  /** By id. */
  readonly copies: Map<string, Copy>;
  /** Of each zip file, and of all records outside of one: OSV's names of the ecosystems that each of them names. */
  readonly common: Map<string, ReadonlySet<string>>;
}

/** The advisories of one ecosystem, by package. */
interface Bulk {
  readonly packages: Map<string, Advisory[]>;
  /** Unix ms: the newest change. */
  readonly at: number;
}

interface Options {
  readonly store: AdvisoryStore;
  readonly ecosystems: readonly Ecosystem[];
  /** Unix ms. */
  readonly now: number;
  /** Our ids of the ecosystems to replace; undefined: those that the files are for. */
  readonly only?: readonly string[] | undefined;
}

/**
 * Replaces what was imported for the ecosystems that the files are for: OSV
 * writes a record into the zip file of every ecosystem that it names, so a file
 * is for the one that all of its records name. One record that cannot be read,
 * and nothing is replaced.
 * @param path a zip file, or a folder of JSON and zip files
 * Throws Error with a sentence for the terminal.
 */
export async function importAdvisories(
  path: string,
  { store, ecosystems, now, only }: Options,
): Promise<Map<string, BulkHead>> {
  const collected = await collect(path, ecosystems);
  const replaced = only ?? namedBy(collected, ecosystems);
  if (replaced.length === 0) {
    throw new Error(`Cannot import ${path}: no advisory in it is of an ecosystem served here`);
  }
  const bulks = replaced.map((ecosystem) => {
    const bulk = bulkOf(ecosystem, collected);
    if (bulk !== null) return { ecosystem, ...bulk };
    throw new Error(`Cannot import ${path}: no advisory in it is of ${ecosystem}`);
  });
  const heads = new Map<string, BulkHead>();
  for (const { ecosystem, packages, at } of bulks) {
    heads.set(ecosystem, await store.replaceBulk(ecosystem, packages, { at, now }));
  }
  return heads;
}

async function collect(path: string, ecosystems: readonly Ecosystem[]): Promise<Collected> {
  const collected: Collected = { copies: new Map(), common: new Map() };
  const { copies, common } = collected;
  for await (const { name, within, bytes } of documents(path)) {
    let record: OsvRecord;
    try {
      record = readRecord(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Cannot import ${name}, so nothing was imported: ${reason}`, { cause });
    }
    const named = new Set(packagesOf(record).map((one) => nameOf(one.ecosystem)));
    common.set(within, common.get(within)?.intersection(named) ?? named);
    const known = copies.get(record.id);
    if (known !== undefined && !isNewer(record, known)) continue;
    copies.set(record.id, { modified: record.modified, said: saidBy(record, ecosystems) });
  }
  return collected;
}

/** Our ids of the ecosystems that the files are for. */
function namedBy({ common }: Collected, ecosystems: readonly Ecosystem[]): string[] {
  for (const [within, named] of common) {
    if (named.size > 0) continue;
    throw new Error(
      `Cannot import ${within}: no ecosystem is named by all of its records, so nobody can tell ` +
        "what they are to replace: say so with --ecosystem",
    );
  }
  const named = new Set([...common.values()].flatMap((names) => [...names]));
  return ecosystems.filter(({ osv }) => osv && named.has(osv.ecosystem)).map(({ id }) => id);
}

/** null: no record names the ecosystem. */
function bulkOf(ecosystem: string, { copies }: Collected): Bulk | null {
  const packages = new Map<string, Advisory[]>();
  let at: number | null = null;
  for (const { modified, said } of copies.values()) {
    const here = said.get(ecosystem);
    if (here === undefined) continue;
    at = Math.max(at ?? 0, Date.parse(modified));
    for (const { name, advisory } of here) {
      if (advisory === null) continue;
      const list = packages.get(name);
      if (list === undefined) packages.set(name, [advisory]);
      else list.push(advisory);
    }
  }
  return at === null ? null : { packages, at };
}

function saidBy(record: OsvRecord, ecosystems: readonly Ecosystem[]): Copy["said"] {
  const said = new Map<string, Said[]>();
  for (const { id, osv, versions } of ecosystems) {
    const named = packagesOf(record).filter((one) => nameOf(one.ecosystem) === osv?.ecosystem);
    if (osv === undefined || named.length === 0) continue;
    const names = new Set(named.flatMap(({ name }) => versions.normalizeName(name) ?? []));
    const list = [...names].map((name) => {
      const isNamed = (other: string) => versions.normalizeName(other) === name;
      return { name, advisory: advisoryFor(record, { ecosystem: osv.ecosystem, isNamed }) };
    });
    said.set(id, list);
  }
  return said;
}

function packagesOf({ affected }: OsvRecord) {
  return (affected ?? []).flatMap((one) => one.package ?? []);
}

/** `Debian:13` is Debian. */
function nameOf(ecosystem: string): string {
  return ecosystem.split(":")[0];
}

/** Instants have more digits than a Date. */
function isNewer(a: { readonly modified: string }, b: { readonly modified: string }): boolean {
  const later = Date.parse(a.modified) - Date.parse(b.modified);
  return later !== 0 ? later > 0 : a.modified > b.modified;
}

interface Text {
  readonly name: string;
  /** The zip file that it is in, or the folder given. */
  readonly within: string;
  readonly bytes: Uint8Array;
}

async function* documents(path: string, given = path): AsyncGenerator<Text, void, undefined> {
  const { isDirectory } = await Deno.stat(path);
  if (isDirectory) {
    for await (const { name } of Deno.readDir(path)) yield* documents(`${path}/${name}`, given);
  } else if (path === given || path.endsWith(".zip")) {
    yield* archive(path);
  } else if (path.endsWith(".json")) {
    yield { name: path, within: given, bytes: await Deno.readFile(path) };
  }
}

async function* archive(path: string): AsyncGenerator<Text, void, undefined> {
  using file = await Deno.open(path);
  for await (const { name, read } of readZip(file)) {
    if (!name.endsWith(".json")) continue;
    yield { name: `${path}: ${name}`, within: path, bytes: await read() };
  }
}
