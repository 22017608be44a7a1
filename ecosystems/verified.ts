import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { BodyShare } from "../policy/bounded_body.ts";
import type { Digest } from "../policy/types.ts";
import type { HoldBack } from "./ecosystem.ts";
import { takesNothing, UpstreamError } from "./errors.ts";
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

/** The most that is held back of one file, its end: some have hundreds of megabytes. */
const MAX_HELD = 32 * 1024 * 1024;
/** Clients give up when nothing comes for 15 to 30 s. */
const TRICKLE_MS = 5_000;

export interface Expected {
  /** null: the index states none, so the size alone is checked. */
  readonly digest: Digest | null;
  /** Bytes; null: not known. */
  readonly size: number | null;
  /** Gets the file too, and keeps it if it is the right one. */
  readonly gathering?: Gathering | null;
  /** null: a missing end is enough. */
  readonly holdBack?: HoldBack | null;
  /** For what is held back. */
  readonly share?: BodyShare;
  /** Milliseconds that the client may take nothing of what was held back; absent: any time. */
  readonly clientMs?: number;
  /** Called once, after the last byte came and was found right. */
  readonly finish: (passed: Passed) => Promise<void>;
  /** Called once if the body does not end well. */
  readonly broken: (error: unknown) => void;
}

type Piece = Uint8Array<ArrayBuffer>;

/**
 * Bytes that there has to be room for before the first one of a file comes. Where
 * all of it is held back, several would otherwise hold what each of them lacks.
 * @param length as upstream states it; null: it does not
 */
export function roomFor(
  { size, holdBack }: Pick<Expected, "size" | "holdBack">,
  length: number | null,
): number {
  return holdBack?.trickles === true ? Math.min(size ?? length ?? MAX_HELD, MAX_HELD) : 0;
}

/**
 * A file's body that ends well only if it is the file the index speaks of and
 * `finish` has resolved: its last piece, or the last byte of its only one, is
 * held back until then, and before that what `holdBack` says. Otherwise the
 * stream breaks, and with it the client's connection.
 */
export function verified(
  body: Pieces,
  { digest, size, gathering = null, holdBack = null, share, clientMs, finish, broken }: Expected,
): ReadableStream<Piece> {
  const hash = digest === null ? null : createHash(digest.algorithm);
  let bytes = 0;
  const held = new Held(holdBack, share);
  /** What was held back and may go now; null: not all has come. */
  let rest: Piece[] | null = null;
  /** Whoever asked has left: what comes then is no end, and no fault of the file's. */
  let left = false;
  let patience: ReturnType<typeof setTimeout> | undefined;

  async function next(): Promise<Piece | null> {
    while (true) {
      const { done, value } = await body.read();
      if (done) return null;
      if (value.length === 0) continue;
      bytes += value.length;
      hash?.update(value);
      gathering?.add(value);
      const free = held.add(value);
      if (free !== null) return free;
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

  function fail(error: unknown, controller: ReadableStreamDefaultController<Piece>): void {
    rest = [];
    gathering?.drop();
    held.drop();
    broken(error);
    controller.error(error);
  }

  return new ReadableStream({
    async pull(controller) {
      clearTimeout(patience);
      try {
        if (rest === null) {
          const chunk = await next();
          if (left) return;
          if (chunk !== null) return controller.enqueue(chunk);
          await end();
          if (left) return;
          rest = held.rest();
        }
        const chunk = rest.shift();
        if (chunk !== undefined) controller.enqueue(chunk);
        if (rest.length > 0) {
          // Upstream has said all it had to: nobody else watches over the client now.
          if (clientMs !== undefined) {
            patience = setTimeout(() => fail(takesNothing(), controller), clientMs);
          }
          return;
        }
        controller.close();
        held.drop();
      } catch (error) {
        if (left) return;
        fail(error, controller);
        await body.cancel(error).catch(() => {});
      }
    },
    async cancel(reason) {
      left = true;
      clearTimeout(patience);
      gathering?.drop();
      held.drop();
      await body.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** What has come of a file and may not go out yet. */
class Held {
  readonly #holdBack: HoldBack | null;
  readonly #share: BodyShare | undefined;
  /** The newest of what may go, since something has to be missing at the end. */
  #last: Piece | null = null;
  #pieces: Piece[] = [];
  #bytes = 0;
  /** The most there ever was of them. */
  #taken = 0;
  #released = performance.now();

  constructor(holdBack: HoldBack | null, share: BodyShare | undefined) {
    this.#holdBack = holdBack;
    this.#share = share;
  }

  /** What may go out instead of it; null: nothing yet. Throws UpstreamError. */
  add(piece: Piece): Piece | null {
    if (this.#holdBack === null) return this.#swap(piece);
    if (this.#pieces.length > 0) return this.#hold(piece, this.#holdBack);
    const free = this.#holdBack.free(piece);
    const released = free < piece.length ? this.#hold(piece.subarray(free), this.#holdBack) : null;
    return free > 0 ? this.#swap(piece.subarray(0, free)) : released;
  }

  /** All of it, in order. */
  rest(): Piece[] {
    return this.#last === null ? this.#pieces : [this.#last, ...this.#pieces];
  }

  drop(): void {
    this.#pieces = [];
    this.#share?.[Symbol.dispose]();
  }

  #swap(piece: Piece): Piece | null {
    const before = this.#last;
    if (before !== null) {
      this.#last = piece;
      return before;
    }
    // A small file comes in one piece: its client need not wait for the record to begin.
    this.#last = piece.subarray(-1);
    return piece.length > 1 ? piece.subarray(0, -1) : null;
  }

  #hold(piece: Piece, { trickles }: HoldBack): Piece | null {
    // A short piece of a slow upstream must not keep the long buffer that it was read into.
    this.#pieces.push(piece.length * 2 < piece.buffer.byteLength ? piece.slice() : piece);
    this.#bytes += piece.length;
    if (this.#bytes > MAX_HELD) return this.#overflow();
    if (this.#bytes > this.#taken) {
      if (this.#share?.take(this.#bytes - this.#taken) === false) {
        throw new UpstreamError(
          "busy",
          "Too many files are being held back: try again in a moment",
        );
      }
      this.#taken = this.#bytes;
    }
    const waits = trickles && performance.now() - this.#released > TRICKLE_MS;
    return waits && this.#pieces[0].length > 1 ? this.#release(1) : null;
  }

  /** The oldest pieces, as many as are too much: they may be shorter than those that come now. */
  #overflow(): Piece {
    const free: Piece[] = [];
    while (this.#bytes > MAX_HELD) free.push(this.#release(this.#pieces[0].length));
    return free.length === 1 ? free[0] : new Uint8Array(Buffer.concat(free));
  }

  /** So many bytes of the oldest piece, or what came before it. */
  #release(bytes: number): Piece {
    if (this.#last !== null) {
      const before = this.#last;
      this.#last = null;
      return before;
    }
    const [oldest] = this.#pieces;
    if (bytes === oldest.length) this.#pieces.shift();
    else this.#pieces[0] = oldest.subarray(bytes);
    this.#bytes -= bytes;
    this.#released = performance.now();
    return oldest.subarray(0, bytes);
  }
}
