/**
 * SPDX as JSON: 2.2 and 2.3 (https://spdx.github.io/spdx-spec/v2.3/package-information/)
 * and 3.0's JSON-LD (https://spdx.github.io/spdx-spec/v3.0.1/model/Software/Classes/Package/).
 */
import { Collector, type Locked, LockfileInvalid, shown } from "./locked.ts";
import { lineOf, list, type Members, objects, text } from "./members.ts";
import { addSbomPurl } from "./purls.ts";

const ABOUT = "is what the document is about";

export function isSpdx(root: Members): boolean {
  return typeof root.spdxVersion === "string";
}

export function isSpdx3(root: Members): boolean {
  return /spdx\.org\/rdf\//.test(JSON.stringify(root["@context"] ?? "").slice(0, 1000)) &&
    Array.isArray(root["@graph"]);
}

/** Throws LockfileInvalid. */
export function readSpdx(root: Members): Locked {
  const version = text(root, "spdxVersion") ?? "";
  if (!/^SPDX-2\.\d+$/.test(version)) {
    throw new LockfileInvalid(
      `Its spdxVersion is ${JSON.stringify(shown(version))}; known are 2.x`,
    );
  }
  const collector = new Collector();
  const packages = objects(root, "packages");
  const about = theOne(packages, described(root), (of) => text(of, "SPDXID"));
  for (const entry of packages) {
    const name = text(entry, "name") ?? "";
    if (entry === about) {
      collector.skip(name, ABOUT);
      continue;
    }
    const purls = objects(entry, "externalRefs")
      // Some write the type's whole address: http://spdx.org/rdf/references/purl.
      .filter((reference) => /(?:^|\/)purl$/.test(text(reference, "referenceType") ?? ""))
      .flatMap((reference) => text(reference, "referenceLocator") ?? []);
    const integrity = objects(entry, "checksums").map(checksum).join(" ");
    addAll(collector, { name, purls, line: lineOf(entry), integrity });
  }
  return collector.locked(version.replace("-", " "));
}

function described(root: Members): ReadonlySet<unknown> {
  const related = objects(root, "relationships");
  return new Set([
    ...list(root, "documentDescribes") ?? [],
    ...related.filter((of) => text(of, "relationshipType") === "DESCRIBES")
      .map((of) => text(of, "relatedSpdxElement")),
  ]);
}

/** The package that a document is about; none where it describes several, as a list of packages does. */
function theOne(
  packages: readonly Members[],
  described: ReadonlySet<unknown>,
  idOf: (of: Members) => string | undefined,
): Members | undefined {
  const [one, ...others] = packages.filter((of) => described.has(idOf(of)));
  return others.length === 0 ? one : undefined;
}

function checksum(of: Members): string {
  return `${(text(of, "algorithm") ?? "").toLowerCase()}:${text(of, "checksumValue") ?? ""}`;
}

/** Throws LockfileInvalid. */
export function readSpdx3(root: Members): Locked {
  const collector = new Collector();
  const graph = objects(root, "@graph");
  const roots = new Set(
    graph.filter((of) => typeOf(of) === "SpdxDocument" || typeOf(of) === "Sbom")
      .flatMap((of) => list(of, "rootElement") ?? []),
  );
  const packages = graph.filter((of) => typeOf(of) === "Package");
  const about = theOne(packages, roots, (of) => text(of, "spdxId") ?? text(of, "@id"));
  for (const element of packages) {
    const name = text(element, "name") ?? "";
    if (element === about) {
      collector.skip(name, ABOUT);
      continue;
    }
    const stated = text(element, "software_packageUrl") ?? text(element, "packageUrl");
    const identifiers = objects(element, "externalIdentifier")
      .filter((of) => text(of, "externalIdentifierType") === "packageUrl")
      .flatMap((of) => text(of, "identifier") ?? []);
    const purls = [...stated === undefined ? [] : [stated], ...identifiers];
    addAll(collector, { name, purls, line: lineOf(element) });
  }
  return collector.locked("SPDX 3.0");
}

/** `software_Package` and `Package`, without a namespace. */
function typeOf(element: Members): string {
  const type = element.type ?? element["@type"];
  return typeof type === "string" ? type.replace(/^.*[/_]/, "") : "";
}

interface Named {
  readonly name: string;
  readonly purls: readonly string[];
  readonly line: number | null;
  readonly integrity?: string;
}

function addAll(collector: Collector, { name, purls, line, integrity }: Named): void {
  for (const purl of purls) addSbomPurl(collector, { purl, line, integrity });
  if (purls.length === 0) collector.skip(name, "has no PURL");
}
