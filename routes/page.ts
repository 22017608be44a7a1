/** The frame of every page: one style, no script, nothing from elsewhere. */
import { html, raw } from "@hono/hono/html";

type Html = ReturnType<typeof html>;

const STYLE = `
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --deny: #c0282d; --warn: #9a6200; --allow: #2b7a3d; }
@media (prefers-color-scheme: dark) { :root { --deny: #ff7b7b; --warn: #e8b04b; --allow: #71c887; } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 58rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; margin-bottom: .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .4rem; } small { font-weight: normal; opacity: .75; }
a { color: inherit; overflow-wrap: anywhere; }
pre { margin: .25rem 0; padding: .6rem .9rem; overflow-x: auto; background: var(--soft); border-radius: .4rem; }
code { font: .9em ui-monospace, monospace; } summary { cursor: pointer; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin-top: 1rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); }
td:first-child { overflow-wrap: anywhere; font-weight: 600; } td:last-child { white-space: nowrap; }
.deny .verdict, .warn .verdict { font-weight: 600; }
.deny .verdict { color: var(--deny); } .warn .verdict { color: var(--warn); } .allow .verdict { color: var(--allow); }
label { display: block; margin: .9rem 0 .2rem; font-weight: 600; } small { font-weight: normal; }
input, textarea, button { font: inherit; padding: .4rem .6rem; box-sizing: border-box; }
input, textarea { width: 100%; } button { margin-top: 1rem; padding: .4rem 1.4rem; cursor: pointer; }
.notice { padding: .6rem .9rem; border-left: .3rem solid var(--deny); background: var(--soft); }
`;

/** A whole page. */
export async function page(
  { title, body }: { title: string; body: Html },
  { status = 200, headers = {}, forms = false }: {
    status?: number;
    headers?: Record<string, string>;
    /** Whether a form of the page may post to this origin. */
    forms?: boolean;
  } = {},
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
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy":
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; " +
        `form-action ${forms ? "'self'" : "'none'"}`,
      "x-content-type-options": "nosniff",
      "cross-origin-opener-policy": "same-origin",
      // With no-referrer, browsers would say `Origin: null` of our own forms.
      "referrer-policy": forms ? "same-origin" : "no-referrer",
      ...headers,
    },
  });
}
