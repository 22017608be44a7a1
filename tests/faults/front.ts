/**
 * Stands before a registry of the tests and breaks what HTTP servers cannot be
 * made to break: connections, lengths, codings. It writes its answers byte by byte.
 */
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

/** `after`: bytes of the body that come first; absent: not even the headers come. */
export type FrontFault =
  | { kind: "close"; after?: number } // ends the connection in good manners
  | { kind: "reset"; after?: number } // breaks it
  | { kind: "silent"; after?: number } // keeps it, and says nothing
  | { kind: "length"; by: number } // states a length that is off by so many bytes
  | { kind: "tamper" } // the same length, one byte changed
  | { kind: "page" } // a page for people instead
  | { kind: "cut_gzip" } // gzipped, without the end
  | { kind: "status"; status: number; headers?: Record<string, string> }
  | { kind: "burst"; answers: number } // 500, 502, 503, 504 in turn, then all is well
  | { kind: "flapping" } // every other request breaks the connection
  | { kind: "trickle"; pieces: number; everyMs: number }; // comes slowly, but whole

export interface Front extends AsyncDisposable {
  /** `http://127.0.0.1:<port>/`; stands for the registry's own address in what it says. */
  readonly url: string;
  /** Sets what goes wrong for paths that match, until `mend()`. */
  fault(path: RegExp, fault: FrontFault): void;
  mend(): void;
  /** Requests so far. */
  count(): number;
  /** Connections that are open now. */
  open(): number;
}

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array<ArrayBuffer>;
}

const PAGE = "<!doctype html><title>Sign in</title><p>Please sign in to the network.";
const BURST = [500, 502, 503, 504];

/** @param registry address of what it stands before; ends in `/` */
export async function startFront(registry: string): Promise<Front> {
  const faults: { path: RegExp; fault: FrontFault; hits: number }[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  let url = "";

  async function serve(socket: Socket, path: string, headers: Headers): Promise<void> {
    count++;
    const entry = faults.findLast((one) => one.path.test(path.split("?")[0]));
    const fault = entry === undefined ? null : turnOf(entry);
    if (fault !== null && "after" in fault === false && breaks(socket, fault)) return;
    // What is broken is a whole answer, not the word that nothing has changed.
    if (fault !== null) headers.delete("if-none-match");
    const reply = await ask(new URL(path, registry), headers, { registry, url });
    await answer(socket, fault === null ? reply : damaged(reply, fault), fault);
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {}); // what a test asked for
    let text = "";
    let turn = Promise.resolve();
    socket.on("data", (data: Uint8Array) => {
      text += new TextDecoder().decode(data);
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const [line, ...fields] = text.slice(0, end).split("\r\n");
        text = text.slice(end + 4);
        const pairs = fields.map((field): [string, string] => {
          const colon = field.indexOf(":");
          return [field.slice(0, colon), field.slice(colon + 1).trim()];
        });
        const next = () => serve(socket, line.split(" ")[1], new Headers(pairs));
        turn = turn.then(next).catch(() => void socket.destroy());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("No port was given");
  url = `http://127.0.0.1:${address.port}/`;
  return {
    url,
    fault: (path, fault) => void faults.push({ path, fault, hits: 0 }),
    mend: () => void faults.splice(0),
    count: () => count,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** What goes wrong with this very request. */
function turnOf(entry: { fault: FrontFault; hits: number }): FrontFault | null {
  const { fault } = entry;
  const hit = entry.hits++;
  if (fault.kind === "flapping") return hit % 2 === 0 ? { kind: "reset" } : null;
  if (fault.kind !== "burst") return fault;
  return hit < fault.answers ? { kind: "status", status: BURST[hit % BURST.length] } : null;
}

/** Whether that was all. */
function breaks(socket: Socket, { kind }: FrontFault): boolean {
  if (kind === "close") socket.end();
  if (kind === "reset") socket.resetAndDestroy();
  return kind === "close" || kind === "reset" || kind === "silent";
}

/** The registry's answer, with the front's address for its own. */
async function ask(
  at: URL,
  asked: Headers,
  { registry, url }: { registry: string; url: string },
): Promise<Reply> {
  const passed = ["accept", "if-none-match", "authorization"];
  const headers = passed.flatMap((name): [string, string][] => {
    const value = asked.get(name);
    return value === null ? [] : [[name, value]];
  });
  const response = await fetch(at, { headers, redirect: "manual" });
  const kept = Object.fromEntries(
    [...response.headers].filter(([name]) => /^(?:content-type|etag|cache-control)$/.test(name)),
  );
  let body = await response.bytes();
  if (/json|text/.test(kept["content-type"] ?? "")) {
    const text = new TextDecoder().decode(body).replaceAll(registry, url);
    body = new TextEncoder().encode(text);
  }
  return { status: response.status, headers: kept, body };
}

/** The answer as it is sent; none of these is to be taken for the true one by its ETag. */
function damaged(reply: Reply, fault: FrontFault): Reply {
  const { etag: _, ...headers } = reply.headers;
  switch (fault.kind) {
    case "status":
      return { status: fault.status, headers: { ...fault.headers }, body: new Uint8Array() };
    case "page":
      return {
        status: 200,
        headers: { "content-type": "text/html" },
        body: new TextEncoder().encode(PAGE),
      };
    case "tamper": {
      const body = reply.body.slice();
      body[body.length >> 1] ^= 0xff;
      return { ...reply, headers, body };
    }
    case "cut_gzip": {
      const packed = gzipSync(reply.body);
      const body = new Uint8Array(packed.subarray(0, packed.length - 12));
      return { ...reply, headers: { ...headers, "content-encoding": "gzip" }, body };
    }
    default:
      return { ...reply, headers };
  }
}

async function answer(socket: Socket, reply: Reply, fault: FrontFault | null): Promise<void> {
  const { status, headers, body } = reply;
  const length = body.length + (fault?.kind === "length" ? fault.by : 0);
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const stated = status === 304 ? "" : `content-length: ${length}\r\n`;
  socket.write(`HTTP/1.1 ${status} Said so\r\n${fields.join("")}${stated}\r\n`);
  if (fault?.kind === "trickle") {
    const piece = Math.ceil(body.length / fault.pieces);
    for (let at = 0; at < body.length && !socket.destroyed; at += piece) {
      socket.write(body.subarray(at, at + piece));
      await sleep(fault.everyMs);
    }
    return;
  }
  if (fault !== null && "after" in fault) {
    socket.write(body.subarray(0, fault.after));
    await sleep(20); // so that it is sent before the connection breaks
    breaks(socket, fault);
    return;
  }
  socket.write(body);
  if (fault?.kind === "length") {
    await sleep(20);
    socket.end();
  }
}
