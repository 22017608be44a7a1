/** Pipfile.lock: https://pipenv.pypa.io/en/latest/pipfile.html; each member but `_meta` is a group. */
import { Collector, type Locked } from "./locked.ts";
import { isMembers, lineOf, list, type Members, object, table, text, word } from "./members.ts";
import { addPython, fromElsewhere } from "./python_release.ts";

const META = "_meta";

export function isPipfileLock(root: Members): boolean {
  const meta = root[META];
  return isMembers(meta) && "pipfile-spec" in meta;
}

/** Throws LockfileInvalid. */
export function readPipfileLock(root: Members): Locked {
  const collector = new Collector();
  for (const group of Object.keys(root)) {
    if (group === META) continue;
    for (const [name, entry] of table(root, group)) addPackage(collector, name, entry);
  }
  return collector.locked(`Pipfile.lock ${word(object(root, META) ?? {}, "pipfile-spec")}`);
}

function addPackage(collector: Collector, name: string, entry: Members): void {
  const elsewhere = fromElsewhere(entry);
  if (elsewhere !== null) return collector.skip(name, elsewhere);
  const pin = /^===?\s*([^\s,*]+)$/.exec(text(entry, "version") ?? "");
  if (pin === null) return collector.skip(name, "is not pinned");
  const hashes = (list(entry, "hashes") ?? []).filter((hash) => typeof hash === "string");
  addPython(collector, { name, version: pin[1], line: lineOf(entry), hashes });
}
