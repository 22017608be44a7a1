/** pylock.toml: https://packaging.python.org/en/latest/specifications/pylock-toml/. */
import { Collector, type Locked, shown, shownAddress } from "./locked.ts";
import { isMembers, list, type Members, object, objects, text, word } from "./members.ts";
import { addPython, named } from "./python_release.ts";

export function isPylock(root: Members): boolean {
  return typeof root["lock-version"] === "string";
}

/** Throws LockfileInvalid. */
export function readPylock(root: Members): Locked {
  const collector = new Collector();
  for (const entry of objects(root, "packages")) {
    const { name, line } = named(entry);
    const elsewhere = fromElsewhere(entry);
    if (elsewhere !== null) {
      collector.skip(name, elsewhere);
      continue;
    }
    const sdist = object(entry, "sdist");
    const wheels = (list(entry, "wheels") ?? []).filter(isMembers);
    const files = [...sdist === undefined ? [] : [sdist], ...wheels];
    const hashes = files
      .flatMap((file) => text(object(file, "hashes") ?? {}, "sha256") ?? [])
      .map((sha256) => `sha256:${sha256}`);
    for (const version of versionsOf(entry, files)) {
      addPython(collector, { name, version, line, hashes });
    }
  }
  return collector.locked(`pylock.toml ${word(root, "lock-version")}`);
}

/** Where it states none, installers go by its files; undefined: one of those does not say. */
function versionsOf(entry: Members, files: readonly Members[]): Iterable<string | undefined> {
  const stated = text(entry, "version");
  return stated !== undefined || files.length === 0 ? [stated] : new Set(files.map(wheelVersion));
}

function wheelVersion(file: Members): string | undefined {
  const address = text(file, "url") ?? text(file, "path") ?? "";
  const filename = text(file, "name") ?? address.replace(/[?#].*$/s, "").replace(/^.*[/\\]/s, "");
  return /^[^-]+-([^-]+)-.*\.whl$/s.exec(filename)?.[1].replace(/%2b/gi, "+");
}

function fromElsewhere(entry: Members): string | null {
  const vcs = object(entry, "vcs");
  if (vcs !== undefined) return `is from a repository (${shownAddress(place(vcs))})`;
  const directory = object(entry, "directory");
  if (directory !== undefined) return `is a folder of the project (${shown(place(directory))})`;
  const archive = object(entry, "archive");
  return archive && `is from an address, of no registry (${shownAddress(place(archive))})` || null;
}

function place(of: Members): string {
  return text(of, "url") ?? text(of, "path") ?? "";
}
