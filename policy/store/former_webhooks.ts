/** Webhooks that a policy has no longer: they are told what happened until then, and that they went. */
import * as v from "valibot";
import { WEBHOOK_EVENTS, WEBHOOK_FORMATS } from "../schema.ts";
import type { Webhook } from "../types.ts";
import { wants } from "../webhooks.ts";
import { storedBytes } from "./journal.ts";
import { keys } from "./keys.ts";
import { guardedList, STORE_TIMEOUT_MS } from "./timeout.ts";

/** As long as news is kept that waits for them. */
const KEPT_MS = 7 * 24 * 3600_000;
/** Below KV's bound on a value (64 KiB), with room for what V8 adds. */
const MAX_VALUE = 60_000;

const LISTED = { reverse: true, batchSize: 100 } as const;

/** A webhook to be told, for good or of what happened by the time it went. */
export interface Addressee extends Webhook {
  /** Versionstamp of the commit that it went with; absent: it is there. */
  readonly until?: string;
}

const webhooksSchema = v.array(v.object({
  url: v.string(),
  events: v.optional(v.array(v.picklist(WEBHOOK_EVENTS))),
  format: v.optional(v.picklist(WEBHOOK_FORMATS)),
  secret: v.optional(v.string()),
}));
const documentSchema = v.object({ webhooks: webhooksSchema });

/**
 * Keeps, in the commit of a change, what the webhooks that it takes away need to
 * be told, secrets included, as the policy itself had them.
 * @param id of the change, a ULID
 * @param before the document that the org lived under, `after` the one it does now
 */
export function keepFormer(
  atomic: Deno.AtomicOperation,
  { org, id, before, after }: { org: string; id: string; before: unknown; after: unknown },
): void {
  // Shortest first, so that no long address is in the way of another.
  const byLength = lost(before, after).sort((a, b) => storedBytes(a) - storedBytes(b));
  let size = 0;
  const kept = byLength.filter((one) => (size += storedBytes(one)) <= MAX_VALUE);
  if (kept.length > 0) atomic.set(keys.formerWebhooks(org, id), kept, { expireIn: KEPT_MS });
}

/** Webhooks whose address hears less than before, with what it hears of no longer. */
function lost(before: unknown, after: unknown): Webhook[] {
  const left = webhooksOf(after);
  return webhooksOf(before).flatMap((webhook) => {
    const same = left.filter(({ url }) => url === webhook.url);
    const events = WEBHOOK_EVENTS.filter((event) =>
      wants(webhook, event) && !same.some((one) => wants(one, event))
    );
    return events.length === 0 ? [] : [{ ...webhook, events }];
  });
}

function webhooksOf(document: unknown): readonly Webhook[] {
  const parsed = v.safeParse(documentSchema, document);
  return parsed.success ? parsed.output.webhooks : [];
}

/** Newest first; what cannot be read is left out. Throws StoreUnavailable. */
export async function formerWebhooks(
  kv: Deno.Kv,
  org: string,
  timeoutMs = STORE_TIMEOUT_MS,
): Promise<Addressee[]> {
  const found: Addressee[] = [];
  const prefix = keys.formerWebhooksOf(org);
  for await (const entry of guardedList(kv, { prefix }, LISTED, timeoutMs)) {
    const parsed = v.safeParse(webhooksSchema, entry.value);
    if (!parsed.success) continue;
    found.push(...parsed.output.map((webhook) => ({ ...webhook, until: entry.versionstamp })));
  }
  return found;
}
