import { UpstreamError } from "./errors.ts";
import { fetchError, type Watch } from "./watch.ts";

/** A body, read piece by piece; a stream's reader is one. */
export interface Pieces {
  read(): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>;
  cancel(reason?: unknown): Promise<void>;
}

/** Large pieces cost less a byte than the runtime's own of 64 KB; larger ones gain nothing. */
const PIECE = 256 * 1024;
const MIN_PIECE = 1024;

/**
 * A response's stream in large pieces. It stays untouched until somebody reads.
 * @param length bytes it will likely have; null: not known
 * @param signal what the request was given
 */
export function streamPieces(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  { length, signal }: { length: number | null; signal: AbortSignal },
): Pieces {
  let opened: ReadableStreamBYOBReader | undefined;
  const reader = () => opened ??= stream.getReader({ mode: "byob" });
  // Deno 2.9 does not abort a body whose Response has been collected as garbage.
  signal.addEventListener("abort", () => void reader().cancel().catch(() => {}), { once: true });
  const piece = Math.max(MIN_PIECE, Math.min(length ?? PIECE, PIECE));
  return {
    async read() {
      const { done, value } = await reader().read(new Uint8Array(piece));
      signal.throwIfAborted();
      return done || value === undefined ? { done: true, value: undefined } : { done, value };
    },
    cancel: (reason) => reader().cancel(reason),
  };
}

/** Pieces as a stream, for a runtime that cannot have the body itself. */
export function streamOf(pieces: Pieces): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => pieces.cancel(reason),
  }, { highWaterMark: 0 });
}

/** The body, bounded, with silence and failures turned into UpstreamErrors. */
export function guardedPieces(
  body: Pieces,
  { host, watch, maxBytes, end }: {
    host: string;
    watch: Watch;
    maxBytes: number;
    /** Called when the body has ended, whichever way; maybe twice. */
    end: () => void;
  },
): Pieces {
  let bytes = 0;
  return {
    async read() {
      try {
        watch.alive();
        const piece = await body.read();
        if (piece.done) {
          end();
          return piece;
        }
        watch.rest();
        bytes += piece.value.length;
        if (bytes <= maxBytes) return piece;
        await body.cancel();
        throw new UpstreamError("oversized", `Upstream's file is larger than ${maxBytes} bytes`);
      } catch (cause) {
        end();
        if (cause instanceof UpstreamError) throw cause;
        throw fetchError(host, cause, watch.late);
      }
    },
    async cancel(reason) {
      end();
      await body.cancel(reason);
    },
  };
}
