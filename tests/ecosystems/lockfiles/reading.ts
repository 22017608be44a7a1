/** Reads a text as a lockfile and says what was found in lines to compare. */
import assert from "node:assert/strict";
import { type Locked, LockfileInvalid, readLockfile } from "../../../ecosystems/lockfiles/mod.ts";

export function read(content: string | Uint8Array, filename?: string): Promise<Locked> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return readLockfile(bytes, { filename });
}

/** PURLs, sorted. */
export function purls({ entries }: Locked): string[] {
  return entries.map(({ purl }) => purl).sort();
}

/** `name reason`, in the file's order. */
export function skipped(locked: Locked): string[] {
  return locked.skipped.map(({ name, reason }) => `${name} ${reason}`);
}

/** Line by PURL. */
export function lines({ entries }: Locked): Record<string, number | undefined> {
  return Object.fromEntries(entries.map(({ purl, location }) => [purl, location?.line]));
}

export async function assertInvalid(
  content: string | Uint8Array,
  message: RegExp,
  filename?: string,
): Promise<LockfileInvalid> {
  const error = await read(content, filename).then(
    (locked) => assert.fail(`It was read as ${locked.format}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof LockfileInvalid, String(error));
  assert.match(error.message, message);
  return error;
}
