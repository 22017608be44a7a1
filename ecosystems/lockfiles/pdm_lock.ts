/** pdm.lock: https://pdm-project.org/en/latest/usage/lockfile/. */
import { Collector, type Locked } from "./locked.ts";
import { isMembers, list, type Members, object, objects, text } from "./members.ts";
import { addPython, fromElsewhere, hashesOf, named } from "./python_release.ts";

export function isPdmLock({ metadata }: Members): boolean {
  return isMembers(metadata) && ["lock_version", "content_hash"].some((key) => key in metadata);
}

/** Throws LockfileInvalid. */
export function readPdmLock(root: Members): Locked {
  const collector = new Collector();
  const metadata = object(root, "metadata") ?? {};
  // Before 4.0 all files were named at the end, by `name version`.
  const allFiles = object(metadata, "files") ?? {};
  for (const entry of objects(root, "package")) {
    const { name, line } = named(entry);
    const version = text(entry, "version");
    const elsewhere = fromElsewhere(entry);
    const files = list(entry, "files") ?? list(allFiles, `${name} ${version}`) ?? [];
    if (elsewhere !== null) collector.skip(name, elsewhere);
    else addPython(collector, { name, version, line, hashes: hashesOf(files) });
  }
  return collector.locked(`pdm.lock ${text(metadata, "lock_version") ?? ""}`.trimEnd());
}
