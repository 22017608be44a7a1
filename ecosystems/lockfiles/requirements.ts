/** requirements.txt: https://pip.pypa.io/en/stable/reference/requirements-file-format/. */
import { Collector, type Locked, LockfileInvalid, shown, shownAddress } from "./locked.ts";
import { refuseOtherEnds, textLines } from "./text_lines.ts";

const FORMAT = "requirements.txt";
/** A name with extras, then specifiers, then markers. */
const REQUIREMENT =
  /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(\(?[^;]*\)?)(?:;.*)?$/s;
/** One of those that commas join; no version begins as an operator does, so it can be read in one way only. */
const SPECIFIER = /^(?:===?|~=|!=|<=?|>=?)\s*[^\s=<>~!]\S*$/;
const PIN = /(?:^|,)\s*===?\s*([^\s,*]+)\s*(?=,|$)/;
/** The blank may be missing before an address. */
const NAMED_ADDRESS =
  /^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@(?:\s+|(?=[A-Za-z][A-Za-z0-9+.-]*:))(\S+)/;
const HASH = /\s--hash[=\s]\s*(\S+)/g;
/** Options of a requirement, and of a line of its own that names no package. */
const OPTION = /\s--(?:global-option|config-settings?|install-option)[=\s].*$/s;
const FILE_OPTION = /^(?:-r|--requirement|-c|--constraint)(?:[=\s]|(?=[^-\s]))\s*(.+)$/s;
const EDITABLE = /^(?:-e|--editable)[=\s]\s*(.+)$/s;
/** Options that name no package, alone and with a value. pip takes beginnings of their names, too. */
const FLAGS = new Set(["--no-index", "--pre", "--prefer-binary", "--require-hashes"]);
const SETTINGS = new Set([
  "-i",
  "--index-url",
  "--pypi-url",
  "--extra-index-url",
  "-f",
  "--find-links",
  "--no-binary",
  "--only-binary",
  "--all-releases",
  "--only-final",
  "--trusted-host",
  "--use-feature",
]);
/** PEP 263, which pip follows in comments of the first two lines. */
const CODING = /coding[:=]\s*([-\w.]+)/g;

interface Logical {
  readonly text: string;
  readonly line: number;
}

/** Whether every line could be one of such a file, and one of them names a package. */
export function isRequirements(text: string): boolean {
  let named = false;
  for (const { text: line } of logicalLines(text)) {
    if (EDITABLE.test(line) || FILE_OPTION.test(line)) {
      named = true;
      continue;
    }
    if (line.startsWith("-") || isAddress(line)) continue;
    const found = parts(line);
    if (found === null) return false;
    named ||= PIN.test(found.specifiers);
  }
  return named;
}

/** Throws LockfileInvalid. */
export function readRequirements(text: string): Locked {
  refuseOtherEnds(text);
  refuseOtherCodings(text);
  const collector = new Collector();
  for (const line of logicalLines(text)) addLine(collector, line);
  return collector.locked(FORMAT);
}

/** In UTF-7, a line can end in the midst of a comment. Throws LockfileInvalid. */
function refuseOtherCodings(text: string): void {
  let line = 0;
  for (const row of textLines(text)) {
    if (++line > 2) return;
    for (const [, coding] of row.startsWith("#") ? row.matchAll(CODING) : []) {
      if (/^(?:utf-?8|ascii)$/i.test(coding)) continue;
      throw new LockfileInvalid(`pip would read it as ${quoted(coding)}, not as UTF-8`, { line });
    }
  }
}

function addLine(collector: Collector, { text, line }: Logical): void {
  const file = FILE_OPTION.exec(text)?.[1];
  if (file !== undefined) {
    return collector.skip(file, "is another file of requirements, to be checked itself");
  }
  const editable = EDITABLE.exec(text)?.[1];
  if (editable !== undefined) {
    return collector.skip(shownAddress(editable), "is an editable install, of no registry");
  }
  if (isAddress(text)) return skipAddress(collector, text);
  if (isSetting(text)) return;
  if (text.startsWith("-")) {
    throw new LockfileInvalid(`${quoted(text)} has an option that is not known`, { line });
  }
  const found = parts(text);
  if (found === null) throw new LockfileInvalid(`${quoted(text)} is no requirement`, { line });
  const { name, specifiers, hashes } = found;
  const version = PIN.exec(specifiers)?.[1];
  if (version === undefined) return collector.skip(name, "is not pinned");
  collector.add({ type: "pypi", name, version, line, integrity: hashes.join(" ") });
}

/** Whether a line has nothing but settings: behind one may stand an option that names a file. */
function isSetting(text: string): boolean {
  const words = text.split(" ").values();
  for (const word of words) {
    const equals = word.indexOf("=");
    if (FLAGS.has(word)) continue;
    if (!SETTINGS.has(equals < 0 ? word : word.slice(0, equals))) return false;
    if (equals < 0 && words.next().done) return false;
  }
  return true;
}

/** `name @ https://…`, an address or a path alone. */
function isAddress(text: string): boolean {
  return NAMED_ADDRESS.test(text) ||
    /^(?:[a-z][a-z0-9+.-]*:\/\/|file:|[a-z]:\\|\.{0,2}\/|\.$)/i.test(text) ||
    /^\S+\.(?:whl|tar\.gz|zip)$/.test(text);
}

function skipAddress(collector: Collector, text: string): void {
  const [, name, address = text] = NAMED_ADDRESS.exec(text) ?? [];
  const place = shownAddress(address.split(/\s/)[0]);
  collector.skip(name ?? place, `is from an address, of no registry (${place})`);
}

function parts(text: string): { name: string; specifiers: string; hashes: string[] } | null {
  const hashes = [...text.matchAll(HASH)].map(([, hash]) => hash);
  const bare = text.replace(HASH, "").replace(OPTION, "").trim();
  const [, name, rest] = REQUIREMENT.exec(bare) ?? [];
  if (name === undefined) return null;
  const specifiers = rest.trim().replace(/^\((.*)\)$/s, "$1").trim();
  const isSpecified = specifiers === "" ||
    specifiers.split(",").every((piece) => SPECIFIER.test(piece.trim()));
  return isSpecified ? { name, specifiers, hashes } : null;
}

/** Lines that end in a backslash go on; comments begin a line or follow a blank. */
function* logicalLines(text: string): Generator<Logical> {
  let pieces: string[] = [];
  let start = 1;
  let number = 0;
  for (const line of textLines(text)) {
    number++;
    if (pieces.length === 0) start = number;
    const comment = /^\s*#/.test(line);
    const goesOn = !comment && line.endsWith("\\");
    pieces.push(goesOn ? line.slice(0, -1) : comment ? "" : line);
    if (goesOn) continue;
    yield* whole(pieces, start);
    pieces = [];
  }
  yield* whole(pieces, start);
}

function whole(pieces: readonly string[], line: number): Logical[] {
  // One blank for many: no pattern here has to try how to share them out.
  const text = pieces.join(" ").replace(/\s+/g, " ").replace(/(?:^| )#.*$/, "").trim();
  return text === "" ? [] : [{ text, line }];
}

function quoted(text: string): string {
  return JSON.stringify(shown(text));
}
