/** Deciding on a request for an exception: once, in one commit with the exception. */
import * as v from "valibot";
import { formatInstant, parseDuration } from "../duration.ts";
import { entryId } from "../entry.ts";
import { oneLine } from "../rules/rule.ts";
import { committed } from "./committed.ts";
import { PolicyInvalid, PreconditionFailed } from "./errors.ts";
import { firstNotice } from "./exception_notices.ts";
import type { Journal } from "./journal.ts";
import { keys } from "./keys.ts";
import { type DecisionInput, type ExceptionRequest, OwnRequest, RequestClosed } from "./request.ts";
import type { Clock, Policies } from "./types.ts";

/** Members of a policy document that count here; `parsePolicy` has filled them in. */
const documentSchema = v.looseObject({
  exceptions: v.array(v.unknown()),
  approvals: v.object({ default: v.string(), maximum: v.string() }),
});

interface Found {
  readonly entry: Deno.KvEntryMaybe<unknown>;
  readonly request: ExceptionRequest;
}

interface Deciding {
  readonly decision: DecisionInput;
  readonly now: Clock;
  readonly journal: Journal;
  readonly policies: Policies;
  readonly timeoutMs: number;
  readonly keptMs: number;
  /** The request as it is now. */
  readonly reread: () => Promise<ExceptionRequest>;
}

/** As `Requests.decide`, of a request that was found. */
export async function decideRequest(
  kv: Deno.Kv,
  found: Found,
  deciding: Deciding,
): Promise<ExceptionRequest> {
  const { request } = found;
  const { decision } = deciding;
  if (request.status !== "open") throw new RequestClosed(request);
  const own = request.user !== "" && request.user === decision.by;
  if (decision.decision === "approve" && own && decision.role !== "admin") {
    throw new OwnRequest("Cannot approve one's own request");
  }
  try {
    return decision.decision === "approve"
      ? await approve(found, deciding)
      : await deny(kv, found, deciding);
  } catch (error) {
    if (!(error instanceof PreconditionFailed)) throw error;
    throw new RequestClosed(await deciding.reread());
  }
}

async function approve(found: Found, deciding: Deciding): Promise<ExceptionRequest> {
  const { policies, now: clock, decision, journal } = deciding;
  const { request } = found;
  const now = clock();
  const until = decision.until ?? now + await usualLength(request.org, policies);
  if (until <= now) throw outOfBounds("is not in the future");
  const exception = exceptionFor(request, decision.by, until);
  const decided = decidedRequest(request, { decision, now, until });
  await policies.update(request.org, (document) => {
    const { approvals, exceptions } = v.parse(documentSchema, document);
    if (until > now + parseDuration(approvals.maximum)) {
      throw outOfBounds(`is later than the policy allows, which is ${approvals.maximum} from now`);
    }
    return { ...document, exceptions: [...exceptions, exception] };
  }, {
    by: decision.by,
    reason: decision.comment ?? undefined,
    passing: true,
    audit: {
      action: "exception.approved",
      target: request.id,
      before: { status: request.status },
      after: { status: decided.status, exception },
    },
    also(atomic) {
      firstNotice(atomic, request.org, { id: entryId(exception), since: now, until });
      settle(atomic, found, decided, deciding);
    },
  });
  journal.committed();
  return decided;
}

async function deny(kv: Deno.Kv, found: Found, deciding: Deciding): Promise<ExceptionRequest> {
  const { decision, journal, now, timeoutMs } = deciding;
  const { request } = found;
  const decided = decidedRequest(request, { decision, now: now(), until: null });
  const atomic = kv.atomic();
  journal.audit(atomic, {
    org: request.org,
    by: decision.by,
    action: "exception.denied",
    target: request.id,
    reason: decision.comment,
    before: { status: request.status },
    after: { status: decided.status },
  });
  settle(atomic, found, decided, deciding);
  const { ok } = await committed("deny a request", timeoutMs, () => atomic.commit());
  if (!ok) throw new PreconditionFailed(`Cannot deny request ${request.id}: it has changed`);
  journal.committed();
  return decided;
}

/** Adds to the commit that the request is decided, provided nobody else did. */
function settle(
  atomic: Deno.AtomicOperation,
  { entry }: Found,
  decided: ExceptionRequest,
  { journal, keptMs }: Deciding,
): void {
  const { org, id, purl, user, status } = decided;
  const { by = "", until = null, comment = null } = decided.decided ?? {};
  atomic.check(entry)
    .set(keys.request(org, id), decided, { expireIn: keptMs })
    .delete(keys.openRequest(org, id));
  const end = until === null ? "" : ` until ${until}`;
  const whose = user === "" ? "" : ` for ${user}`;
  const why = comment === null ? "" : `: ${comment}`;
  journal.news(atomic, {
    org,
    kind: "exception",
    event: `exception.${status}`,
    text: `${by} ${status} ${purl}${whose}${end}${why}`,
    details: { id, purl, user, status, by, until, comment, ticket: decided.ticket },
  });
}

function decidedRequest(
  request: ExceptionRequest,
  { decision, now, until }: { decision: DecisionInput; now: number; until: number | null },
): ExceptionRequest {
  return {
    ...request,
    status: until === null ? "denied" : "approved",
    decided: {
      by: decision.by,
      at: new Date(now).toISOString(),
      until: until === null ? null : formatInstant(until),
      comment: decision.comment,
    },
  };
}

function exceptionFor(request: ExceptionRequest, by: string, until: number) {
  const { purl, rules, user, ticket, reason } = request;
  const asked = user === "" ? "somebody" : user;
  const notes = [`asked by ${asked}`, `approved by ${by}`, ...(ticket === null ? [] : [ticket])];
  return {
    purl,
    rules,
    until: formatInstant(until),
    reason: `${oneLine(reason, 500)} (${notes.join(", ")})`,
  };
}

/** What the policy that the org lives under says of exceptions without a given end. */
async function usualLength(org: string, policies: Policies): Promise<number> {
  const stored = await policies.read(org) ?? await policies.read("default");
  const standard = v.safeParse(documentSchema, stored?.document);
  return parseDuration(standard.success ? standard.output.approvals.default : "14d");
}

function outOfBounds(detail: string): PolicyInvalid {
  return new PolicyInvalid([{ pointer: "/until", detail }]);
}
