/**
 * pnpm-lock.yaml, versions 5, 6 and 9:
 * https://github.com/pnpm/spec/tree/master/lockfile. Newer pnpm puts what it
 * needs itself into a document of its own before the project's.
 */
import { Collector, type Locked, LockfileInvalid, shown, shownAddress } from "./locked.ts";
import {
  isMembers,
  lineOf,
  type Members,
  members,
  object,
  objects,
  table,
  text,
} from "./members.ts";
import { addNpm, completed, notRegistry, releaseAt, splitSpec } from "./npm_release.ts";

const KNOWN = new Set(["5", "6", "9"]);
const DEPENDENCIES = ["dependencies", "devDependencies", "optionalDependencies"];
/** `/name/1.0.0_peers`, with a registry's host before it or none. */
const KEY_5 = /^[^/@]*\/((?:@[^/]+\/)?[^/]+)\/([^/_]+)(?:_[^/]*)?$/;
/** `1.0.0`, of a registry that the project has a name for `name:1.0.0`. */
const RELEASE = /^(?:(?!file:|link:)[^:/]+:)?(\d+\.\d+\.\d+[^:/]*)$/;

/** Throws LockfileInvalid. */
export function readPnpmLock(documents: readonly unknown[]): Locked {
  const collector = new Collector();
  let version = "";
  for (const document of documents) {
    const root = members(document, "It");
    version = text(root, "lockfileVersion") ?? version;
    const major = version.split(".")[0];
    if (!KNOWN.has(major)) {
      throw new LockfileInvalid(
        `Its lockfileVersion is ${JSON.stringify(shown(version))}; known are 5, 6 and 9`,
      );
    }
    skipLinks(collector, root);
    const packages = table(root, "packages");
    for (const [key, entry] of packages) addPackage(collector, key, entry, major);
    checkSnapshots(root, major);
    // Only the project's own document is one that pnpm 9 reads.
    const last = document === documents.at(-1);
    if (last && major === "9" && packages.length > 0 && object(root, "snapshots") === undefined) {
      throw new LockfileInvalid(`It has no "snapshots"`);
    }
  }
  return collector.locked(`pnpm-lock.yaml ${version}`);
}

function addPackage(collector: Collector, key: string, entry: Members, major: string): void {
  const line = lineOf(entry);
  const bare = key.replace(/\(.*$/s, "");
  const resolution = object(entry, "resolution");
  if (resolution === undefined) {
    throw new LockfileInvalid(`${JSON.stringify(shown(key))} has no resolution`, { line });
  }
  const keyed = readKey(bare, major);
  const name = agreed(entry, "name", keyed) ?? bare;
  const version = agreed(entry, "version", keyed);
  const integrity = text(resolution, "integrity");
  const type = text(resolution, "type");
  if (type !== undefined) {
    const held = addressesOf(resolution).flatMap((at) => releaseAt(at, { name, version }) ?? []);
    for (const address of held) addNpm(collector, { name, version: undefined, address, line });
    if (held.length === 0) collector.skip(name, notDownloaded(resolution, type));
    return;
  }
  const address = text(resolution, "tarball") ?? "";
  if (address === "") {
    if (keyed === null || version === undefined) {
      throw new LockfileInvalid(`${JSON.stringify(shown(key))} has no tarball`, { line });
    }
    return addNpm(collector, { name, version, line, integrity });
  }
  const found = completed(address, { name, version }, line);
  // An address that is the key, too, is in a version's place.
  const elsewhere = bare.endsWith(address) ? notRegistry(found) : null;
  if (elsewhere !== null) return collector.skip(name, elsewhere);
  addNpm(collector, { name, version, address: found, line, integrity });
}

/** pnpm takes what a snapshot says of itself where its package does not say it. Throws LockfileInvalid. */
function checkSnapshots(root: Members, major: string): void {
  for (const [key, snapshot] of table(root, "snapshots")) {
    const known = major === "9" && !["name", "version", "resolution"].some((of) => of in snapshot);
    if (known) continue;
    throw new LockfileInvalid(`${JSON.stringify(shown(key))} is an unexpected snapshot`, {
      line: lineOf(snapshot),
    });
  }
}

interface Keyed {
  readonly name: string;
  /** Undefined where the key has an address in its place. */
  readonly version?: string;
}

/** Null: it names no package, as those of addresses and folders before version 9. */
function readKey(key: string, major: string): Keyed | null {
  const [name, reference] = splitKey(key, major) ?? [];
  if (name === undefined || reference === undefined) return null;
  const [, version] = RELEASE.exec(reference) ?? [];
  if (version !== undefined) return { name, version };
  return major === "9" ? { name } : null;
}

/**
 * What an entry and its key say; some pnpm go by the one, some by the other.
 * Throws LockfileInvalid where they differ.
 */
function agreed(entry: Members, field: keyof Keyed, keyed: Keyed | null): string | undefined {
  const stated = text(entry, field);
  const expected = keyed?.[field];
  if (stated === undefined || expected === undefined || stated === expected) {
    return expected ?? stated;
  }
  throw new LockfileInvalid(
    `The ${field} of ${keyed?.name} is ${shown(expected)} and ${shown(stated)} at once`,
    { line: lineOf(entry) },
  );
}

function splitKey(key: string, major: string): [string, string] | null {
  if (major === "9") return splitSpec(key);
  if (/^(?:file|link):/.test(key)) return null;
  if (major === "6") {
    const [, rest] = /^[^@/]*\/(.+)$/.exec(key) ?? [];
    return rest === undefined ? null : splitSpec(rest);
  }
  const [, name, version] = KEY_5.exec(key) ?? [];
  return name === undefined ? null : [name, version];
}

/** What a resolution with a type may be downloaded from: a runtime has an archive per platform. */
function addressesOf(resolution: Members): string[] {
  const variants = objects(resolution, "variants").map((of) => object(of, "resolution") ?? {});
  return [resolution, ...variants].flatMap((of) =>
    [
      text(of, "url") ?? [],
      text(of, "tarball") ?? [],
    ].flat()
  );
}

/** Why a type is no registry's. */
function notDownloaded(resolution: Members, type: string): string {
  if (type === "git") return `is from git (${shownAddress(text(resolution, "repo") ?? "")})`;
  if (type !== "directory") return `is from no registry (${shown(type)})`;
  return `is a folder of the project (${shown(text(resolution, "directory") ?? "")})`;
}

/** Workspaces and links are named where they are used only. */
function skipLinks(collector: Collector, root: Members): void {
  const importers = table(root, "importers").map(([, importer]) => importer);
  for (const importer of [root, ...importers]) {
    for (const group of DEPENDENCIES) {
      for (const [name, stated] of Object.entries(object(importer, group) ?? {})) {
        const version = isMembers(stated) ? stated.version : stated;
        if (typeof version !== "string" || !version.startsWith("link:")) continue;
        collector.skip(name, notRegistry(version) ?? "");
      }
    }
  }
}
