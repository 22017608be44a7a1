import { openPolicies } from "../../../policy/store/policies.ts";
import type { Policies } from "../../../policy/store/types.ts";
import { NOW, SCHEMES } from "../world.ts";

/** A store of policies on a KV whose clock and faults the test sets. */
export interface World {
  readonly kv: FaultyKv;
  readonly policies: Policies;
  /** Another process on the same KV. */
  other(): Policies;
  /** Unix ms. */
  now: number;
}

export async function withPolicies(
  test: (world: World) => Promise<void>,
  { timeoutMs = 2_000 } = {},
): Promise<void> {
  const real = await Deno.openKv(":memory:");
  try {
    const kv = new FaultyKv(real);
    const open = () => openPolicies(kv.kv, { schemes: SCHEMES, now: () => world.now, timeoutMs });
    const world: World = { kv, policies: open(), other: open, now: NOW };
    await test(world);
  } finally {
    real.close();
  }
}

/** Deno KV that counts what it is asked, and can be silent or fail. */
export class FaultyKv {
  /** Calls that reached KV, by method. */
  readonly calls: Record<string, number> = {};
  /** Decides on each call whether it is answered; a promise holds it back. */
  fault: (method: string, calls: number) => Promise<void> | void = () => {};
  readonly kv: Deno.Kv;

  constructor(readonly real: Deno.Kv) {
    this.kv = new Proxy(real, {
      get: (target, method: keyof Deno.Kv) => {
        if (method === "atomic") return () => this.#atomic();
        const value = target[method];
        if (typeof value !== "function") return value;
        if (method === "list") return this.real.list.bind(this.real);
        return async (...args: unknown[]) => {
          await this.#ask(String(method));
          return Reflect.apply(value, target, args);
        };
      },
    });
  }

  #atomic(): Deno.AtomicOperation {
    const operation = this.real.atomic();
    const proxy: Deno.AtomicOperation = new Proxy(operation, {
      get: (target, method: keyof Deno.AtomicOperation) => (...args: unknown[]) => {
        if (method === "commit") {
          return this.#ask("commit").then(() => target.commit());
        }
        Reflect.apply(target[method], target, args);
        return proxy;
      },
    });
    return proxy;
  }

  async #ask(method: string): Promise<void> {
    const calls = this.calls[method] = (this.calls[method] ?? 0) + 1;
    await this.fault(method, calls);
  }

  /** Number of values below a prefix. */
  async count(...prefix: string[]): Promise<number> {
    return (await Array.fromAsync(this.real.list({ prefix }))).length;
  }
}

/** Waits until something is true, for what goes on after an answer. */
export async function eventually(check: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("It did not happen within a second");
}
