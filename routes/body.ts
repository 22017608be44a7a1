import { RequestError } from "./errors.ts";

/** A request's body, inflated, within bounds. Throws RequestError (413, 400). */
export async function readBody(
  request: Request,
  { maxBytes }: { maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  if (request.body === null) return new Uint8Array();
  const zipped = request.headers.get("content-encoding")?.toLowerCase() === "gzip";
  const body = zipped ? request.body.pipeThrough(new DecompressionStream("gzip")) : request.body;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) {
        const message = `The body is larger than ${maxBytes} bytes.`;
        throw new RequestError({ status: 413, code: "body_too_large", message });
      }
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof RequestError) throw cause;
    const message = "The body cannot be read.";
    throw new RequestError({ status: 400, code: "body_invalid", message }, { cause });
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
