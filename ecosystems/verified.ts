import { createHash } from "node:crypto";
import type { Digest } from "../policy/types.ts";
import { UpstreamError } from "./errors.ts";

/** What went through. */
export interface Passed {
  readonly bytes: number;
  /** Hex, where the index's digest is SHA-256. */
  readonly sha256?: string;
}

/**
 * A file's body that ends well only if it is the file the index speaks of and
 * `finish` has resolved: its last piece is held back until then. Otherwise the
 * stream breaks, and with it the client's connection.
 * @param digest null: the index states none, so the size alone is checked
 * @param size bytes; null: not known
 * @param finish called once, after the last byte came and was found right
 * @param broken called once if the body does not end well
 */
export function verified(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { digest, size, finish, broken }: {
    digest: Digest | null;
    size: number | null;
    finish: (passed: Passed) => Promise<void>;
    broken: (error: unknown) => void;
  },
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  const hash = digest === null ? null : createHash(digest.algorithm);
  let bytes = 0;
  let held: Uint8Array<ArrayBuffer> | null = null;

  async function next(): Promise<Uint8Array<ArrayBuffer> | null> {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return null;
      if (value.length === 0) continue;
      bytes += value.length;
      hash?.update(value);
      const before = held;
      held = value;
      if (before !== null) return before;
    }
  }

  async function end(): Promise<void> {
    const hex = hash?.digest("hex");
    if (digest !== null && hex !== digest.hex) {
      throw new UpstreamError(
        "digest",
        `Upstream's file is not the one of its index: ` +
          `${digest.algorithm} ${hex} instead of ${digest.hex}`,
      );
    }
    if (size !== null && bytes !== size) {
      throw new UpstreamError("digest", `Upstream's file has ${bytes} bytes instead of ${size}`);
    }
    await finish(digest?.algorithm === "sha256" ? { bytes, sha256: digest.hex } : { bytes });
  }

  return new ReadableStream({
    async pull(controller) {
      try {
        const chunk = await next();
        if (chunk !== null) return controller.enqueue(chunk);
        await end();
        if (held !== null) controller.enqueue(held);
        controller.close();
      } catch (error) {
        broken(error);
        controller.error(error);
        await reader.cancel(error).catch(() => {});
      }
    },
    async cancel(reason) {
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
