/**
 * The part that the small registries share: a loopback server with a request
 * log, validators and faults.
 */

/** What goes wrong with the next answers. */
export type Fault =
  | { kind: "status"; status: number; body?: string; headers?: Record<string, string> }
  | { kind: "stall" } // headers never come
  | { kind: "stall_body"; after: number } // the body stops after so many bytes
  | { kind: "reset"; after: number } // the connection breaks after so many bytes
  | { kind: "redirect"; location: string }
  | { kind: "body"; body: string | Uint8Array<ArrayBuffer>; type?: string } // something else
  | { kind: "tamper" }; // the same length, one byte changed

export interface LoggedRequest {
  method: string;
  path: string;
  headers: Headers;
}

export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>/` */
  readonly url: string;
  readonly requests: LoggedRequest[];
  /** Sets what goes wrong for paths that match, until `mend()`. */
  fault(path: RegExp, fault: Fault): void;
  mend(): void;
}

export interface Answer {
  status?: number;
  body: string | Uint8Array<ArrayBuffer>;
  type: string;
  headers?: Record<string, string>;
}

export interface ServerOptions {
  /** Whether answers carry an ETag and If-None-Match is honoured; default true. */
  etag?: boolean;
  /** Cache-Control of every answer; default none. */
  cacheControl?: string;
}

/** Serves what `answer` returns (null: 404) on a free loopback port. */
export function serveRegistry(
  answer: (request: Request, path: string) => Answer | null | Promise<Answer | null>,
  options: ServerOptions = {},
): TestServer {
  const requests: LoggedRequest[] = [];
  const faults: { path: RegExp; fault: Fault }[] = [];
  const stopped = new AbortController();
  const server = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      // Bodies that break are what a test asked for.
      onError: () => new Response(null, { status: 500 }),
      signal: stopped.signal,
    },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      requests.push({ method: request.method, path: pathname + search, headers: request.headers });
      const fault = faults.findLast((entry) => entry.path.test(pathname))?.fault;
      if (fault?.kind === "status") {
        return new Response(fault.body ?? null, { status: fault.status, headers: fault.headers });
      }
      if (fault?.kind === "stall") return await stall(stopped.signal);
      if (fault?.kind === "redirect") {
        return new Response(null, { status: 302, headers: { location: fault.location } });
      }
      const found = await answer(request, pathname);
      if (found === null) return new Response("not found", { status: 404 });
      return respond(request, found, { fault, options, signal: stopped.signal });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    requests,
    fault: (path, fault) => void faults.push({ path, fault }),
    mend: () => void faults.splice(0),
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await server.finished;
    },
  };
}

async function respond(
  request: Request,
  answer: Answer,
  { fault, options, signal }: {
    fault: Fault | undefined;
    options: ServerOptions;
    signal: AbortSignal;
  },
): Promise<Response> {
  let bytes = typeof answer.body === "string" ? new TextEncoder().encode(answer.body) : answer.body;
  const headers = new Headers({ "content-type": answer.type, ...answer.headers });
  if (options.cacheControl) headers.set("cache-control", options.cacheControl);
  if (options.etag !== false && (answer.status ?? 200) === 200 && !fault) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes));
    const etag = `"${digest.toHex()}"`;
    headers.set("etag", etag);
    if (request.headers.get("if-none-match") === etag) {
      return new Response(null, { status: 304, headers });
    }
  }
  if (fault?.kind === "body") {
    if (fault.type) headers.set("content-type", fault.type);
    return new Response(fault.body, { headers });
  }
  if (fault?.kind === "tamper") {
    bytes = bytes.slice();
    bytes[bytes.length >> 1] ^= 0xff;
  }
  headers.set("content-length", String(bytes.length));
  if (fault?.kind === "stall_body" || fault?.kind === "reset") {
    return new Response(broken(bytes.subarray(0, fault.after), fault.kind, signal), { headers });
  }
  return new Response(request.method === "HEAD" ? null : bytes, {
    status: answer.status ?? 200,
    headers,
  });
}

function stall(signal: AbortSignal): Promise<Response> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(new Response(null, { status: 503 })));
  });
}

function broken(
  start: Uint8Array<ArrayBuffer>,
  kind: "stall_body" | "reset",
  signal: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(start);
      if (kind === "reset") controller.error(new Error("reset by the test"));
      else signal.addEventListener("abort", () => controller.error(new Error("stopped")));
    },
  });
}
