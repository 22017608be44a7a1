/** Cargo.lock, versions 1 to 4: https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html. */
import { Collector, type Locked, LockfileInvalid, shownAddress } from "./locked.ts";
import { lineOf, type Members, object, objects, text, word } from "./members.ts";

const KNOWN = [1, 2, 3, 4];

export function isCargoLock(root: Members): boolean {
  return Array.isArray(root.package);
}

/** Throws LockfileInvalid. */
export function readCargoLock(root: Members): Locked {
  // The first two do not say which they are.
  const version = root.version ?? ("metadata" in root ? 1 : 2);
  if (!KNOWN.some((known) => known === version)) {
    throw new LockfileInvalid(
      `Its version is ${JSON.stringify(word(root, "version"))}; known are 1 to 4`,
    );
  }
  const collector = new Collector();
  const checksums = object(root, "metadata") ?? {};
  for (const entry of objects(root, "package")) {
    const name = text(entry, "name");
    const exact = text(entry, "version");
    if (name === undefined || exact === undefined) {
      throw new LockfileInvalid("A package has no name or no version", { line: lineOf(entry) });
    }
    const source = text(entry, "source");
    const elsewhere = notRegistry(source);
    if (elsewhere !== null) {
      collector.skip(`${name}@${exact}`, elsewhere);
      continue;
    }
    const checksum = text(entry, "checksum") ??
      text(checksums, `checksum ${name} ${exact} (${source})`);
    collector.add({
      type: "cargo",
      name,
      version: exact,
      line: lineOf(entry),
      integrity: checksum === undefined ? undefined : `sha256:${checksum}`,
    });
  }
  return collector.locked(`Cargo.lock ${version}`);
}

function notRegistry(source: string | undefined): string | null {
  if (source === undefined) return "is a crate of the project";
  if (/^(?:registry|sparse)\+/.test(source)) return null;
  const place = shownAddress(source.replace(/^\w+\+/, ""));
  return source.startsWith("git+") ? `is from git (${place})` : `is from no registry (${place})`;
}
