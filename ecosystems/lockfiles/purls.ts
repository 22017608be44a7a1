/** A list of PURLs: a JSON array of strings, or one on each line with `#` comments. */
import { parsePurl } from "../../policy/purl.ts";
import { SCHEMES } from "../mod.ts";
import { Collector, type Locked, LockfileInvalid, shown, shownAddress } from "./locked.ts";
import { textLines } from "./text_lines.ts";

const FORMAT = "list of PURLs";

/** Throws LockfileInvalid. */
export function readPurlLines(text: string): Locked {
  const collector = new Collector();
  let line = 0;
  for (const raw of textLines(text)) {
    line++;
    const purl = raw.trim();
    if (purl !== "" && !purl.startsWith("#")) addPurl(collector, { purl, line });
  }
  return collector.locked(FORMAT);
}

/** Throws LockfileInvalid. @param lines of the items */
export function readPurlArray(items: readonly unknown[], lines: readonly number[]): Locked {
  const collector = new Collector();
  items.forEach((item, i) => {
    if (typeof item !== "string") {
      throw new LockfileInvalid("A list of PURLs holds strings only", { line: lines[i] });
    }
    addPurl(collector, { purl: item.trim(), line: lines[i] ?? null });
  });
  return collector.locked(FORMAT);
}

export interface Stated {
  readonly purl: string;
  readonly line: number | null;
  readonly integrity?: string;
}

/** As `addPurl`; a PURL of an ecosystem that is not ours may be as it likes. Throws LockfileInvalid. */
export function addSbomPurl(collector: Collector, stated: Stated): void {
  const [, type] = /^pkg:\/*([^/]+)\//.exec(stated.purl) ?? [];
  const ours = [...SCHEMES.values()].some(({ purlType }) => purlType === type?.toLowerCase());
  try {
    addPurl(collector, stated);
  } catch (error) {
    if (ours || !(error instanceof LockfileInvalid)) throw error;
    collector.skip(stated.purl, "has a PURL that cannot be read");
  }
}

/** An entry, or why it is none. Throws LockfileInvalid on what is no PURL. */
function addPurl(collector: Collector, { purl, line, integrity }: Stated): void {
  const { type, name, version } = parse(purl, line);
  const elsewhere = origin(purl);
  if (elsewhere !== null) return collector.skip(name, elsewhere);
  if (version === undefined || version === "") return collector.skip(name, "has no version");
  collector.add({ type, name, version, line, integrity });
}

function parse(purl: string, line: number | null): ReturnType<typeof parsePurl> {
  try {
    return parsePurl(purl);
  } catch (cause) {
    throw new LockfileInvalid(`${JSON.stringify(shown(purl))} is no PURL`, { line, cause });
  }
}

/** `…@<hash>` or `…#<hash>`. */
const COMMIT = /[@#](?:commit=)?[0-9a-f]{7,64}(?:[#&]|$)/i;

/**
 * Whether it says that its bytes are a commit's. A bare `vcs_url` is no more than
 * where a registry's package is worked on.
 */
function origin(text: string): string | null {
  const query = /\?([^#]*)/.exec(text)?.[1];
  if (query === undefined) return null;
  const repository = new URLSearchParams(query).get("vcs_url");
  if (repository === null || !COMMIT.test(repository)) return null;
  return `is from a repository (${shownAddress(repository)})`;
}
