/** Reads what a project has locked: lockfiles, SBOMs and lists of PURLs. */
import { isBunLock, readBunLock } from "./bun_lock.ts";
import { isCargoLock, readCargoLock } from "./cargo_lock.ts";
import { isCycloneDx, readCycloneDx } from "./cyclonedx.ts";
import { isDenoLock, readDenoLock } from "./deno_lock.ts";
import { readJsonText } from "./json_text.ts";
import { type Locked, LockfileInvalid } from "./locked.ts";
import { isMembers, linesOf, type Members, members } from "./members.ts";
import { isNpmLock, readNpmLock } from "./npm_lock.ts";
import { isPdmLock, readPdmLock } from "./pdm_lock.ts";
import { isPipfileLock, readPipfileLock } from "./pipfile_lock.ts";
import { readPnpmLock } from "./pnpm_lock.ts";
import { isPoetryLock, readPoetryLock } from "./poetry_lock.ts";
import { readPurlArray, readPurlLines } from "./purls.ts";
import { isPylock, readPylock } from "./pylock.ts";
import { isRequirements, readRequirements } from "./requirements.ts";
import { isSpdx, isSpdx3, readSpdx, readSpdx3 } from "./spdx.ts";
import { readTomlText } from "./toml_text.ts";
import { isUvLock, readUvLock } from "./uv_lock.ts";
import { readYamlText } from "./yaml_text.ts";
import { readYarnBerry } from "./yarn_berry.ts";
import { readYarnClassic } from "./yarn_classic.ts";

export { statedDigests } from "./digests.ts";
export { type Locked, type LockedEntry, LockfileInvalid } from "./locked.ts";

export const MAX_LOCKFILE_BYTES = 50_000_000;

const LIST_OF_PURLS = "list of PURLs";

const KNOWN =
  "package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml, yarn.lock, bun.lock, deno.lock, " +
  "requirements.txt with pins, uv.lock, poetry.lock, pdm.lock, pylock.toml, Pipfile.lock, " +
  "Cargo.lock, CycloneDX and SPDX as JSON, and lists of PURLs";

/** @template T of what its readers get: a text, or the object that it holds */
interface Format<T> {
  readonly name: string;
  /** How its files are called, where that says what they are. */
  readonly filename?: RegExp;
  readonly is: (document: T) => boolean;
  readonly read: (document: T) => Locked | Promise<Locked>;
}

const JSON_FORMATS: readonly Format<Members>[] = [
  { name: "CycloneDX", is: isCycloneDx, read: readCycloneDx },
  { name: "SPDX", is: isSpdx, read: readSpdx },
  { name: "SPDX 3", is: isSpdx3, read: readSpdx3 },
  { name: "bun.lock", filename: /^bun\.lock$/, is: isBunLock, read: readBunLock },
  {
    name: "package-lock.json",
    filename: /^(?:\.?package-lock|npm-shrinkwrap)\.json$/,
    is: isNpmLock,
    read: readNpmLock,
  },
  {
    name: "Pipfile.lock",
    filename: /^Pipfile\.lock$/,
    is: isPipfileLock,
    read: readPipfileLock,
  },
  { name: "deno.lock", filename: /^deno\.lock$/, is: isDenoLock, read: readDenoLock },
];

/** Those that have a `[[package]]` as Cargo.lock has, and more. */
const LIKE_CARGO: readonly Format<Members>[] = [
  { name: "pdm.lock", filename: /^pdm\.lock$/, is: isPdmLock, read: readPdmLock },
  { name: "poetry.lock", filename: /^poetry\.lock$/, is: isPoetryLock, read: readPoetryLock },
  { name: "uv.lock", filename: /^uv\.lock$/, is: isUvLock, read: readUvLock },
];

const TOML_FORMATS: readonly Format<Members>[] = [
  { name: "pylock.toml", filename: /^pylock\b.*\.toml$/, is: isPylock, read: readPylock },
  ...LIKE_CARGO,
  {
    name: "Cargo.lock",
    filename: /^Cargo\.lock$/,
    is: (root) => isCargoLock(root) && !LIKE_CARGO.some(({ is }) => is(root)),
    read: readCargoLock,
  },
];

/** Besides TOML and requirements.txt. */
const TEXT_FORMATS: readonly Format<string>[] = [
  {
    name: LIST_OF_PURLS,
    is: (text) => firstLine(text).startsWith("pkg:"),
    read: readPurlLines,
  },
  {
    name: "yarn.lock",
    is: (text) => /^__metadata:/m.test(text),
    read: async (text) => {
      const [root] = await readYamlText(text);
      return readYarnBerry(members(root, "It"));
    },
  },
  {
    name: "pnpm-lock.yaml",
    filename: /^pnpm-lock\b.*\.yaml$/,
    is: (text) => /^lockfileVersion:/m.test(text),
    read: async (text) => readPnpmLock(await readYamlText(text)),
  },
  {
    name: "yarn.lock",
    filename: /^yarn\.lock$/,
    is: (text) => /^# yarn lockfile v1\b/m.test(text),
    read: readYarnClassic,
  },
];

/**
 * Tells the format by the content, then by the name; where the two differ, the
 * tool that goes by the name would read something else. Throws LockfileInvalid.
 * @param hint filename, with folders or without
 */
