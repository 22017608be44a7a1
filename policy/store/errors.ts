/** Failures of the stores; `routes/errors.ts` turns them into answers. */

/** One thing wrong with a document. */
export interface Fault {
  /** JSON Pointer (RFC 6901) into the document. */
  readonly pointer: string;
  readonly detail: string;
}

/** A policy document that is not accepted: nothing was stored. */
export class PolicyInvalid extends Error {
  override readonly name = "PolicyInvalid";

  constructor(readonly faults: readonly Fault[]) {
    super(`Cannot accept the policy: ${faults.length} fault(s), the first ${faults[0]?.detail}`);
  }
}

/** Somebody else changed it first (412). */
export class PreconditionFailed extends Error {
  override readonly name = "PreconditionFailed";
}

/** What is stored cannot be read as a policy: everything is refused until it is mended. */
export class PolicyUnreadable extends Error {
  override readonly name = "PolicyUnreadable";
}

/** Deno KV did not answer in time, or refused. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** A cursor that this list did not give out. */
export class CursorInvalid extends Error {
  override readonly name = "CursorInvalid";
}
