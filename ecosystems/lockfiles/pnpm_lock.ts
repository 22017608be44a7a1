/**
 * pnpm-lock.yaml, versions 5, 6 and 9:
 * https://github.com/pnpm/spec/tree/master/lockfile. Newer pnpm puts what it
 * needs itself into a document of its own before the project's.
 */
import { Collector, type Locked, LockfileInvalid, shown, shownAddress } from "./locked.ts";
import { isMembers, lineOf, type Members, members, object, table, text } from "./members.ts";
import { addNpm, notRegistry, splitSpec } from "./npm_release.ts";

const KNOWN = new Set(["5", "6", "9"]);
const DEPENDENCIES = ["dependencies", "devDependencies", "optionalDependencies"];
/** `/name/1.0.0_peers`, with a registry's host before it or none. */
const KEY_5 = /^[^/]*\/((?:@[^/]+\/)?[^/]+)\/([^/_]+)(?:_[^/]*)?$/;

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
    for (const [key, entry] of table(root, "packages")) addPackage(collector, key, entry, major);
  }
  return collector.locked(`pnpm-lock.yaml ${version}`);
}

function addPackage(collector: Collector, key: string, entry: Members, major: string): void {
  const line = lineOf(entry);
  const bare = key.replace(/\(.*$/s, "");
  const [spelled, reference] = splitKey(bare, major) ?? [bare, ""];
  const name = text(entry, "name") ?? spelled;
  const resolution = object(entry, "resolution");
  if (resolution === undefined) {
    throw new LockfileInvalid(`${JSON.stringify(shown(key))} has no resolution`, { line });
  }
  const elsewhere = notDownloaded(resolution) ??
    notRegistry(/^(?:file|link):/.test(bare) ? bare : reference);
  if (elsewhere !== null) return collector.skip(name, elsewhere);
  const address = text(resolution, "tarball");
  const version = text(entry, "version") ?? (reference.includes(":") ? undefined : reference);
  const integrity = text(resolution, "integrity");
  if (address === undefined && reference.includes(":")) {
    return collector.skip(name, `is from no registry (${shown(reference)})`);
  }
  addNpm(collector, { name, version, address, line, integrity });
}

function splitKey(key: string, major: string): [string, string] | null {
  if (major === "9") return splitSpec(key);
  if (major === "6") {
    const [, rest] = /^(?:[^@/]*\/)?(.+)$/.exec(key) ?? [];
    return rest === undefined ? null : splitSpec(rest);
  }
  const [, name, version] = KEY_5.exec(key) ?? [];
  return name === undefined ? null : [name, version];
}

/** Why no tarball is downloaded; null: one is. */
function notDownloaded(resolution: Members): string | null {
  const repository = text(resolution, "repo");
  if (repository !== undefined) return `is from git (${shownAddress(repository)})`;
  const directory = text(resolution, "directory");
  if (directory !== undefined) return `is a folder of the project (${shown(directory)})`;
  const type = text(resolution, "type");
  return type === undefined ? null : `is from no registry (${shown(type)})`;
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
