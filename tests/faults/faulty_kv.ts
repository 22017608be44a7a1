/** A database that fails on demand, for the stores. */

export type KvFault =
  | "slow" // answers late, but in time
  | "silent" // never answers
  | "throws" // every call fails
  | "unwritable" // reads well, every commit fails
  | "conflict" // every commit finds that somebody was faster
  | "flaky"; // of three commits one fails, one takes effect and then fails, one is well

export interface FaultyKv {
  readonly wrap: (kv: Deno.Kv) => Deno.Kv;
  /** null: all is well. */
  fail(fault: KvFault | null): void;
  /** Calls that never got an answer, so that a test can let them go. */
  release(): void;
}

const SLOW_MS = 60;
/** Methods that ask the database. */
const CALLS = new Set<string | symbol>(["get", "getMany", "set", "delete"]);

export function faultyKv(): FaultyKv {
  let fault: KvFault | null = null;
  let commits = 0;
  const silent = new Set<() => void>();

  async function call<T>(work: () => Promise<T>, write: boolean): Promise<T> {
    switch (fault) {
      case "slow":
        await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
        return await work();
      case "silent":
        await new Promise<void>((resolve) => silent.add(resolve));
        throw new TypeError("the database was silent");
      case "throws":
        throw new TypeError("unable to open database file");
      case "unwritable":
        if (write) throw new TypeError("database or disk is full");
        return await work();
      default:
        return await work();
    }
  }

  async function commit(
    atomic: Deno.AtomicOperation,
  ): Promise<Deno.KvCommitResult | Deno.KvCommitError> {
    if (fault === "conflict") return { ok: false };
    if (fault !== "flaky") return await call(() => atomic.commit(), true);
    const turn = commits++ % 3;
    if (turn === 0) throw new TypeError("database is locked");
    const result = await atomic.commit();
    if (turn === 1) throw new TypeError("the connection broke before the answer came");
    return result;
  }

  /** Its own methods return itself, so that the last of the chain is ours as well. */
  function wrapAtomic(atomic: Deno.AtomicOperation): Deno.AtomicOperation {
    const wrapped: Deno.AtomicOperation = new Proxy(atomic, {
      get(target, name) {
        if (name === "commit") return () => commit(target);
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return (...args: unknown[]) => {
          const result: unknown = Reflect.apply(method, target, args);
          return result === target ? wrapped : result;
        };
      },
    });
    return wrapped;
  }

  function wrapList(entries: Deno.KvListIterator<unknown>): Deno.KvListIterator<unknown> {
    return new Proxy(entries, {
      get(target, name, self) {
        if (name === "next") return () => call(() => target.next(), false);
        if (name === Symbol.asyncIterator) return () => self;
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  return {
    fail: (next) => void (fault = next),
    release() {
      for (const resolve of silent) resolve();
      silent.clear();
    },
    wrap: (kv) =>
      new Proxy(kv, {
        get(target, name) {
          if (name === "atomic") return () => wrapAtomic(target.atomic());
          if (name === "list") {
            return (...args: Parameters<Deno.Kv["list"]>) => wrapList(target.list(...args));
          }
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== "function") return value;
          if (!CALLS.has(name)) return value.bind(target);
          const write = name === "set" || name === "delete";
          return (...args: unknown[]) =>
            call(async () => await Reflect.apply(value, target, args), write);
        },
      }),
  };
}
