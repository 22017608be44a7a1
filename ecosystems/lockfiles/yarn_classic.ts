/** yarn.lock of yarn 1: https://github.com/yarnpkg/yarn/blob/master/src/lockfile/parse.js. */
import { Collector, type Locked, LockfileInvalid, shown } from "./locked.ts";
import { addNpm, notRegistry, releaseAt, splitSpec } from "./npm_release.ts";
import { refuseOtherEnds, textLines } from "./text_lines.ts";

const FORMAT = "yarn.lock 1";
/** Far more than any has; quoted text without an end to it would exhaust the stack of a pattern. */
const MAX_LINE = 100_000;
/** `key value`, each quoted where it needs to be. */
const FIELD = /^ {2}("(?:[^"\\]|\\.)*"|[^\s":]+) ("(?:[^"\\]|\\.)*"|[^\s"]+)$/;
const BLOCK = /^ {2}[A-Za-z]+:$/;
const NESTED = /^ {4,}\S/;

interface Block {
  /** `lodash@^4.17.0`; all of a block are of one package. */
  readonly pattern: string;
  readonly line: number;
  readonly fields: Map<string, string>;
}

/** Throws LockfileInvalid. */
export function readYarnClassic(text: string): Locked {
  refuseOtherEnds(text);
  const collector = new Collector();
  let block: Block | null = null;
  let number = 0;
  for (const raw of textLines(text)) {
    number++;
    const line = raw.trimEnd();
    if (line.length > MAX_LINE) fail(line, number);
    if (line === "" || line.startsWith("#")) continue;
    if (!line.startsWith(" ")) {
      if (block !== null) addBlock(collector, block);
      block = { pattern: firstPattern(line, number), line: number, fields: new Map() };
      continue;
    }
    if (block === null) fail(line, number);
    if (BLOCK.test(line) || NESTED.test(line)) continue;
    const [, key, value] = FIELD.exec(line) ?? fail(line, number);
    block.fields.set(unquote(key, number), unquote(value, number));
  }
  if (block !== null) addBlock(collector, block);
  return collector.locked(FORMAT);
}

function addBlock(collector: Collector, { pattern, line, fields }: Block): void {
  const [alias, range] = splitSpec(pattern) ?? [pattern, ""];
  const version = fields.get("version");
  if (version === undefined) {
    throw new LockfileInvalid(`${JSON.stringify(shown(pattern))} has no version`, { line });
  }
  const elsewhere = notRegistry(range);
  if (elsewhere !== null) return collector.skip(`${alias}@${shown(version)}`, elsewhere);
  const name = range.startsWith("npm:") ? splitSpec(range.slice(4))?.[0] ?? range.slice(4) : alias;
  const resolved = fields.get("resolved") ?? "";
  // The fragment is the file's SHA-1, or a commit, which makes it git's.
  const given = notRegistry(resolved) === null ? resolved.replace(/#.*$/s, "") : resolved;
  const address = releaseAt(resolved, { name, version }) ?? given;
  addNpm(collector, { name, version, address, line, integrity: fields.get("integrity") });
}

/** Of `"a@1", "a@2":`. */
function firstPattern(line: string, number: number): string {
  const [, first] = /^("(?:[^"\\]|\\.)*"|[^\s",:][^\s",]*?)(?:, .+)?:$/.exec(line) ??
    fail(line, number);
  return unquote(first, number);
}

function unquote(text: string, line: number): string {
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return fail(text, line);
  }
}

function fail(found: string, line: number): never {
  throw new LockfileInvalid(`${JSON.stringify(shown(found))} is unexpected`, { line });
}
