/** Reads what a project has locked: lockfiles, SBOMs and lists of PURLs. */
import { readJsonText } from "./json_text.ts";
import { type Locked, LockfileInvalid } from "./locked.ts";
import { linesOf } from "./members.ts";
import { readPurlArray, readPurlLines } from "./purls.ts";

export { type Locked, type LockedEntry, LockfileInvalid, type Skipped } from "./locked.ts";

export const MAX_LOCKFILE_BYTES = 50_000_000;

/**
 * Tells the format by the content, then by the name. Throws LockfileInvalid.
 * @param hint filename, with folders or without
 */
export async function readLockfile(
  bytes: Uint8Array,
  hint: { filename?: string } = {},
): Promise<Locked> {
  await Promise.resolve();
  if (bytes.length > MAX_LOCKFILE_BYTES) throw new LockfileInvalid("It is larger than 50 MB");
  const text = new TextDecoder().decode(bytes);
  if (/^\s*\[\s*"/.test(text)) {
    const items = readJsonText(text);
    if (Array.isArray(items)) return readPurlArray(items, linesOf(items));
  }
  if (/^\s*pkg:/.test(text)) return readPurlLines(text);
  throw new LockfileInvalid(`Cannot tell what ${hint.filename ?? "this file"} is`);
}
