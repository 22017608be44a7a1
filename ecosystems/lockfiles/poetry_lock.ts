/** poetry.lock: https://python-poetry.org/docs/basic-usage/#installing-with-poetrylock. */
import { Collector, type Locked } from "./locked.ts";
import { isMembers, list, type Members, object, objects, text } from "./members.ts";
import { addPython, fromElsewhere, hashesOf, named } from "./python_release.ts";

export function isPoetryLock({ metadata }: Members): boolean {
  return isMembers(metadata) &&
    ["lock-version", "content-hash", "python-versions"].some((key) => key in metadata);
}

/** Throws LockfileInvalid. */
export function readPoetryLock(root: Members): Locked {
  const collector = new Collector();
  const metadata = object(root, "metadata") ?? {};
  // Version 1 names all files at its end.
  const allFiles = object(metadata, "files") ?? {};
  for (const entry of objects(root, "package")) {
    const { name, line } = named(entry);
    const source = object(entry, "source");
    const elsewhere = source === undefined ? null : fromSource(source);
    if (elsewhere !== null) {
      collector.skip(name, elsewhere);
      continue;
    }
    const files = list(entry, "files") ?? list(allFiles, name) ?? [];
    addPython(collector, { name, version: text(entry, "version"), line, hashes: hashesOf(files) });
  }
  return collector.locked(`poetry.lock ${text(metadata, "lock-version") ?? "1.0"}`);
}

/** `legacy` is an index of the simple API. */
function fromSource(source: Members): string | null {
  const type = text(source, "type") ?? "legacy";
  if (type === "legacy") return null;
  const url = text(source, "url") ?? "";
  if (type === "git") return fromElsewhere({ git: url });
  return fromElsewhere(type === "url" ? { url } : { path: url });
}
