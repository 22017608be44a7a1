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
    const files = [...sdist === undefined ? [] : [sdist], ...list(entry, "wheels") ?? []];
    const hashes = files.filter(isMembers)
      .flatMap((file) => text(object(file, "hashes") ?? {}, "sha256") ?? [])
      .map((sha256) => `sha256:${sha256}`);
    addPython(collector, { name, version: text(entry, "version"), line, hashes });
  }
  return collector.locked(`pylock.toml ${word(root, "lock-version")}`);
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
