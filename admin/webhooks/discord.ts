/** https://discord.com/developers/docs/resources/webhook#execute-webhook: ten embeds, 6,000 characters in all. */
import type { WebhookEvent } from "../../policy/types.ts";
import type { Line, Summary } from "./formats.ts";

/** Characters, before those that escaping adds: ten embeds of twice as many fit. */
const MAX_TEXT = 250;

const COLOURS: Readonly<Record<WebhookEvent, number>> = {
  break_glass: 0xd32f2f,
  alert: 0xd32f2f,
  exception: 0x1976d2,
  policy: 0x1976d2,
  refusal: 0xf57c00,
  warning: 0xfbc02d,
};

export function discordMessage({ heading, lines, more }: Summary): unknown {
  return {
    content: escape(more === null ? heading : `${heading} (${more})`),
    embeds: lines.map(embed),
    // Nobody is called, whatever a text says.
    allowed_mentions: { parse: [] },
  };
}

function embed({ title, text, link, at, kind }: Line): unknown {
  return {
    title,
    description: escape(cut(text)),
    timestamp: at,
    color: COLOURS[kind],
    ...(link === null ? {} : { url: link }),
  };
}

function cut(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, MAX_TEXT - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Of Markdown, and of what makes links, names of people and emoji. */
function escape(text: string): string {
  return text.replaceAll(/[\\*_~`|<>[\]()#@:-]/g, "\\$&");
}
