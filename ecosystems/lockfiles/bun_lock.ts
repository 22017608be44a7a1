/** bun.lock: https://bun.sh/docs/install/lockfile; its package is an array whose first item is `name@version`. */
import { Collector, type Locked, LockfileInvalid, shown } from "./locked.ts";
import { isMembers, lineOf, linesOf, type Members, object } from "./members.ts";
import { BUNDLED } from "./npm_lock.ts";
import { addNpm, notRegistry, splitSpec } from "./npm_release.ts";

/** The path of what is below no other package: what the project bundles is downloaded as any other. */
const TOP = /^(?:@[^/]+\/)?[^/]+$/;

export function isBunLock(root: Members): boolean {
  return "lockfileVersion" in root && "workspaces" in root;
}

/** Throws LockfileInvalid. */
export function readBunLock(root: Members): Locked {
  const { lockfileVersion } = root;
  if (typeof lockfileVersion !== "number") {
    throw new LockfileInvalid("Its lockfileVersion is no number");
  }
  const collector = new Collector();
  for (const [path, entry] of Object.entries(object(root, "packages") ?? {})) {
    if (!Array.isArray(entry)) {
      throw new LockfileInvalid(`${JSON.stringify(shown(path))} is no list`, {
        line: lineOf(root),
      });
    }
    addPackage(collector, path, entry);
  }
  return collector.locked(`bun.lock ${lockfileVersion}`);
}

function addPackage(collector: Collector, path: string, entry: readonly unknown[]): void {
  const line = linesOf(entry)[0] ?? null;
  const [identity, address] = entry;
  const split = typeof identity === "string" ? splitSpec(identity) : null;
  if (split === null) {
    throw new LockfileInvalid(`${JSON.stringify(shown(path))} names no package`, { line });
  }
  const [name, version] = split;
  const last = entry[entry.length - 1];
  const integrity = entry.length > 2 && typeof last === "string" ? last : undefined;
  if (version.startsWith("root:")) return;
  const elsewhere = notRegistry(version);
  if (elsewhere !== null) return collector.skip(name, elsewhere);
  if (/^https?:/i.test(version)) {
    return addNpm(collector, { name, version: undefined, address: version, line, integrity });
  }
  // Only what a registry serves has a second string: where, or "" for the default registry.
  if (typeof address !== "string") {
    return collector.skip(name, `is from no registry (${shown(version)})`);
  }
  const details = entry.find(isMembers);
  if (details?.bundled === true && !TOP.test(path)) {
    return collector.skip(`${name}@${version}`, BUNDLED);
  }
  addNpm(collector, {
    name,
    version,
    // The registry alone says nothing about the release.
    address: /\.tgz(?:[?#]|$)/.test(address) ? address : undefined,
    line,
    integrity,
  });
}
