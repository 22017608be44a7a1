export interface UpstreamLimits {
  /** Milliseconds to the first byte of an answer, further attempts included. */
  readonly firstByteMs: number;
  /** Milliseconds without a byte of the body, whoever is slow: upstream or the client. */
  readonly stallMs: number;
  /** Bytes of a document, inflated. */
  readonly documentBytes: number;
  /** Bytes of a file. */
  readonly fileBytes: number;
  /** Documents asked of one host at once; the next ones wait. */
  readonly documentsAtOnce: number;
  /** Files fetched from one host at once. */
  readonly filesAtOnce: number;
  /** Milliseconds that a request waits for its turn. */
  readonly queueMs: number;
  /** Milliseconds before the second attempt, give or take a half. */
  readonly retryMs: number;
}

export const LIMITS: UpstreamLimits = {
  firstByteMs: 10_000,
  stallMs: 20_000,
  documentBytes: 120 * 1024 * 1024,
  fileBytes: 4 * 1024 * 1024 * 1024,
  documentsAtOnce: 64,
  filesAtOnce: 256,
  queueMs: 10_000,
  retryMs: 250,
};
