/**
 * package-lock.json and npm-shrinkwrap.json:
 * https://docs.npmjs.com/cli/configuring-npm/package-lock-json, version 1 as npm 5 and 6 wrote it.
 */
import { SCHEMES } from "../mod.ts";
import { bundledPaths } from "./npm_bundles.ts";
import { Collector, type Locked, LockfileInvalid, shown, shownAddress } from "./locked.ts";
import { isMembers, lineOf, type Members, object, table, text } from "./members.ts";
import { addNpm, type Gathering, notRegistry, type NpmRelease, splitSpec } from "./npm_release.ts";

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
  if (version !== 1 && version !== 2 && version !== 3) {
    throw new LockfileInvalid(
      `Its lockfileVersion is ${shown(JSON.stringify(version))}; known are 1, 2 and 3`,
    );
  }
  if (version !== 1 && object(root, "packages") === undefined) {
    throw new LockfileInvalid(`It has no "packages"`);
  }
  const collector = new Collector();
  const packages = table(root, "packages");
  // Whatever the version, npm 6 and older read the tree, newer ones the packages.
  const hasTree = object(root, "dependencies") !== undefined;
  // Those older ones download what a tarball should have and has not.
  const bundled = hasTree ? new Set<string>() : bundledPaths(packages);
  for (const [path, entry] of packages) {
    addPath(collector, path, { entry, bundled: bundled.has(path) });
  }
  const told = new Set(packages.map(([path]) => folderName(path)));
  addTree({
    add: (found) => collector.add(found),
    // Version 2 says everything twice.
    skip: (label, reason) => {
      if (!told.has(splitSpec(label)?.[0] ?? label)) collector.skip(label, reason);
    },
  }, root);
  return collector.locked(`package-lock.json ${version}`);
}

/** The path in its last node_modules; outside of any: all of it. */
function folderName(path: string): string {
  const start = path.lastIndexOf(MODULES);
  return start < 0 ? path : path.slice(start + MODULES.length);
}

interface Placed {
  readonly entry: Members;
  /** Whether it is in the tarball of a package above it. */
  readonly bundled: boolean;
}

function addPath(collector: Collector, path: string, { entry, bundled }: Placed): void {
  // The project itself.
  if (path === "") return;
  const line = lineOf(entry);
  checkPath(path, line);
  const name = text(entry, "name") || folderName(path);
  if (entry.link === true) {
    return collector.skip(name, `is a link (${shown(text(entry, "resolved") ?? "")})`);
  }
  if (!path.includes(MODULES)) {
    return collector.skip(name, `is a workspace of the project (${shown(path)})`);
  }
  if (Object.hasOwn(entry, "_resolved")) {
    throw new LockfileInvalid(`It has "_resolved", which npm does not write but may follow`, {
      line,
    });
  }
  const address = addressOf(entry);
  const version = versionOf(entry);
  const integrity = text(entry, "integrity");
  if (
    bundled && entry.inBundle === true && version !== undefined && address === undefined &&
    integrity === undefined
  ) {
    return collector.skip(`${name}@${version}`, BUNDLED);
  }
  addNpm(collector, { name, version, address, line, integrity });
}

/**
 * Its bytes are part of the tarball that bundles it, whatever the registry has
 * of that name. Clients download what is only said to be bundled.
 */
export const BUNDLED = "comes inside the package that bundles it";

/** npm finds its folder as any program does, so `evil/` and `a/../evil` are `evil`. */
function checkPath(path: string, line: number | null): void {
  if (!ODD_PATH.test(path)) return;
  throw new LockfileInvalid(`${JSON.stringify(shown(path))} is no path that npm writes`, { line });
}

/** Backslashes, empty parts, `.`, and `..` after anything else. */
const ODD_PATH = /\\|(?:^|\/)\.?(?:\/|$)|(?:^|\/)(?!\.\.\/)[^/]+\/\.\.(?:\/|$)/;

/** Undefined: none, as of some from git; npm takes any release for a blank one. Throws LockfileInvalid. */
function versionOf(entry: Members): string | undefined {
  const version = text(entry, "version");
  if (version?.trim() !== "") return version;
  throw new LockfileInvalid(`"version" is blank`, { line: lineOf(entry) });
}

/**
 * npm reads an address as it reads what a package asks for: `npm:evil@6.6.6` is
 * another package, and `evil.tgz` a file. It writes neither. Throws LockfileInvalid.
 */
function addressOf(entry: Members): string | undefined {
  const address = text(entry, "resolved") || undefined;
  if (address === undefined || HTTP.test(address) || notRegistry(address) !== null) return address;
  throw new LockfileInvalid(
    `"resolved" is no address that npm writes (${shownAddress(address)})`,
    { line: lineOf(entry) },
  );
}

const HTTP = /^https?:/i;

function addTree(collector: Gathering, of: Members): void {
  for (const [name, entry] of table(of, "dependencies")) {
    addDependency(collector, name, entry);
    addTree(collector, entry);
  }
}

/**
 * Its version and its addresses: npm 6 asks for the version where the address is
 * of another host than the registry's, npm 7 goes by the address, and without one
 * by what the package was asked for as (`from`).
 */
function addDependency(collector: Gathering, alias: string, entry: Members): void {
  const line = lineOf(entry);
  checkPath(`${MODULES}${alias}`, line);
  const integrity = text(entry, "integrity");
  const stated = versionOf(entry);
  if (stated === undefined) {
    throw new LockfileInvalid(`${JSON.stringify(shown(alias))} has no version`, { line });
  }
  const release = { ...releaseOf(alias, stated), line, integrity };
  addNpm(collector, release);
  const asked = text(entry, "from");
  const address = addressOf(entry) ??
    (asked !== undefined && HTTP.test(asked) ? asked : undefined);
  if (address !== undefined) {
    addNpm(collector, { ...release, address });
  }
}

/** A version, or in its place an alias or an address. */
function releaseOf(
  alias: string,
  stated: string,
): Pick<NpmRelease, "name" | "version" | "address"> {
  if (HTTP.test(stated) || (notRegistry(stated) !== null && !OTHERS.test(stated))) {
    return { name: alias, version: undefined, address: stated };
  }
  const [name, version] = /^npm:/i.test(stated) ? splitSpec(stated.slice(4)) ?? [] : [];
  // What npm cannot read is as good as any version to it; no registry has it.
  if (name === undefined || (SCHEMES.get("npm")?.normalizeName(name) ?? null) === null) {
    return { name: alias, version: stated };
  }
  return { name, version };
}

/** Protocols of other clients. */
const OTHERS = /^(?:workspace|link|portal):/;
