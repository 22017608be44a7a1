const STATUS = {
  host_invalid: 400,
  org_invalid: 400,
  user_invalid: 400,
  org_conflict: 400,
  before_invalid: 400,
  encoding_invalid: 400,
  authorization_invalid: 400,
  token_unknown: 401,
  identity_invalid: 401,
  token_required: 401,
  user_required: 401,
  token_org: 403,
  identity_refused: 403,
} as const;

export type IdentityProblem = keyof typeof STATUS;

/** A request whose sender or address is not accepted; the message is for the client. */
export class IdentityError extends Error {
  override readonly name = "IdentityError";
  readonly status: 400 | 401 | 403;

  constructor(readonly code: IdentityProblem, message: string) {
    super(message);
    this.status = STATUS[code];
  }

  /**
   * Headers that go with the answer. Only a missing name is asked for by Basic:
   * for Basic and Bearer npm prints advice of its own, for others the challenge.
   */
  get headers(): Record<string, string> {
    if (this.status !== 401) return {};
    const challenge = this.code === "user_required"
      ? 'Basic realm="package-proxy", charset="UTF-8"'
      : `Token realm="package-proxy: ${this.message.replaceAll('"', "'")}"`;
    return { "WWW-Authenticate": challenge };
  }
}
