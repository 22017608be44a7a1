/**
 * The address of a database for `Deno.openKv`, which makes a file where there
 * is none: whoever asks an empty one is told that nothing was ever installed.
 * Throws where it is a path without a file.
 * @param address as in KV_URL; undefined: Deno's own default
 */
export async function existingDatabase(address: string | undefined): Promise<string | undefined> {
  if (address === undefined || address === ":memory:" || /^https?:\/\//i.test(address)) {
    return address;
  }
  try {
    await Deno.stat(address);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(
      `There is no database at ${address} (KV_URL): the proxy makes it when it starts`,
      { cause },
    );
  }
  return address;
}
