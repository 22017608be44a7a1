/** TOML as lockfiles use it; tells the lines of `[[package]]` tables. */
import { LockfileInvalid, shown } from "./locked.ts";
import { isMembers, LINE, list, type Members, members } from "./members.ts";

/** Lists of tables whose lines are told. */
const LISTS = ["package", "packages"];

/** Throws LockfileInvalid. */
export async function readTomlText(text: string): Promise<Members> {
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
  let line = 1;
  for (let start = 0; start >= 0 && start <= text.length; line++) {
    if (text.startsWith(header, start)) lines.push(line);
    const end = text.indexOf("\n", start);
    if (end < 0) break;
    start = end + 1;
  }
  return lines;
}
