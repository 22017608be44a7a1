/** Reads what somebody else sends: so many bytes, at most so long, whatever it inflates to. */

export type BodyFault =
  | "too_large"
  | "too_slow" // nothing came for a while, or not all of it in time
  | "too_many" // all bodies together take more memory than there is for them
  | "broken"; // it broke off, or cannot be inflated

export class BodyRefused extends Error {
  override readonly name = "BodyRefused";

  constructor(readonly fault: BodyFault, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

export interface BodyBounds {
  /** Inflated. */
  readonly maxBytes: number;
  /** Whether it is gzip. */
  readonly zipped?: boolean;
  /** What it counts among; absent: nothing, for it is small, or of somebody who is trusted. */
  readonly share?: BodyShare;
  /** Milliseconds without a byte; 20 s by default. */
  readonly stallMs?: number;
  /** Milliseconds for all of it; two minutes by default. */
  readonly totalMs?: number;
}

/** The part of one body, given back when it is disposed of. */
export interface BodyShare extends Disposable {
  /** Whether there is room for so many bytes more. */
  take(bytes: number): boolean;
  /**
   * Whether there was room for all of it within the time. What is taken then counts among it.
   * Whatever fits goes before what does not: small files need not wait for large ones.
   */
  reserve(bytes: number, waitMs: number): Promise<boolean>;
}

/** Bounds what the bodies of strangers hold together, from their first byte until they are dealt with. */
export class BodyMemory {
  #free: number;
  /** Attempts of those who wait, in the order they came. */
  readonly #waiting = new Set<() => void>();

  /** @param spare what nobody may reserve, so that it is there for those who take as they go */
  constructor(bytes: number, readonly spare = 0) {
    this.#free = bytes;
  }

  open(): BodyShare {
    let taken = 0;
    let reserved = 0;
    /** Whether so much is, or can be, this body's. */
    const grow = (bytes: number, spare = 0) => {
      const more = Math.max(bytes - reserved, 0);
      if (more > 0 && more > this.#free - spare) return false;
      this.#free -= more;
      reserved += more;
      return true;
    };
    return {
      take: (bytes) => {
        if (!grow(taken + bytes)) return false;
        taken += bytes;
        return true;
      },
      reserve: async (bytes, waitMs) => {
        const attempt = () => grow(bytes, this.spare);
        return attempt() || await this.#inTime(attempt, waitMs);
      },
      [Symbol.dispose]: () => {
        this.#free += reserved;
        taken = reserved = 0;
        for (const attempt of this.#waiting) attempt();
      },
    };
  }

  #inTime(grow: () => boolean, waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (done: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(attempt);
        resolve(done);
      };
      const attempt = () => {
        if (grow()) settle(true);
      };
      const timer = setTimeout(() => settle(false), waitMs);
      this.#waiting.add(attempt);
    });
  }
}

const STALL_MS = 20_000;
const TOTAL_MS = 120_000;
/** What inflates to more is a bomb, unless it was larger to begin with. */
const ANY_RATIO = 8 * 1024 * 1024;
const USUAL_RATIO = 100;

/** Throws BodyRefused. */
export async function readBounded(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  bounds: BodyBounds,
): Promise<Uint8Array<ArrayBuffer>> {
  if (body === null) return new Uint8Array();
  const wire = new Counted(body, bounds);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const stream = bounds.zipped
    ? wire.stream.pipeThrough(new DecompressionStream("gzip"))
    : wire.stream;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      const most = bounds.zipped
        ? Math.min(bounds.maxBytes, Math.max(ANY_RATIO, wire.bytes * USUAL_RATIO))
        : bounds.maxBytes;
      if (size > most) {
        throw new BodyRefused("too_large", `The body is larger than ${most} bytes.`);
      }
      if (bounds.share?.take(chunk.length) === false) {
        throw new BodyRefused("too_many", "Too many bodies are being read: try again in a moment.");
      }
      chunks.push(chunk);
    }
  } catch (cause) {
    const refused = wire.refused ?? cause;
    if (refused instanceof BodyRefused) throw refused;
    throw new BodyRefused("broken", "The body cannot be read.", { cause });
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** A stream as it comes, with its deadlines. */
class Counted {
  bytes = 0;
  /** Why it was given up; null: it was not. */
  refused: BodyRefused | null = null;
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;

  constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>, bounds: BodyBounds) {
    const { stallMs = STALL_MS, totalMs = TOTAL_MS } = bounds;
    const end = performance.now() + totalMs;
    const reader = body.getReader();
    this.stream = new ReadableStream({
      pull: async (controller) => {
        const left = Math.min(stallMs, end - performance.now());
        const read = await inTime(reader.read(), left);
        if (read === null) {
          this.refused = new BodyRefused("too_slow", "The body does not come in time.");
          controller.error(this.refused);
          void reader.cancel().catch(() => {}); // nobody waits for it
        } else if (read.done) controller.close();
        else {
          this.bytes += read.value.length;
          controller.enqueue(read.value);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
  }
}

/** null: it did not come in time. */
async function inTime<T>(work: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), Math.max(ms, 0));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
