/** The processes of one measurement, stopped together. */
import type { Bench } from "./bench.ts";
import { type FloorMode, startFloor, startProxy, startUpstream } from "./contenders.ts";
import { startNginx, startVerdaccio } from "./peers.ts";
import type { Running } from "./process.ts";

export class World implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  private constructor(readonly bench: Bench, readonly upstream: Running) {}

  static async open(bench: Bench, maxAge: number | "none" = 300): Promise<World> {
    const upstream = await startUpstream(bench, maxAge);
    const world = new World(bench, upstream);
    world.#adopt(upstream);
    return world;
  }

  async proxy(
    options: { kv?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<Running> {
    return this.#adopt(await startProxy(this.bench, { upstream: this.upstream, ...options }));
  }

  /** @param answers folder of captured answers, for the modes that give prepared ones */
  async floor(mode: FloorMode, answers?: string): Promise<Running> {
    return this.#adopt(await startFloor(this.bench, mode, { upstream: this.upstream, answers }));
  }

  /** null: not on this machine. */
  async nginx(): Promise<Running | null> {
    if (!this.bench.peers.nginx) return null;
    return this.#adopt(await startNginx(this.bench, this.upstream));
  }

  /** null: not to be had. */
  async verdaccio(): Promise<Running | null> {
    const { verdaccio } = this.bench.peers;
    if (verdaccio === null) return null;
    return this.#adopt(await startVerdaccio(this.bench, verdaccio, this.upstream));
  }

  #adopt(running: Running): Running {
    return this.#stack.adopt(running, ({ stop }) => stop());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
