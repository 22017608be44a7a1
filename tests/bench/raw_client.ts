/** One kept-alive HTTP/1.1 connection that times the first and the last byte and keeps bodies as they come. */

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Milliseconds from the request to the first byte of the body, and to its last. */
  readonly firstByteMs: number;
  readonly lastByteMs: number;
}

export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #host: string;
  readonly #scratch = new Uint8Array(256 * 1024);

  private constructor(connection: Deno.TcpConn, host: string) {
    this.#connection = connection;
    this.#host = host;
  }

  static async open(base: string): Promise<RawClient> {
    const { hostname, port, host } = new URL(base);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    return new RawClient(connection, host);
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    const lines = Object.entries({ host: this.#host, ...headers }).map(([k, v]) => `${k}: ${v}`);
    const request = new TextEncoder().encode(
      `GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`,
    );
    const begin = performance.now();
    await this.#connection.write(request);
    let head = "";
    let rest = new Uint8Array();
    while (true) {
      const chunk = await this.#read();
      const seen = concat([rest, chunk]);
      const end = endOfHead(seen);
      rest = seen;
      if (end < 0) continue;
      head = new TextDecoder("latin1").decode(seen.subarray(0, end));
      rest = seen.slice(end + 4);
      break;
    }
    const [first, ...fields] = head.split("\r\n");
    const parsed = new Map(fields.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const status = Number(first.split(" ")[1]);
    let firstByteMs = rest.length > 0 ? performance.now() - begin : NaN;
    const chunks = [rest];
    let size = rest.length;
    const length = status === 304 || status === 204
      ? 0
      : Number(parsed.get("content-length") ?? NaN);
    while (!(size >= length) && !(Number.isNaN(length) && isEnd(chunks))) {
      const chunk = await this.#read();
      if (Number.isNaN(firstByteMs)) firstByteMs = performance.now() - begin;
      chunks.push(chunk);
      size += chunk.length;
    }
    const lastByteMs = performance.now() - begin;
    const whole = concat(chunks);
    const body = Number.isNaN(length) ? joinChunks(whole) : whole;
    return { status, headers: parsed, body, firstByteMs, lastByteMs };
  }

  async #read(): Promise<Uint8Array<ArrayBuffer>> {
    const count = await this.#connection.read(this.#scratch);
    if (count === null) throw new Error(`${this.#host} closed the connection`);
    return this.#scratch.slice(0, count);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

function endOfHead(bytes: Uint8Array): number {
  for (let i = 0; i + 3 < bytes.length; i++) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) {
      return i;
    }
  }
  return -1;
}

/** Whether a chunked body has come to its last piece. */
function isEnd(chunks: readonly Uint8Array[]): boolean {
  const tail = concat(chunks.slice(-2)).slice(-7);
  return new TextDecoder("latin1").decode(tail).endsWith("0\r\n\r\n");
}

function joinChunks(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    let end = at;
    while (bytes[end] !== 13) end++;
    const size = parseInt(new TextDecoder().decode(bytes.subarray(at, end)), 16);
    if (!(size > 0)) break;
    pieces.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return concat(pieces);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return new Uint8Array(parts[0]);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
