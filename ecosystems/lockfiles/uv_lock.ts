/** uv.lock: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile. */
import { Collector, type Locked, LockfileInvalid, shown } from "./locked.ts";
import { list, type Members, object, objects, text, word } from "./members.ts";
import { addPython, fromElsewhere, hashesOf, named } from "./python_release.ts";

export function isUvLock(root: Members): boolean {
  return typeof root.version === "number" && typeof root["requires-python"] === "string";
}

/** Throws LockfileInvalid. */
export function readUvLock(root: Members): Locked {
  const collector = new Collector();
  for (const entry of packagesOf(root)) {
    const { name, line } = named(entry);
    const source = object(entry, "source") ?? {};
    // uv takes the registry, whatever else there is.
    const registry = source.registry !== undefined;
    const elsewhere = registry ? null : ofProject(source) ?? fromElsewhere(source);
    if (elsewhere !== null) {
      collector.skip(name, elsewhere);
      continue;
    }
    const sdist = object(entry, "sdist");
    const files = [...sdist === undefined ? [] : [sdist], ...list(entry, "wheels") ?? []];
    addPython(collector, { name, version: text(entry, "version"), line, hashes: hashesOf(files) });
  }
  return collector.locked(`uv.lock ${word(root, "version")}`);
}

/** uv reads its former name for them, too. Throws LockfileInvalid. */
function packagesOf(root: Members): Members[] {
  if ("package" in root && "distribution" in root) {
    throw new LockfileInvalid("It has packages under two names");
  }
  return [...objects(root, "package"), ...objects(root, "distribution")];
}

function ofProject(source: Members): string | null {
  for (const kind of ["virtual", "editable", "directory"]) {
    const path = text(source, kind);
    if (path !== undefined) return `is a folder of the project (${shown(path)})`;
  }
  return null;
}
