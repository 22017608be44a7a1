/** The client of a proxy's `/check`. */
import * as v from "valibot";
import type { CheckArguments } from "./arguments.ts";

/** Longer than the proxy itself takes at most. */
const TIMEOUT_MS = 300_000;

/** The proxy cannot be reached, or does not do what it was asked. */
export class ProxyRefuses extends Error {
  override readonly name = "ProxyRefuses";

  /** @param unreadable it is the file's fault */
  constructor(message: string, readonly unreadable = false, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The proxy's own text, and its verdict. Throws ProxyRefuses. */
export async function askProxy(
  bytes: Uint8Array<ArrayBuffer>,
  { base, token, format, strict, filename }: CheckArguments & { filename: string },
): Promise<{ text: string; passes: boolean }> {
  const url = new URL("check", base);
  url.searchParams.set("format", format === "table" ? "text" : format);
  url.searchParams.set("filename", filename);
  if (strict) url.searchParams.set("strict", "1");
  const response = await post(url, bytes, token);
  const text = await response.text().catch((cause) => {
    throw new ProxyRefuses(`${base.origin} breaks off its answer`, false, { cause });
  });
  if (response.status !== 200) {
    const said = detailOf(text);
    const unreadable = response.status === 422 || response.status === 413;
    throw new ProxyRefuses(
      unreadable && said !== "" ? said : `${base.origin} answers ${response.status}: ${said}`,
      unreadable,
    );
  }
  const result = response.headers.get("check-result");
  if (result !== "pass" && result !== "fail") {
    throw new ProxyRefuses(`${base.origin} gives no result: is this the proxy's address?`);
  }
  return { text, passes: result === "pass" };
}

async function post(
  url: URL,
  bytes: Uint8Array<ArrayBuffer>,
  token: string | null,
): Promise<Response> {
  // Servers in front of the proxy often let through a megabyte only.
  const zipped = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  try {
    return await fetch(url, {
      method: "POST",
      headers: {
        "content-encoding": "gzip",
        "content-type": "application/octet-stream",
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: new Uint8Array(await new Response(zipped).arrayBuffer()),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ProxyRefuses(`Cannot reach the proxy at ${url.origin}: ${reason}`, false, { cause });
  }
}

const problemSchema = v.union([
  v.pipe(v.object({ detail: v.string() }), v.transform(({ detail }) => detail)),
  v.pipe(v.object({ error: v.string() }), v.transform(({ error }) => error)),
]);

function detailOf(text: string): string {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    return text.trim().slice(0, 1_000);
  }
  const parsed = v.safeParse(problemSchema, body);
  return parsed.success ? parsed.output.slice(0, 1_000) : "";
}
