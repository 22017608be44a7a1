/** A receiver of webhooks on loopback that keeps what it is told, and answers as it is told to. */

export interface Message {
  readonly path: string;
  readonly headers: Headers;
  readonly text: string;
  /** `webhook-id`. */
  readonly id: string | null;
}

/** @param attempt counts from 1; how often the receiver was asked at all */
export type Answer = (attempt: number, message: Message) => Response | Promise<Response>;

export interface Receiver extends AsyncDisposable {
  /** `http://127.0.0.1:<port>/hook`. */
  readonly url: string;
  /** In the order in which they came. */
  readonly messages: readonly Message[];
  /** Lets every answer that is held back go. */
  release(): void;
}

/** Never answers, until the receiver is released. */
export const STALL: Answer = () => new Promise<Response>(() => {});

export function startReceiver(
  answer: Answer = () => new Response(null, { status: 204 }),
): Receiver {
  const messages: Message[] = [];
  const released = Promise.withResolvers<Response>();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    onError: () => new Response(null, { status: 500 }),
  }, async (request) => {
    const message = {
      path: new URL(request.url).pathname,
      headers: request.headers,
      text: await request.text(),
      id: request.headers.get("webhook-id"),
    };
    const attempt = messages.push(message);
    return await Promise.race([answer(attempt, message), released.promise]);
  });
  const release = () => released.resolve(new Response(null, { status: 503 }));
  return {
    url: `http://127.0.0.1:${server.addr.port}/hook`,
    messages,
    release,
    async [Symbol.asyncDispose]() {
      release();
      await server.shutdown();
    },
  };
}
