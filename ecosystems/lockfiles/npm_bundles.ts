/** What npm's packages bring along in their tarballs. */
import { isMembers, type Members } from "./members.ts";

/**
 * Which paths npm takes for bundled, and so does not download: what a package
 * lists, all below that, and what these depend on and find beside it. What the
 * project itself bundles, or a workspace, is downloaded as any other.
 * @param packages entries by path: `node_modules/a/node_modules/b`
 */
export function bundledPaths(packages: readonly [string, Members][]): Set<string> {
  const tree = treeOf(packages);
  const bundled = new Set<string>();
  // What is above comes first, so that nothing is gone through twice.
  const lengthwise = [...packages].sort(([a], [b]) => a.length - b.length);
  for (const [path, entry] of lengthwise) {
    const beside = tree.below.get(path);
    if (beside === undefined || bundled.has(path) || !isInstalled(path, tree)) continue;
    const listed = entry.bundleDependencies;
    const open = Array.isArray(listed) ? listed.filter((name) => typeof name === "string") : [];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const child = beside.get(name);
      if (child === undefined || bundled.has(child)) continue;
      visit(child, { tree, hidden: new Map(), bundled, open });
    }
  }
  return bundled;
}

interface Tree {
  readonly entries: ReadonlyMap<string, Members>;
  /** Names to paths in the node_modules of each path. */
  readonly below: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

function treeOf(packages: readonly [string, Members][]): Tree {
  const below = new Map<string, Map<string, string>>();
  for (const [path] of packages) {
    const { above, name } = placeOf(path) ?? {};
    if (above === undefined || name === undefined) continue;
    const names = below.get(above) ?? new Map();
    below.set(above, names.set(name, path));
  }
  return { entries: new Map(packages), below };
}

/** Whether it comes from a tarball: folders of the project, and links to them, have none. */
function isInstalled(path: string, { entries }: Tree): boolean {
  const { above } = placeOf(path) ?? {};
  // From above the project's folder a path may lead into it again.
  if (above === undefined || path.startsWith("../")) return false;
  const holder = above === "" ? {} : entries.get(above);
  return holder !== undefined && holder.link !== true && entries.get(path)?.link !== true;
}

/** Null: it is in no node_modules. */
function placeOf(path: string): { above: string; name: string } | null {
  const [, above = "", name] = PLACE.exec(path) ?? [];
  return name === undefined ? null : { above, name };
}

const PLACE = /^(?:(.+)\/)?node_modules\/((?:@[^/]+\/)?[^/@][^/]*)$/s;

interface Visit {
  readonly tree: Tree;
  /** How often a name is found before the bundler's node_modules is reached. */
  readonly hidden: Map<string, number>;
  readonly bundled: Set<string>;
  /** Gets the names that are looked for beside it. */
  readonly open: string[];
}

/** Marks it and what is below it. */
function visit(path: string, visited: Visit): void {
  const { tree, hidden, bundled, open } = visited;
  bundled.add(path);
  const below = tree.below.get(path) ?? new Map<string, string>();
  for (const name of below.keys()) hidden.set(name, (hidden.get(name) ?? 0) + 1);
  const entry = tree.entries.get(path) ?? {};
  // No peers: with `legacy-peer-deps` they do not count.
  for (const key of ["dependencies", "optionalDependencies"]) {
    const wanted = entry[key];
    for (const name of isMembers(wanted) ? Object.keys(wanted) : []) {
      if ((hidden.get(name) ?? 0) === 0) open.push(name);
    }
  }
  for (const child of below.values()) visit(child, visited);
  for (const name of below.keys()) hidden.set(name, (hidden.get(name) ?? 0) - 1);
}
