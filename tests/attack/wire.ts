/** Bytes as no HTTP library would send them, to a real server. */

/** What came back over one connection until it was closed, or nothing more came. */
export interface Reply {
  readonly text: string;
  /** Status of each answer, in order. */
  readonly statuses: readonly number[];
  /** Whether the other side closed the connection. */
  readonly closed: boolean;
}

/** How long a server that owes another answer may take; others are silent for this long. */
const SILENCE_MS = 400;

/**
 * @param base `http://127.0.0.1:<port>`
 * @param request all of it, line ends included; a letter is a byte
 */
export async function send(base: string, request: string): Promise<Reply> {
  const { hostname, port } = new URL(base);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const bytes = Uint8Array.from(request, (letter) => letter.charCodeAt(0));
  await writeAll(connection, bytes);
  const chunk = new Uint8Array(64 * 1024);
  let text = "";
  for (;;) {
    const count = await within(SILENCE_MS, connection.read(chunk).catch(() => null));
    if (count === undefined) return replyOf(text, false);
    if (count === null) return replyOf(text, true);
    text += new TextDecoder("latin1").decode(chunk.subarray(0, count));
  }
}

/** One request whose connection is closed after it. @param headers whole lines */
export function ask(base: string, line: string, headers: readonly string[] = []): Promise<Reply> {
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : ["Host: proxy.example"];
  return send(base, [line, ...host, ...headers, "Connection: close", "", ""].join("\r\n"));
}

/** The server may have had enough before the end. */
async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  } catch (error) {
    if (
      !(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)
    ) {
      throw error;
    }
  }
}

/** undefined: it took longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function replyOf(text: string, closed: boolean): Reply {
  const statuses = [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) =>
    Number(status)
  );
  return { text, statuses, closed };
}
