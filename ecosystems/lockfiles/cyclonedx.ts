/** CycloneDX as JSON: https://cyclonedx.org/docs/latest/json/. */
import { Collector, type Locked, shown } from "./locked.ts";
import { lineOf, type Members, object, objects, text, word } from "./members.ts";
import { addSbomPurl } from "./purls.ts";

export function isCycloneDx(root: Members): boolean {
  return root.bomFormat === "CycloneDX";
}

/** Throws LockfileInvalid. */
export function readCycloneDx(root: Members): Locked {
  const collector = new Collector();
  // What the document is about is no dependency, but what is in it may be.
  const about = object(object(root, "metadata") ?? {}, "component");
  const waiting = [...about === undefined ? [] : objects(about, "components")];
  waiting.push(...objects(root, "components"));
  waiting.reverse();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    addComponent(collector, next);
    waiting.push(...objects(next, "components").reverse());
  }
  return collector.locked(`CycloneDX ${word(root, "specVersion")}`);
}

function addComponent(collector: Collector, component: Members): void {
  const purl = text(component, "purl");
  const integrity = objects(component, "hashes").map(digest).filter((of) => of !== "").join(" ");
  if (purl !== undefined) {
    return addSbomPurl(collector, { purl, line: lineOf(component), integrity });
  }
  const name = [text(component, "group"), text(component, "name")].filter(Boolean).join("/");
  collector.skip(name, `has no PURL (${shown(text(component, "type") ?? "component")})`);
}

function digest(hash: Members): string {
  const [algorithm, content] = [text(hash, "alg"), text(hash, "content")];
  if (algorithm === undefined || content === undefined) return "";
  return `${algorithm.toLowerCase().replace(/^sha-(?!3-)/, "sha")}:${content}`;
}
