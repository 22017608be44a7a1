import {
  type BodyBounds,
  type BodyFault,
  BodyRefused,
  readBounded,
} from "../policy/bounded_body.ts";
import { RequestError } from "./errors.ts";

const PROBLEMS: Readonly<Record<BodyFault, { status: number; code: string }>> = {
  too_large: { status: 413, code: "body_too_large" },
  too_slow: { status: 408, code: "body_too_slow" },
  broken: { status: 400, code: "body_invalid" },
};

/** A request's body, inflated, within bounds. Throws RequestError (413, 408, 400). */
export async function readBody(
  request: Request,
  bounds: Omit<BodyBounds, "zipped">,
): Promise<Uint8Array<ArrayBuffer>> {
  const zipped = request.headers.get("content-encoding")?.toLowerCase() === "gzip";
  try {
    return await readBounded(request.body, { ...bounds, zipped });
  } catch (cause) {
    if (!(cause instanceof BodyRefused)) throw cause;
    throw new RequestError({ ...PROBLEMS[cause.fault], message: cause.message }, { cause });
  }
}
