/** The webhooks of a policy: which may be stored, who is who, and what each wants to hear. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { outgoingFault } from "./addresses.ts";
import { type Fault, PolicyInvalid } from "./store/errors.ts";
import { pointerOf } from "./tree.ts";
import type { Webhook, WebhookEvent } from "./types.ts";

/** What is told to all of them is stored once for each, in one commit. */
export const MAX_WEBHOOKS = 10;

/** What a webhook's secret is: a text, or `whsec_` and a key in Base64, padded or not. */
export const WEBHOOK_SECRET =
  /^(?:(?!whsec_)[\s\S]+|whsec_(?:[A-Za-z0-9+\/]{4})*(?:[A-Za-z0-9+\/]{2}(?:==)?|[A-Za-z0-9+\/]{3}=?|[A-Za-z0-9+\/]{4}))$/;

const HIDDEN = "(hidden)";

/**
 * What is wrong with webhooks that are about to be stored. Checked there and
 * not where documents are read, so that none becomes unreadable when the
 * operator allows less than before.
 * @param allow hosts that may be private: see `isAllowedHost`
 * @param known webhooks that are stored already, which stay as they are
 * @param input the document as it was sent, for pointers into it
 */
export function webhookFaults(
  webhooks: readonly Webhook[],
  { allow, known, input }: {
    allow: readonly string[];
    known: readonly Webhook[];
    input: unknown;
  },
): Fault[] {
  const urls = new Set(known.map(({ url }) => url));
  const faults = webhooks.flatMap(({ url }, i) => {
    const fault = urls.has(url) ? null : outgoingFault(url, allow);
    return fault === null ? [] : [{ pointer: pointerTo(input, url, i), detail: fault }];
  });
  webhooks.forEach(({ url, secret }, i) => {
    if (secret === undefined || WEBHOOK_SECRET.test(secret)) return;
    if (known.some((one) => one.url === url && one.secret === secret)) return;
    const detail = secret === "" ? "is empty" : "has no Base64 after whsec_";
    faults.push({ pointer: pointerOf(["webhooks", String(i), "secret"]), detail });
  });
  if (webhooks.length <= MAX_WEBHOOKS) return faults;
  return [...faults, {
    pointer: pointerOf(["webhooks"]),
    detail: `more than ${MAX_WEBHOOKS} webhooks`,
  }];
}

/** thinkst/package-proxy's document names its webhooks' addresses at the top. */
function pointerTo(input: unknown, url: string, position: number): string {
  const members = typeof input === "object" && input !== null ? Object.entries(input) : [];
  const top = members.find(([, value]) => value === url);
  return pointerOf(top === undefined ? ["webhooks", String(position), "url"] : [top[0]]);
}

/**
 * Names a webhook in the database: equal as long as its messages go to the same
 * place in the same form. A new secret is the same webhook still; what waits
 * for it is signed with the new one.
 */
export function webhookId({ url, format = "json", secret }: Webhook): string {
  const text = JSON.stringify([url, format, secret !== undefined]);
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

export function wants({ events }: Webhook, event: WebhookEvent): boolean {
  return events === undefined || events.includes(event);
}

/**
 * A webhook as those see it who may not set it: without its secret, and of its
 * address no more than where it is, as the rest is the password of a chat.
 */
export function concealedWebhook<W extends { url?: string; secret?: string }>(webhook: W): W {
  const { url, secret } = webhook;
  return {
    ...webhook,
    ...(url === undefined ? {} : { url: concealedAddress(url) }),
    ...(secret === undefined ? {} : { secret: HIDDEN }),
  };
}

export function concealedAddress(address: string): string {
  const url = URL.parse(address);
  if (url === null) return HIDDEN;
  return `${url.origin}/${url.pathname === "/" && url.search === "" ? "" : HIDDEN}`;
}

/** A webhook of a document that was read, or is about to be. */
const someWebhook = v.looseObject({
  url: v.optional(v.string()),
  format: v.optional(v.string()),
  secret: v.optional(v.string()),
  inherited: v.optional(v.boolean()),
});
type SomeWebhook = v.InferOutput<typeof someWebhook>;
const withWebhooks = v.looseObject({ webhooks: v.array(someWebhook) });

/** A document with other webhooks; as it is where it has none that can be read. */
export function mapWebhooks(
  document: unknown,
  change: (webhook: SomeWebhook, position: number) => SomeWebhook,
): unknown {
  const parsed = v.safeParse(withWebhooks, document);
  if (!parsed.success || typeof document !== "object") return document;
  return { ...document, webhooks: parsed.output.webhooks.map(change) };
}

/** As a webhook is in the copy of another org's document. */
export function inheritedWebhook<W extends object>(webhook: W): W & { inherited: true } {
  return { ...webhook, inherited: true };
}

/** Whether `withInherited` needs to know what there is. */
export function hasInherited(document: unknown): boolean {
  const parsed = v.safeParse(withWebhooks, document);
  return parsed.success && parsed.output.webhooks.some(({ inherited }) => inherited);
}

/**
 * A document that is about to be stored: inherited webhooks in it, which may be
 * written as they are shown to those who may not know them, as `current` has them.
 * Throws PolicyInvalid where that has no such webhook.
 */
export function withInherited(document: unknown, current: unknown): unknown {
  if (!hasInherited(document)) return document;
  const parsed = v.safeParse(withWebhooks, current);
  const left = parsed.success ? parsed.output.webhooks.filter(({ inherited }) => inherited) : [];
  const faults: Fault[] = [];
  const whole = mapWebhooks(document, (given, i) => {
    if (!given.inherited) return given;
    const at = left.findIndex((one) => isSame(given, one) || isSame(given, concealedWebhook(one)));
    if (at >= 0) {
      const [{ url, secret }] = left.splice(at, 1);
      return { ...given, url, ...(secret === undefined ? {} : { secret }) };
    }
    const detail = "is none that this policy has inherited: leave `inherited` out";
    faults.push({ pointer: pointerOf(["webhooks", String(i)]), detail });
    return given;
  });
  if (faults.length > 0) throw new PolicyInvalid(faults);
  return whole;
}

/** Whether both go to the same place in the same form. */
function isSame(one: SomeWebhook, other: SomeWebhook): boolean {
  return one.url === other.url && one.secret === other.secret &&
    (one.format ?? "json") === (other.format ?? "json");
}
