/** The frame of the API's few pages: one style, no script, nothing from elsewhere. */
import { html, raw } from "@hono/hono/html";

type Html = ReturnType<typeof html>;

const STYLE = `
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --bad: #c0282d; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff7b7b; } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 44rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { white-space: nowrap; font-weight: 600; }
label { display: block; margin: .9rem 0 .2rem; font-weight: 600; } small { font-weight: normal; opacity: .75; }
input, textarea, button { font: inherit; padding: .4rem .6rem; box-sizing: border-box; }
input, textarea { width: 100%; } button { margin: 1.1rem .6rem 0 0; padding: .4rem 1.4rem; cursor: pointer; }
.notice { padding: .6rem .9rem; border-left: .3rem solid var(--bad); background: var(--soft); }
`;

/** A whole page; its forms may post to this origin alone, and no other site may frame it. */
export async function page(
  { title, body }: { title: string; body: Html },
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): Promise<Response> {
  const text = await html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${title}</title>
        <style>${raw(STYLE)}</style>
      </head>
      <body>
    ${body}
      </body>
    </html>
  `;
  return new Response(String(text).trimStart(), {
    status,
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Security-Policy":
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      "X-Content-Type-Options": "nosniff",
      "Cross-Origin-Opener-Policy": "same-origin",
      // With no-referrer, browsers would say `Origin: null` of our own forms.
      "Referrer-Policy": "same-origin",
      ...headers,
    },
  });
}

/** Whether the answer is for a person at a browser. */
export function wantsPage(request: Request): boolean {
  return /\btext\/html\b/i.test(request.headers.get("accept") ?? "");
}
