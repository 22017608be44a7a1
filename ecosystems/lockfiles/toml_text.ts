/** TOML as lockfiles use it; tells the lines of `[[package]]` tables and their like. */
import { LockfileInvalid, shown } from "./locked.ts";
import { isMembers, LINE, list, type Members, members } from "./members.ts";
import { boundPieces, textLines } from "./text_lines.ts";

/** Lists of tables whose lines are told. */
const LISTS = ["package", "packages", "distribution"];

/** Throws LockfileInvalid. */
export async function readTomlText(text: string): Promise<Members> {
  boundPieces(text);
  // Only those who check a lockfile wait for it.
  const { parse, TomlError } = await import("smol-toml");
  let parsed: unknown;
  try {
    parsed = parse(text, { maxDepth: 64 });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const reason = shown(cause.message.split("\n")[0].replace(/^Invalid TOML document: /, ""));
    throw new LockfileInvalid(reason, { line: cause.line, cause });
  }
  const root = members(parsed, "It");
  for (const name of LISTS) {
    const found = list(isMembers(root[name]) ? {} : root, name) ?? [];
    if (found.length === 0) continue;
    const lines = headers(text, name);
    // A header inside a multi-line string would be counted, too: then no line is told.
    if (lines.length === found.length) {
      found.forEach((item, i) => {
        if (isMembers(item)) item[LINE] = lines[i];
      });
    }
  }
  return root;
}

function headers(text: string, name: string): number[] {
  const lines: number[] = [];
  const header = `[[${name}]]`;
  let line = 0;
  for (const row of textLines(text)) {
    line++;
    if (row.startsWith(header)) lines.push(line);
  }
  return lines;
}