export async function readLockfile(
  bytes: Uint8Array,
  hint: { filename?: string } = {},
): Promise<Locked> {
  if (bytes.length > MAX_LOCKFILE_BYTES) throw new LockfileInvalid("The file is over 50 MB");
  const filename = (hint.filename ?? "").replace(/^.*[/\\]/s, "");
  const text = decode(bytes);
  refuseOthers(text);
  if (isJson(text)) return await inFormat("JSON", () => readJson(text, filename));
  const format = formatOf(text, TEXT_FORMATS, filename);
  if (format !== undefined) return await readAs(format, text, filename);
  if (isToml(text) || TOML_FORMATS.some((format) => format.filename?.test(filename))) {
    return await inFormat(
      "TOML",
      async () => await readRoot(await readTomlText(text), TOML_FORMATS, filename),
    );
  }
  if (isRequirements(text) || /require.*\.(?:txt|in)$|^constraints.*\.txt$/.test(filename)) {
    return await readAs(REQUIREMENTS, text, filename);
  }
  throw unknown();
}

const REQUIREMENTS: Format<string> = {
  name: "requirements.txt",
  is: isRequirements,
  read: readRequirements,
};

function readJson(text: string, filename: string): Locked | Promise<Locked> {
  const root = readJsonText(text);
  if (Array.isArray(root)) {
    const read = (items: unknown[]) => readPurlArray(items, linesOf(items));
    return readAs({ name: LIST_OF_PURLS, is: Array.isArray, read }, root, filename);
  }
  if (!isMembers(root)) throw unknown();
  // GitHub's API wraps its SBOM.
  const wraps = isMembers(root.sbom) && Object.keys(root).length === 1;
  return readRoot(wraps ? members(root.sbom, "It") : root, JSON_FORMATS, filename);
}

function readRoot(
  root: Members,
  formats: readonly Format<Members>[],
  filename: string,
): Locked | Promise<Locked> {
  const format = formatOf(root, formats, filename);
  if (format === undefined) throw unknown();
  return readAs(format, root, filename);
}

/** Throws LockfileInvalid where it is two at once: two tools could read two different lists in it. */
function formatOf<T>(
  document: T,
  formats: readonly Format<T>[],
  filename: string,
): Format<T> | undefined {
  const [found, other] = formats.filter(({ is }) => is(document));
  if (other !== undefined) {
    const { name } = found;
    throw new LockfileInvalid(`It is ${name} and ${other.name} at once`, { format: name });
  }
  return found ?? formats.find((format) => format.filename?.test(filename));
}

/** Throws LockfileInvalid. */
function readAs<T>(
  { name, read }: Format<T>,
  document: T,
  filename: string,
): Locked | Promise<Locked> {
  const named = [...JSON_FORMATS, ...TOML_FORMATS, ...TEXT_FORMATS]
    .find((format) => format.filename?.test(filename))?.name ?? name;
  if (named !== name) {
    throw new LockfileInvalid(`It is named as ${named}, but is ${name}`, { format: name });
  }
  return inFormat(name, () => read(document));
}

/** Puts what a fault is of, and where, before its message. */
function inFormat(
  format: string,
  read: () => Locked | Promise<Locked>,
): Locked | Promise<Locked> {
  try {
    const result = read();
    return result instanceof Promise ? result.catch((error) => fail(format, error)) : result;
  } catch (error) {
    return fail(format, error);
  }
}

function fail(format: string, error: unknown): never {
  if (!(error instanceof LockfileInvalid) || error.format !== null || error.unknown) throw error;
  const place = error.line === null ? "" : `, line ${error.line}`;
  throw new LockfileInvalid(`Cannot read it as ${format}${place}: ${error.message}`, {
    format,
    line: error.line,
    cause: error,
  });
}

function isJson(text: string): boolean {
  return /^\s*(?:\{|\[\s*(?:["\]{]|$)|\/\/|\/\*)/.test(text);
}

/** Without blanks; comments are passed over. */
function firstLine(text: string): string {
  for (let start = 0; start < text.length;) {
    const end = text.indexOf("\n", start);
    const line = text.slice(start, end < 0 ? undefined : end).trim();
    if (line !== "" && !line.startsWith("#")) return line;
    start = end < 0 ? text.length : end + 1;
  }
  return "";
}

function isToml(text: string): boolean {
  return /^(?:\[\[?[\w.-]+\]\]?\s*$|(?:lock-)?version = )/m.test(text);
}

/** Files that people may well send, and a better word for each. */
function refuseOthers(text: string): void {
  if (text.startsWith("#!/usr/bin/env bun\nbun-lockfile-format")) {
    throw new LockfileInvalid(
      "This is bun.lockb, which is binary: make bun.lock with `bun install --save-text-lockfile`",
    );
  }
  if (/^\s*</.test(text) && !text.startsWith("<<<<<<<")) {
    throw new LockfileInvalid("This is XML or HTML: SBOMs are read as JSON only");
  }
  if (/^SPDXVersion:/m.test(text)) {
    throw new LockfileInvalid("This is SPDX as tags and values: SBOMs are read as JSON only");
  }
  const conflict = text.search(/^<{7} /m);
  if (conflict < 0) return;
  const line = text.slice(0, conflict).split("\n").length;
  throw new LockfileInvalid(`Line ${line} is a merge conflict that is not resolved`, { line });
}

/** UTF-8, or UTF-16 with its mark, which PowerShell writes. */
function decode(bytes: Uint8Array): string {
  const mark = (bytes[0] << 8) | bytes[1];
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LockfileInvalid("The file is no text", { cause });
  }
}

function unknown(): LockfileInvalid {
  return new LockfileInvalid(`Cannot tell what this file is. Known are ${KNOWN}`, {
    unknown: true,
  });
}
