import {
  type BodyBounds,
  type BodyFault,
  BodyRefused,
  readBounded,
} from "../policy/bounded_body.ts";
import { type Problem, RequestError } from "./errors.ts";

const PROBLEMS: Readonly<Record<BodyFault, Omit<Problem, "message">>> = {
  too_large: { status: 413, code: "body_too_large" },
  too_slow: { status: 408, code: "body_too_slow" },
  too_many: { status: 503, code: "too_many_bodies", headers: { "retry-after": "10" } },
  broken: { status: 400, code: "body_invalid" },
};

/** A request's body, inflated, within bounds. Throws RequestError (413, 408, 400, 503). */
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
