import { InvalidMetadata } from "../errors.ts";
import { isRecord, readJson } from "../json.ts";

/** The vulnerable ranges of one package, as an advisory answer gives them. */
export interface Vulnerable {
  readonly name: string;
  readonly vulnerable: readonly string[];
}

/**
 * Reads npm's answers to an audit: the bulk form (`{name: [{vulnerable_versions}]}`)
 * and the older one (`{advisories: {id: {module_name, vulnerable_versions}}}`).
 * Throws InvalidMetadata.
 */
export function readLifts(answer: Uint8Array): Vulnerable[] {
  const document = readJson(answer, "the advisories");
  if (!isRecord(document)) {
    throw new InvalidMetadata("Cannot read the advisories: they are no object");
  }
  const ranges = new Map<string, string[]>();
  const note = (name: unknown, advisory: unknown) => {
    const range = isRecord(advisory) ? advisory.vulnerable_versions : undefined;
    if (typeof name !== "string") return;
    // An advisory without a range is taken to hold for every version: it lifts nothing.
    const stated = typeof range === "string" ? range : "*";
    const known = ranges.get(name);
    if (known === undefined) ranges.set(name, [stated]);
    else known.push(stated);
  };
  if (isRecord(document.advisories)) {
    for (const advisory of Object.values(document.advisories)) {
      note(isRecord(advisory) ? advisory.module_name : undefined, advisory);
    }
  } else {
    for (const [name, advisories] of Object.entries(document)) {
      if (Array.isArray(advisories)) advisories.forEach((advisory) => note(name, advisory));
    }
  }
  return [...ranges].map(([name, vulnerable]) => ({ name, vulnerable }));
}

/** Deeper than any tree of dependencies is. */
const MAX_DEPTH = 500;
/** Of a node of an audit's tree. */
const FLAGS = ["dev", "optional", "bundled"];
/** A version of the registry, and no address or name. */
const VERSION = /^\d[^:/@]*$/;

/** Whether the public registry must not hear of a name. */
type IsHidden = (name: string) => boolean;

/**
 * An audit's request without the names of some packages: those of the bulk form
 * (`{name: [versions]}`) go; the older form's tree is made anew of what the
 * service reads, where nodes of theirs lose name and version but keep what they
 * contain. Throws InvalidMetadata.
 */
export function auditWithout(body: Uint8Array, isHidden: IsHidden): Uint8Array<ArrayBuffer> {
  const document = readJson(body, "the audit");
  if (!isRecord(document)) throw new InvalidMetadata("Cannot read the audit: it is no object");
  const told = Object.values(document).every(Array.isArray)
    ? bulkWithout(document, isHidden)
    : treeWithout(document, isHidden);
  return new TextEncoder().encode(JSON.stringify(told));
}

function bulkWithout(bulk: Record<string, unknown>, isHidden: IsHidden) {
  const told = Object.entries(bulk).filter(([name]) => !isHidden(name));
  return Object.fromEntries(told.map(([name, versions]) => [
    name,
    Array.isArray(versions)
      ? versions.filter((it) => typeof it === "string" && VERSION.test(it))
      : [],
  ]));
}

/** Whose project it is, and what came and went there, is nobody's business and not looked at. */
function treeWithout(tree: Record<string, unknown>, isHidden: IsHidden) {
  const { requires = {}, dependencies = {} } = nodeWithout(tree, isHidden, 0);
  const project = { name: "project", version: "0.0.0", metadata: {}, install: [], remove: [] };
  return { ...project, requires, dependencies };
}

interface ToldNode {
  requires?: Record<string, unknown>;
  dependencies?: Record<string, unknown>;
}

/** What a node of the tree requires and contains. */
function nodeWithout(
  { requires, dependencies }: Record<string, unknown>,
  isHidden: IsHidden,
  depth: number,
): ToldNode {
  if (depth > MAX_DEPTH) throw new InvalidMetadata("Cannot read the audit: it is nested too deep");
  const told: ToldNode = {};
  if (isRecord(requires)) {
    told.requires = Object.fromEntries(
      Object.entries(requires).filter(([name, range]) =>
        !isHidden(name) && isPublic(range, isHidden)
      ),
    );
  }
  if (isRecord(dependencies)) {
    const children = Object.entries(dependencies).map(([key, child], position) => {
      const node = isRecord(child) ? child : {};
      const inner = nodeWithout(node, isHidden, depth + 1);
      const { version = "0.0.0" } = node;
      if (isPublicKey(key, isHidden) && isPublic(version, isHidden)) {
        return [key, { version, ...flagsOf(node), ...inner }];
      }
      // No package can be called that, as names do not begin with an underscore.
      return [`_private.${position}`, { version: "0.0.0", dependencies: inner.dependencies }];
    });
    told.dependencies = Object.fromEntries(children);
  }
  return told;
}

function flagsOf(node: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    FLAGS.filter((flag) => node[flag] === true).map((flag) => [flag, true]),
  );
}

/** A key of the tree is a package's name, a path in a lockfile, or the project itself. */
function isPublicKey(key: string, isHidden: IsHidden): boolean {
  const names = key.split(/(?:^|\/)node_modules\//).filter((name) => name !== "" && name !== ".");
  return !names.some(isHidden);
}

/** Whether a version or range is one of the registry (`npm:` may name another package), and no address. */
function isPublic(wanted: unknown, isHidden: IsHidden): boolean {
  if (typeof wanted !== "string") return false;
  const [, target, range = ""] = /^npm:(@?[^@]+)(?:@(.*))?$/s.exec(wanted) ?? [null, null, wanted];
  return !/[:/@]/.test(range) && (target === null || !isHidden(target));
}
