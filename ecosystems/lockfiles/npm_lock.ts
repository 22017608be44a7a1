/**
 * package-lock.json and npm-shrinkwrap.json:
 * https://docs.npmjs.com/cli/configuring-npm/package-lock-json, version 1 as npm 5 and 6 wrote it.
 */
import { bundledPaths } from "./npm_bundles.ts";
import { Collector, type Locked, LockfileInvalid, shown } from "./locked.ts";
import { isMembers, lineOf, type Members, object, table, text } from "./members.ts";
import { addNpm, notRegistry, splitSpec } from "./npm_release.ts";

const MODULES = "node_modules/";

/** Whether it is one: shrinkwraps before npm 5 have no version of their own. */
export function isNpmLock(root: Members): boolean {
  // bun.lock has the two, and no dependencies beside them.
  if ("lockfileVersion" in root) return !("workspaces" in root) || "dependencies" in root;
  const { dependencies } = root;
  return isMembers(dependencies) &&
    Object.values(dependencies).some((of) => isMembers(of) && "version" in of);
}

/** Throws LockfileInvalid. */
export function readNpmLock(root: Members): Locked {
  const version = root.lockfileVersion ?? 1;
  const collector = new Collector();
  const packages = table(root, "packages");
  switch (version) {
    case 1:
      // Older npms read the tree whatever else there is, newer ones the packages.
      addTree(collector, root);
      break;
    case 2:
    case 3:
      if (object(root, "packages") === undefined) {
        throw new LockfileInvalid(`It has no "packages"`);
      }
      break;
    default:
      throw new LockfileInvalid(
        `Its lockfileVersion is ${shown(JSON.stringify(version))}; known are 1, 2 and 3`,
      );
  }
  const bundled = bundledPaths(packages);
  for (const [path, entry] of packages) {
    addPath(collector, path, { entry, bundled: bundled.has(path) });
  }
  return collector.locked(`package-lock.json ${version}`);
}

interface Placed {
  readonly entry: Members;
  /** Whether it is in the tarball of a package above it. */
  readonly bundled: boolean;
}

function addPath(collector: Collector, path: string, { entry, bundled }: Placed): void {
  // The project itself.
  if (path === "") return;
  const start = path.lastIndexOf(MODULES);
  const address = text(entry, "resolved");
  const name = text(entry, "name") ?? (start < 0 ? path : path.slice(start + MODULES.length));
  if (entry.link === true) return collector.skip(name, `is a link (${shown(address ?? "")})`);
  if (start < 0) return collector.skip(name, `is a workspace of the project (${shown(path)})`);
  const version = text(entry, "version");
  if (version === undefined) return collector.skip(name, "has no version");
  const integrity = text(entry, "integrity");
  if (bundled && entry.inBundle === true && address === undefined && integrity === undefined) {
    return collector.skip(`${name}@${version}`, BUNDLED);
  }
  addNpm(collector, { name, version, address, line: lineOf(entry), integrity });
}

/**
 * Its bytes are part of the tarball that bundles it, whatever the registry has
 * of that name. Clients download what is only said to be bundled.
 */
export const BUNDLED = "comes inside the package that bundles it";

function addTree(collector: Collector, of: Members): void {
  for (const [name, entry] of table(of, "dependencies")) {
    addDependency(collector, name, entry);
    addTree(collector, entry);
  }
}

/** Of a bundle, too: what a tarball should have and has not, npm 6 downloads. */
function addDependency(collector: Collector, alias: string, entry: Members): void {
  const stated = text(entry, "version");
  if (stated === undefined) return collector.skip(alias, "has no version");
  const elsewhere = notRegistry(stated);
  if (elsewhere !== null) return collector.skip(alias, elsewhere);
  const integrity = text(entry, "integrity");
  const [name, version] = splitSpec(stated.replace(/^npm:/, "")) ?? [alias, stated];
  const line = lineOf(entry);
  // A tarball's address stands in place of its version.
  const address = /^https?:/i.test(stated) ? stated : text(entry, "resolved");
  if (address === stated) {
    return addNpm(collector, { name: alias, version: undefined, address, line, integrity });
  }
  addNpm(collector, { name, version, address, line, integrity });
}
