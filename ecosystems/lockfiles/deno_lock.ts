/** deno.lock, versions 2 to 5: https://github.com/denoland/deno_lockfile. */
import { Collector, type Locked, LockfileInvalid, shown, shownAddress } from "./locked.ts";
import { isMembers, lineOf, type Members, object, table, text } from "./members.ts";
import { addNpm, splitSpec } from "./npm_release.ts";

const KNOWN = new Set(["2", "3", "4", "5"]);
const MEMBERS = ["specifiers", "npm", "jsr", "remote", "packages", "workspace", "redirects"];

export function isDenoLock(root: Members): boolean {
  return typeof root.version === "string" && /^[0-9]+$/.test(root.version) &&
    Object.keys(root).every((key) =>
      key === "version" || root[key] === null || isMembers(root[key])
    ) &&
    (Object.keys(root).length === 1 || MEMBERS.some((key) => key in root));
}

/** Throws LockfileInvalid. */
export function readDenoLock(root: Members): Locked {
  const version = text(root, "version") ?? "";
  if (!KNOWN.has(version)) {
    throw new LockfileInvalid(`Its version is ${JSON.stringify(shown(version))}; known are 2 to 5`);
  }
  const collector = new Collector();
  // Where each version has them.
  const packages = version === "3" ? object(root, "packages") ?? {} : root;
  const npm = version === "2"
    ? table(object(root, "npm") ?? {}, "packages")
    : table(packages, "npm");
  for (const [key, entry] of npm) addNpmPackage(collector, key, entry);
  for (const [key, entry] of version === "2" ? [] : table(packages, "jsr")) {
    const [name, exact] = split(key, entry);
    const integrity = text(entry, "integrity");
    const line = lineOf(entry);
    collector.add({ type: "jsr", name, version: exact, line, integrity });
  }
  for (const address of Object.keys(object(root, "remote") ?? {})) {
    collector.skip(shownAddress(address), "is an address, of no registry");
  }
  return collector.locked(`deno.lock ${version}`);
}

function addNpmPackage(collector: Collector, key: string, entry: Members): void {
  const [name, exact] = split(key, entry);
  addNpm(collector, {
    name,
    // `1.0.0_peer@2.0.0`: a version has no underscore.
    version: exact.replace(/_.*$/s, ""),
    address: text(entry, "tarball"),
    line: lineOf(entry),
    integrity: text(entry, "integrity"),
  });
}

function split(key: string, entry: Members): [string, string] {
  const found = splitSpec(key);
  if (found !== null) return found;
  throw new LockfileInvalid(`${JSON.stringify(shown(key))} has no version`, {
    line: lineOf(entry),
  });
}
