import { UpstreamError } from "./errors.ts";

/** Two deadlines on one timer: first byte, then silence of the body. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #stallMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deadline: number;
  timedOut = false;
  /** Whether a byte of the answer came. */
  began = false;

  constructor({ firstByteMs, stallMs }: { firstByteMs: number; stallMs: number }) {
    this.#stallMs = stallMs;
    this.#deadline = performance.now() + firstByteMs;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds to the deadline. */
  get leftMs(): number {
    return this.#deadline - performance.now();
  }

  /** A byte came. */
  alive(): void {
    this.began = true;
    this.#deadline = performance.now() + this.#stallMs;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      if (performance.now() < this.#deadline) return this.#arm();
      this.timedOut = true;
      this.#controller.abort(new DOMException("deadline", "TimeoutError"));
    }, Math.max(this.leftMs, 0));
  }
}

/** What a socket threw, as a fault of upstream's. */
export function fetchError(host: string, cause: unknown, timedOut: boolean): UpstreamError {
  if (timedOut || (cause instanceof DOMException && cause.name === "TimeoutError")) {
    return new UpstreamError("timeout", `Upstream ${host} does not answer in time`, { cause });
  }
  return new UpstreamError("unreachable", `Cannot reach upstream ${host}`, { cause });
}
