import { resolve } from "node:path";

/**
 * A path as whoever typed it meant it: `deno task` runs where deno.json is.
 * @param calledAt `INIT_CWD`, in which it says where it was called
 */
export function fromHere(path: string, calledAt: string | undefined): string {
  return resolve(calledAt || Deno.cwd(), path);
}
