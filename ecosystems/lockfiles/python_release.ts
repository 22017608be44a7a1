/** What uv, Poetry, PDM and Pipenv say of one release. */
import { type Collector, shown, shownAddress } from "./locked.ts";
import { isMembers, lineOf, type Members, text } from "./members.ts";

export interface PythonRelease {
  readonly name: string;
  readonly version: string | undefined;
  readonly line: number | null;
  /** `sha256:…` of its files. */
  readonly hashes?: readonly string[];
}

export function addPython(collector: Collector, release: PythonRelease): void {
  const { name, version, line, hashes = [] } = release;
  if (version === undefined) return collector.skip(name, "has no version");
  const integrity = [...new Set(hashes)].join(" ");
  collector.add({ type: "pypi", name, version, line, integrity });
}

/** The `hash` of each of its files. */
export function hashesOf(files: readonly unknown[]): string[] {
  return files.filter(isMembers).flatMap((file) => text(file, "hash") ?? []);
}

/** Why a table with an address of its own is no registry's; null: it has none. */
export function fromElsewhere(of: Members): string | null {
  const git = text(of, "git") ?? text(of, "hg") ?? text(of, "svn") ?? text(of, "bzr");
  if (git !== undefined) return `is from a repository (${shownAddress(git)})`;
  const path = text(of, "path") ?? text(of, "file");
  if (path !== undefined) return `is a file of the project (${shown(path)})`;
  const url = text(of, "url");
  if (url !== undefined) return `is from an address, of no registry (${shownAddress(url)})`;
  return null;
}

/** A `[[package]]` of TOML: its name and where it is. Throws LockfileInvalid. */
export function named(entry: Members): { name: string; line: number | null } {
  return { name: text(entry, "name") ?? "", line: lineOf(entry) };
}
