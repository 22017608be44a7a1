export interface UpstreamLimits {
  /** Milliseconds to the first byte of an answer, further attempts included. */
  readonly firstByteMs: number;
  /**
   * Milliseconds without a byte of the body: then upstream is given up, and a
   * client that takes nothing no longer counts among the files at once.
   */
  readonly stallMs: number;
  /** Milliseconds that a client may take nothing of a body before it is broken off. */
  readonly clientMs: number;
  /** Milliseconds after which a file that the runtime sends by itself no longer counts either. */
  readonly handOverMs: number;
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
  clientMs: 300_000,
  handOverMs: 60_000,
  documentBytes: 120 * 1024 * 1024,
  fileBytes: 4 * 1024 * 1024 * 1024,
  documentsAtOnce: 64,
  filesAtOnce: 256,
  queueMs: 10_000,
  retryMs: 250,
};
