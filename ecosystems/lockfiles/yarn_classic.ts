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
const ADDRESS = /^https?:/i;

interface Block {
  /** `lodash@^4.17.0`, one at least; all of a block are one download. */
  readonly patterns: readonly string[];
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
      block = { patterns: readPatterns(line, number), line: number, fields: new Map() };
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

function addBlock(collector: Collector, { patterns, line, fields }: Block): void {
  const asked = patterns.map((pattern) => splitSpec(pattern) ?? [pattern, ""] as const);
  const [alias, range] = asked[0];
  const version = fields.get("version");
  if (version === undefined) {
    throw new LockfileInvalid(`${JSON.stringify(shown(patterns[0]))} has no version`, { line });
  }
  const resolved = fields.get("resolved") ?? (ADDRESS.test(range) ? range : "");
  const release = releaseAt(resolved, { name: alias, version });
  const elsewhere = notRegistry(range);
  // One that a registry is asked for is enough for yarn to ask for them all.
  const skipped = asked.every(([, range]) => notRegistry(range) !== null);
  if (skipped && release === null && elsewhere !== null) {
    return collector.skip(`${alias}@${shown(version)}`, elsewhere);
  }
  // The fragment is the file's SHA-1, or a commit, which makes it git's.
  const given = notRegistry(resolved) === null ? resolved.replace(/#.*$/s, "") : resolved;
  const found = { version, address: release ?? given, line, integrity: fields.get("integrity") };
  const named = asked.filter(([, range]) => !ADDRESS.test(range) && notRegistry(range) === null);
  if (named.length === 0) return addNpm(collector, { ...found, name: alias, byAddress: true });
  for (const [alias, range] of named) {
    const real = range.startsWith("npm:") ? range.slice(4) : alias;
    addNpm(collector, { ...found, name: splitSpec(real)?.[0] ?? real });
  }
}

/** Of `"a@1", "a@2":`. */
function readPatterns(line: string, number: number): string[] {
  const next = /("(?:[^"\\]|\\.)*"|[^\s",:]+)(, |:$)/y;
  const patterns: string[] = [];
  for (let end = ""; end !== ":";) {
    const [, pattern, after] = next.exec(line) ?? fail(line, number);
    patterns.push(unquote(pattern, number));
    end = after;
  }
  return patterns;
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
