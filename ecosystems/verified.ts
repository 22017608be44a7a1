import { createHash } from "node:crypto";
import type { Digest } from "../policy/types.ts";
import { UpstreamError } from "./errors.ts";
import type { Pieces } from "./upstream.ts";
import type { Gathering } from "./verified_files.ts";

/** What went through. */
export interface Passed {
  readonly bytes: number;
  /** Hex, where the index's digest is SHA-256. */
  readonly sha256?: string;
}

/** What to say of a file that was found to have this digest. */
export function passedOf(digest: Digest | null, bytes: number): Passed {
  return digest?.algorithm === "sha256" ? { bytes, sha256: digest.hex } : { bytes };
}

/**
 * A file's body that ends well only if it is the file the index speaks of and
 * `finish` has resolved: its last piece, or the last byte of its only one, is
 * held back until then. Otherwise the stream breaks, and with it the client's
 * connection.
 * @param digest null: the index states none, so the size alone is checked
 * @param size bytes; null: not known
 * @param gathering gets the file too, and keeps it if it is the right one
 * @param finish called once, after the last byte came and was found right
 * @param broken called once if the body does not end well
 */
export function verified(
  body: Pieces,
  { digest, size, gathering = null, finish, broken }: {
    digest: Digest | null;
    size: number | null;
    gathering?: Gathering | null;
    finish: (passed: Passed) => Promise<void>;
    broken: (error: unknown) => void;
  },
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const hash = digest === null ? null : createHash(digest.algorithm);
  let bytes = 0;
  let held: Uint8Array<ArrayBuffer> | null = null;
  /** Whoever asked has left: what comes then is no end, and no fault of the file's. */
  let left = false;

  async function next(): Promise<Uint8Array<ArrayBuffer> | null> {
    while (true) {
      const { done, value } = await body.read();
      if (done) return null;
      if (value.length === 0) continue;
      bytes += value.length;
      hash?.update(value);
      gathering?.add(value);
      const before: Uint8Array<ArrayBuffer> | null = held;
      if (before !== null) {
        held = value;
        return before;
      }
      // A small file comes in one piece: its client need not wait for the record to begin.
      held = value.subarray(-1);
      if (value.length > 1) return value.subarray(0, -1);
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
    gathering?.keep();
    await finish(passedOf(digest, bytes));
  }

  return new ReadableStream({
    async pull(controller) {
      try {
        const chunk = await next();
        if (left) return;
        if (chunk !== null) return controller.enqueue(chunk);
        await end();
        if (left) return;
        if (held !== null) controller.enqueue(held);
        controller.close();
      } catch (error) {
        if (left) return;
        gathering?.drop();
        broken(error);
        controller.error(error);
        await body.cancel(error).catch(() => {});
      }
    },
    async cancel(reason) {
      left = true;
      gathering?.drop();
      await body.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
