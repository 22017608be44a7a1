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

/**
 * An audit's request without the names of some packages: those of the bulk form
 * (`{name: [versions]}`) go, those of the older form's tree lose name and version
 * but keep what they contain. Throws InvalidMetadata.
 */
export function auditWithout(
  body: Uint8Array,
  isHidden: (name: string) => boolean,
): Uint8Array<ArrayBuffer> {
  const document = readJson(body, "the audit");
  if (!isRecord(document)) throw new InvalidMetadata("Cannot read the audit: it is no object");
  const told = Object.values(document).every(Array.isArray)
    ? keep(document, isHidden)
    : nodeWithout(document, isHidden, 0);
  return new TextEncoder().encode(JSON.stringify(told));
}

function keep(record: Record<string, unknown>, isHidden: (name: string) => boolean) {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !isHidden(name)));
}

function nodeWithout(
  node: Record<string, unknown>,
  isHidden: (name: string) => boolean,
  depth: number,
): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new InvalidMetadata("Cannot read the audit: it is nested too deep");
  const told = { ...node };
  if (isRecord(node.requires)) told.requires = keep(node.requires, isHidden);
  if (isRecord(node.dependencies)) {
    const children = Object.entries(node.dependencies).map(([name, child], position) => {
      const inner = isRecord(child) ? nodeWithout(child, isHidden, depth + 1) : child;
      if (!isHidden(name)) return [name, inner];
      // No package can be called that, as names do not begin with an underscore.
      const dependencies = isRecord(inner) ? inner.dependencies : undefined;
      return [`_private.${position}`, { version: "0.0.0", dependencies }];
    });
    told.dependencies = Object.fromEntries(children);
  }
  return told;
}
