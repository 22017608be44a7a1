/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
import type { Line, Summary } from "./formats.ts";

export function slackMessage({ heading, lines, more }: Summary): unknown {
  return {
    // For notifications, which show no blocks.
    text: escape(lines.length === 1 ? `${heading}. ${lines[0].title}: ${lines[0].text}` : heading),
    blocks: [
      section(`*${escape(heading)}*`),
      ...lines.map((line) => section(markup(line))),
      ...(more === null ? [] : [section(escape(more))]),
    ],
    unfurl_links: false,
    unfurl_media: false,
  };
}

function markup({ title, text, link }: Line): string {
  const more = link === null ? "" : ` <${escape(link.replaceAll("|", "%7C"))}|Open>`;
  return `*${escape(title)}* ${escape(text)}${more}`;
}

/** `verbatim`: nothing in it is taken for a channel or a person. */
function section(text: string): unknown {
  return { type: "section", text: { type: "mrkdwn", text, verbatim: true } };
}

/** Slack's three; `<!channel>` would call everybody. */
function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
