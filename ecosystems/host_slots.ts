import { UpstreamError } from "./errors.ts";

/** More waiting for one host than a minute of its answers is a queue without end. */
const MAX_WAITING = 10_000;

interface Host {
  busy: number;
  /** In the order they came; those that gave up stay until it is their turn. */
  readonly waiting: Set<(free: boolean) => void>;
}

/** Lets so many requests to one host run at once; the others wait for their turn, but not for ever. */
export class HostSlots {
  readonly #hosts = new Map<string, Host>();

  constructor(readonly options: { readonly atOnce: number; readonly waitMs: number }) {}

  /** Resolves with what gives the slot back; call it once. Throws UpstreamError (busy). */
  async take(name: string): Promise<() => void> {
    const { atOnce, waitMs } = this.options;
    const host = this.#hosts.get(name) ?? { busy: 0, waiting: new Set() };
    this.#hosts.set(name, host);
    if (host.busy < atOnce) host.busy++;
    else if (host.waiting.size >= MAX_WAITING || !await inTurn(host, waitMs)) throw busy(name);
    return () => {
      const [next] = host.waiting;
      if (next !== undefined) next(true);
      else if (--host.busy === 0) this.#hosts.delete(name);
    };
  }
}

/** Whether a slot was handed over in time. */
function inTurn({ waiting }: Host, waitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (free: boolean) => {
      clearTimeout(timer);
      waiting.delete(settle);
      resolve(free);
    };
    const timer = setTimeout(() => settle(false), waitMs);
    waiting.add(settle);
  });
}

function busy(host: string): UpstreamError {
  return new UpstreamError("busy", `Too many requests wait for upstream ${host}`, {
    retryAfter: "5",
  });
}
