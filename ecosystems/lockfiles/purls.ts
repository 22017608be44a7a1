/** A list of PURLs: a JSON array of strings, or one on each line with `#` comments. */
import { parsePurl } from "../../policy/purl.ts";
import { Collector, type Locked, LockfileInvalid, shown, shownAddress } from "./locked.ts";

const FORMAT = "list of PURLs";

/** Throws LockfileInvalid. */
export function readPurlLines(text: string): Locked {
  const collector = new Collector();
  text.split("\n").forEach((raw, i) => {
    const purl = raw.trim();
    if (purl !== "" && !purl.startsWith("#")) addPurl(collector, purl, i + 1, FORMAT);
  });
  return collector.locked(FORMAT);
}

/** Throws LockfileInvalid. @param lines of the items */
export function readPurlArray(items: readonly unknown[], lines: readonly number[]): Locked {
  const collector = new Collector();
  items.forEach((item, i) => {
    if (typeof item !== "string") {
      throw new LockfileInvalid("A list of PURLs holds strings only", {
        format: FORMAT,
        line: lines[i],
      });
    }
    addPurl(collector, item.trim(), lines[i], FORMAT);
  });
  return collector.locked(FORMAT);
}

/**
 * An entry, or why it is none. Throws LockfileInvalid on what is no PURL.
 * @param format for the message
 */
export function addPurl(
  collector: Collector,
  text: string,
  line: number | null,
  format: string,
  integrity?: string,
): void {
  let parsed;
  try {
    parsed = parsePurl(text);
  } catch (cause) {
    throw new LockfileInvalid(`${JSON.stringify(shown(text))} is not a PURL`, {
      format,
      line,
      cause,
    });
  }
  const { type, name, version } = parsed;
  const elsewhere = origin(text);
  if (elsewhere !== null) return collector.skip(name, elsewhere);
  if (version === undefined || version === "") return collector.skip(name, "has no version");
  collector.add({ type, name, version, line, integrity });
}

/** Qualifiers that say that another place than a registry serves it. */
function origin(text: string): string | null {
  const query = /\?([^#]*)/.exec(text)?.[1];
  if (query === undefined) return null;
  const qualifiers = new URLSearchParams(query);
  const repository = qualifiers.get("vcs_url");
  return repository === null ? null : `is from a repository (${shownAddress(repository)})`;
}
