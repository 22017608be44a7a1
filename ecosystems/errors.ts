/** Failures of an upstream; `routes/errors.ts` turns them into answers. */

/** Upstream's metadata cannot be read, or contradicts itself: nothing of it is served. */
export class InvalidMetadata extends Error {
  override readonly name = "InvalidMetadata";
}

export type UpstreamFault =
  | "unreachable" // 502: no connection, or it broke
  | "timeout" // 504: no first byte, or a stalled body
  | "client" // the connection breaks: whoever asked takes nothing any more
  | "redirect" // 502: sends us to an address that is not allowed
  | "oversized" // 502: larger than we read
  | "busy" // 503: too many requests of ours wait for it
  | "digest" // the connection breaks: not the file that its index speaks of
  | "status"; // as upstream says: 401, 403, 429, 5xx

/** Upstream did not give a usable answer. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";

  /**
   * @param status upstream's own status where it answered at all
   * @param retryAfter its Retry-After, as sent
   */
  constructor(
    readonly fault: UpstreamFault,
    message: string,
    readonly options: ErrorOptions & { status?: number; retryAfter?: string } = {},
  ) {
    super(message, options);
  }
}

export function takesNothing(cause?: unknown): UpstreamError {
  return new UpstreamError("client", "The client has taken nothing for minutes", { cause });
}

/** An issuer of identity tokens does not answer, or not as one. */
export class IssuerUnavailable extends Error {
  override readonly name = "IssuerUnavailable";
}
