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
    ranges.set(name, [...ranges.get(name) ?? [], typeof range === "string" ? range : "*"]);
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
