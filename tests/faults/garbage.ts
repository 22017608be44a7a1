/** Collects garbage when a test wants it, where V8 lets us. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Several turns, since what is freed by one may free more. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  if (typeof gc !== "function") throw new TypeError("V8 does not show its gc");
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
