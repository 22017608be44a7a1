/** How long nobody is let in when the system had no more connections to give. */
const PAUSE_MS = 1_000;

export interface Listener {
  /** No new connections; resolves when what is under way has ended. */
  shutdown(): Promise<void>;
}

/**
 * `Deno.serve`, but for good: it ends when a connection cannot be taken, because
 * there are too many open files for instance, and the process with it. What is
 * under way goes on meanwhile. Throws what `Deno.serve` does, at first.
 * @param onFailure told each time nobody could be let in
 */
export function listen(
  options: Deno.ServeTcpOptions,
  app: Deno.ServeHandler<Deno.NetAddr>,
  { onFailure, pauseMs = PAUSE_MS }: {
    onFailure: (error: unknown) => void;
    pauseMs?: number;
  },
): Listener {
  const servers = new Set<Deno.HttpServer<Deno.NetAddr>>();
  let closed = false;
  let again: ReturnType<typeof setTimeout> | undefined;
  const failed = (error: unknown) => {
    if (closed) return;
    onFailure(error);
    again = setTimeout(() => {
      try {
        // The very port that was told, where the system chose it.
        const { port } = options.port === 0 ? first.addr : options;
        open({ ...options, port, onListen() {} });
      } catch (error) {
        failed(error);
      }
    }, pauseMs);
  };
  const open = (options: Deno.ServeTcpOptions) => {
    const server = Deno.serve(options, app);
    servers.add(server);
    server.finished.catch(failed);
    return server;
  };
  const first = open(options);
  return {
    async shutdown() {
      closed = true;
      clearTimeout(again);
      await Promise.all([...servers].map((server) => server.shutdown()));
    },
  };
}
