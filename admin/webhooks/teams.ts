/**
 * An Adaptive Card as the Workflows webhook of Teams takes it; its messages end
 * at 28 kB. Text runs, unlike text blocks, know no Markdown: what a stranger has
 * written makes no link.
 * https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
 */
import type { Line, Summary } from "./formats.ts";

export function teamsMessage({ heading, lines, more }: Summary): unknown {
  return {
    type: "message",
    attachments: [{
      contentType: "application/vnd.microsoft.card.adaptive",
      contentUrl: null,
      content: {
        $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
        type: "AdaptiveCard",
        version: "1.4",
        body: [
          rich([{ ...run(heading), weight: "bolder", size: "medium" }]),
          ...lines.map((line) => rich(runsOf(line))),
          ...(more === null ? [] : [rich([run(more)])]),
        ],
      },
    }],
  };
}

function runsOf({ title, text, link }: Line): unknown[] {
  return [
    { ...run(`${title} `), weight: "bolder" },
    run(text),
    ...(link === null
      ? []
      : [run(" "), { ...run("Open"), selectAction: { type: "Action.OpenUrl", url: link } }]),
  ];
}

function rich(inlines: readonly unknown[]): unknown {
  return { type: "RichTextBlock", inlines };
}

function run(text: string) {
  return { type: "TextRun", text };
}
