/** What a message says, in the form of who shows it. */
import type { Batch } from "../../policy/store/outbox.ts";
import type { News } from "../../policy/store/types.ts";
import type { WebhookEvent } from "../../policy/types.ts";
import type { Webhook } from "../../policy/types.ts";
import { discordMessage } from "./discord.ts";
import { slackMessage } from "./slack.ts";
import { teamsMessage } from "./teams.ts";

/** One line of a chat message: no markup, no control characters, bounded. */
export interface Line {
  readonly title: string;
  readonly text: string;
  /** An http or https address; null: none. */
  readonly link: string | null;
  readonly at: string;
  readonly kind: WebhookEvent;
}

/** What a chat shows of a batch: what matters most, oldest first within that. */
export interface Summary {
  /** `acme: 12 events`. */
  readonly heading: string;
  readonly lines: readonly Line[];
  /** `and 4 more`; null: there are no more. */
  readonly more: string | null;
}

type Format = NonNullable<Webhook["format"]>;

const MESSAGES: Readonly<Record<Format, (batch: Batch) => unknown>> = {
  json: jsonMessage,
  slack: (batch) => slackMessage(summaryOf(batch, 20)),
  teams: (batch) => teamsMessage(summaryOf(batch, 15)),
  discord: (batch) => discordMessage(summaryOf(batch, 10)),
};

/** The body of a batch's message; the same at every attempt. */
export function bodyOf(batch: Batch, format: Format = "json"): string {
  return JSON.stringify(MESSAGES[format](batch));
}

function jsonMessage({ deliveryId, org, news }: Batch): unknown {
  return { type: "events", id: deliveryId, org, events: news };
}

const TITLES: Readonly<Record<WebhookEvent, string>> = {
  break_glass: "Break-glass",
  alert: "Alert",
  exception: "Exception",
  policy: "Policy changed",
  refusal: "Refusal",
  warning: "Warning",
};
/** What a chat leaves out is left out from the end of this. */
const IMPORTANCE = [
  "break_glass",
  "alert",
  "exception",
  "policy",
  "refusal",
  "warning",
] as const satisfies readonly WebhookEvent[];

const MAX_TEXT = 300;
const MAX_LINK = 500;

function summaryOf({ org, news }: Batch, max: number): Summary {
  const shown = IMPORTANCE.flatMap((kind) => news.filter((one) => one.kind === kind)).slice(0, max);
  const hidden = news.length - shown.length;
  return {
    heading: `${org}: ${news.length === 1 ? "1 event" : `${news.length} events`}`,
    lines: shown.map(lineOf),
    more: hidden === 0 ? null : `and ${hidden} more`,
  };
}

function lineOf({ kind, text, link, at }: News): Line {
  return { title: TITLES[kind], text: plain(text), link: linkOf(link), at, kind };
}

/** On one line: control, format (bidirectional ones above all) and private characters are nobody's name. */
function plain(text: string): string {
  const line = text.replaceAll(/[\p{C}\p{Z}]+/gu, " ").trim();
  return line.length <= MAX_TEXT ? line : `${cut(line, MAX_TEXT - 1)}…`;
}

/** Never half of a surrogate pair. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, "");
}

function linkOf(link: string | null): string | null {
  const url = link === null ? null : URL.parse(link);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return url.href.length <= MAX_LINK ? url.href : null;
}
