/** A developer's wish for an exception: what is stored of it, and what may become of it. */
import * as v from "valibot";
import type { Role } from "../types.ts";
import type { Page } from "./types.ts";

const text = v.string();

/** What is stored; `status` may say `open` although its time is over. */
export const requestSchema = v.object({
  /** ULID. */
  id: text,
  /** RFC 3339. */
  at: text,
  org: text,
  /** `""`: the client gave no name. */
  user: text,
  /** Whether a token said who it was; a name in an address is a claim. */
  authenticated: v.boolean(),
  ip: text,
  ecosystem: text,
  package: text,
  version: text,
  purl: text,
  /** Rules that withheld it, each of which an exception can waive. */
  rules: v.array(text),
  codes: v.array(text),
  /** The sentence that the developer was refused with. */
  message: text,
  reason: text,
  ticket: v.nullable(text),
  /** RFC 3339: open until then at most. */
  expires: text,
  status: v.picklist(["open", "approved", "denied", "expired"]),
  decided: v.nullable(v.object({
    by: text,
    at: text,
    /** End of the exception (RFC 3339); null: denied. */
    until: v.nullable(text),
    comment: v.nullable(text),
  })),
});

export type ExceptionRequest = v.InferOutput<typeof requestSchema>;
export type RequestStatus = ExceptionRequest["status"];

export type RequestInput =
  & Pick<
    ExceptionRequest,
    | "org"
    | "user"
    | "authenticated"
    | "ip"
    | "ecosystem"
    | "package"
    | "version"
    | "purl"
    | "rules"
    | "codes"
    | "message"
    | "reason"
    | "ticket"
  >
  & {
    /** Where approvers reach the proxy, without trailing slash; null: not known, so they get no link. */
    readonly origin: string | null;
  };

/** Whose request it is. */
export type Asker = Pick<ExceptionRequest, "org" | "user" | "ip" | "authenticated">;

export interface DecisionInput {
  readonly decision: "approve" | "deny";
  readonly by: string;
  readonly role: Role | null;
  /** End of the exception (Unix ms); null: the policy's default. */
  readonly until: number | null;
  readonly comment: string | null;
}

/** All methods throw StoreUnavailable where KV fails. */
export interface Requests {
  /**
   * Stores a request, unless the same user has one open for the same release,
   * which is returned instead; a user whom a token names is another than one
   * of the same name who only claims it. Throws TooManyRequests.
   */
  ask(input: RequestInput): Promise<{ request: ExceptionRequest; created: boolean }>;
  /** null: the org has no such request. */
  get(org: string, id: string): Promise<ExceptionRequest | null>;
  /** What became of the last request of the same user for a release; null: there was none. */
  last(asker: Asker, purl: string): Promise<ExceptionRequest | null>;
  /** Newest first; a page may be short although there are more. Throws CursorInvalid. */
  list(
    org: string,
    page: { limit: number; cursor?: string; status?: RequestStatus },
  ): Promise<Page<ExceptionRequest>>;
  /**
   * Approves or denies, once; an approval adds the exception to the org's policy
   * in the same commit. null: there is no such request. Throws RequestClosed,
   * OwnRequest, PolicyInvalid (an end that the policy does not allow).
   */
  decide(org: string, id: string, decision: DecisionInput): Promise<ExceptionRequest | null>;
  /** Whether a link is one of ours and still counts. */
  checkLink(
    org: string,
    id: string,
    link: { expires: string; signature: string },
  ): Promise<"good" | "forged" | "expired">;
}

/** Too many requests are open, or came from one user or address within the hour. */
export class TooManyRequests extends Error {
  override readonly name = "TooManyRequests";

  /** @param retryAfterMs when it is worth trying again */
  constructor(message: string, readonly retryAfterMs: number) {
    super(message);
  }
}

/** It was decided before, or nobody decided in time. */
export class RequestClosed extends Error {
  override readonly name = "RequestClosed";

  constructor(readonly request: ExceptionRequest) {
    super(`Cannot decide on request ${request.id}: it is ${request.status}`);
  }
}

/** Whoever asks does not approve, unless they may do everything anyway. */
export class OwnRequest extends Error {
  override readonly name = "OwnRequest";
}

/** A stored request as of an instant (Unix ms). */
export function readRequest(value: unknown, now: number): ExceptionRequest {
  const request = v.parse(requestSchema, value);
  const over = request.status === "open" && now >= Date.parse(request.expires);
  return over ? { ...request, status: "expired" } : request;
}
