/**
 * Reads start tags out of HTML, by the rules of the HTML standard as far as
 * index pages need them. What it does not see is not served: pages are written
 * anew from what was read, so a page cannot smuggle a link past it.
 */

export interface Tag {
  /** Lower case. */
  readonly name: string;
  /** Values decoded; names in lower case; the first of a repeated attribute counts. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Decoded text up to the next `<`. */
  readonly text: string;
}

/** Elements whose content is no markup. */
const RAW = new Set(["script", "style", "textarea", "title", "xmp", "iframe", "noembed"]);

export function* readTags(html: string): Generator<Tag> {
  let at = 0;
  while ((at = html.indexOf("<", at)) >= 0) {
    if (html.startsWith("<!--", at)) {
      at = after(html, "-->", at + 2);
    } else if (!/[a-z]/i.test(html.charAt(at + 1))) {
      at = /[!?/]/.test(html.charAt(at + 1)) ? after(html, ">", at + 1) : at + 1;
    } else {
      const { tag, end } = readTag(html, at + 1);
      yield tag;
      at = RAW.has(tag.name) ? closing(html, tag.name, end) : end;
    }
  }
}

/** Text as attribute value or content. */
export function escapeHtml(text: string): string {
  return /[&<>"']/.test(text)
    ? text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;").replaceAll("'", "&#x27;")
    : text;
}

function after(html: string, mark: string, from: number): number {
  const found = html.indexOf(mark, from);
  return found < 0 ? html.length : found + mark.length;
}

function closing(html: string, name: string, from: number): number {
  const end = new RegExp(`</${name}(?=[\\s/>])`, "gi");
  end.lastIndex = from;
  return end.exec(html)?.index ?? html.length;
}

function readTag(html: string, start: number): { tag: Tag; end: number } {
  const name = read(/[^\s/>]+/y, html, start);
  const attributes = new Map<string, string>();
  let at = start + name.length;
  while (true) {
    at += read(/[\s/]+/y, html, at).length;
    if (at >= html.length || html[at] === ">") break;
    const key = read(/=?[^\s/>=]*/y, html, at);
    at += key.length;
    const equals = read(/\s*=\s*/y, html, at);
    let value = "";
    if (equals !== "") {
      ({ value, at } = readValue(html, at + equals.length));
    }
    if (!attributes.has(key.toLowerCase())) {
      attributes.set(key.toLowerCase(), decodeEntities(value));
    }
  }
  const end = Math.min(at + 1, html.length);
  const text = decodeEntities(read(/[^<]*/y, html, end)).trim();
  return { tag: { name: name.toLowerCase(), attributes, text }, end };
}

function readValue(html: string, at: number): { value: string; at: number } {
  const quote = html[at];
  if (quote === '"' || quote === "'") {
    const end = html.indexOf(quote, at + 1);
    return end < 0
      ? { value: html.slice(at + 1), at: html.length }
      : { value: html.slice(at + 1, end), at: end + 1 };
  }
  const value = read(/[^\s>]*/y, html, at);
  return { value, at: at + value.length };
}

function read(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  num: "#",
  plus: "+",
  sol: "/",
  colon: ":",
  equals: "=",
  lowbar: "_",
  period: ".",
  percnt: "%",
};

function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));/gi,
    (whole, hex, dec, name) => {
      if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : whole;
      const code = hex === undefined ? Number.parseInt(dec, 10) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
    },
  );
}
