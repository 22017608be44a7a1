import { takesNothing, UpstreamError } from "./errors.ts";
import type { UpstreamLimits } from "./upstream_limits.ts";

/**
 * The deadlines of one exchange, on one timer: first byte, then silence of the
 * body. A client that takes its time is no silence of upstream's: it has longer.
 */
export class Watch {
  readonly #controller = new AbortController();
  readonly #stallMs: number;
  readonly #clientMs: number;
  readonly #onSilence: () => void;
  readonly #firstByteBy: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deadline: number;
  /** Nothing is expected of upstream. */
  #resting = false;
  /** The timer is set to the end of a rest. */
  #isLong = false;
  /** Who was waited for when the deadline passed; null: it has not. */
  late: "upstream" | "client" | null = null;
  /** Whether a byte of the answer came. */
  began = false;

  /** @param onSilence called when nobody has moved for `stallMs`, maybe twice */
  constructor(
    { firstByteMs, stallMs, clientMs, onSilence }:
      & Pick<UpstreamLimits, "firstByteMs" | "stallMs" | "clientMs">
      & { readonly onSilence: () => void },
  ) {
    this.#stallMs = stallMs;
    this.#clientMs = clientMs;
    this.#onSilence = onSilence;
    this.#firstByteBy = performance.now() + firstByteMs;
    this.#deadline = this.#firstByteBy;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds to the deadline of the first byte. */
  get leftMs(): number {
    return this.#firstByteBy - performance.now();
  }

  /** A byte came, or more is asked for. */
  alive(): void {
    this.began = true;
    this.#resting = false;
    this.#deadline = performance.now() + this.#stallMs;
    if (!this.#isLong) return;
    this.#isLong = false;
    this.#arm();
  }

  /** What came is with the client: nobody asks for more. */
  rest(): void {
    this.alive();
    this.#resting = true;
  }

  /** What came does not count: it is asked for again, within the first deadline. */
  again(): void {
    this.began = false;
    this.#deadline = this.#firstByteBy;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isLong = false;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#passed(), this.#deadline - performance.now());
  }

  #passed(): void {
    if (performance.now() < this.#deadline) return this.#arm();
    this.#onSilence();
    if (this.#resting && !this.#isLong) {
      this.#isLong = true;
      this.#deadline += Math.max(this.#clientMs - this.#stallMs, 0);
      return this.#arm();
    }
    this.late = this.#resting ? "client" : "upstream";
    this.#controller.abort(new DOMException("deadline", "TimeoutError"));
  }
}

/** What a socket threw, as a fault of upstream's, or of the client's that was waited for. */
export function fetchError(host: string, cause: unknown, late: Watch["late"]): UpstreamError {
  if (late === "client") {
    return takesNothing(cause);
  }
  if (late === "upstream" || (cause instanceof DOMException && cause.name === "TimeoutError")) {
    return new UpstreamError("timeout", `Upstream ${host} does not answer in time`, { cause });
  }
  return new UpstreamError("unreachable", `Cannot reach upstream ${host}`, { cause });
}
