/**
 * JSON with comments and trailing commas (bun.lock has both), that remembers
 * lines. Not recursive and bounded in depth, so that nothing sent can exhaust
 * the stack; a key given twice is refused, since two readers could take either.
 */
import { LINE, LINES, type Members } from "./members.ts";
import { LockfileInvalid, shown } from "./locked.ts";
import { MAX_PIECES, tooMany } from "./text_lines.ts";

const MAX_DEPTH = 256;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORDS: readonly [string, unknown][] = [["true", true], ["false", false], ["null", null]];

interface Items extends Array<unknown> {
  [LINES]: number[];
}

type Container = { members: Members; key: string | null } | { items: Items };

/** Objects have no prototype and carry `LINE`, arrays carry `LINES`. Throws LockfileInvalid. */
export function readJsonText(text: string): unknown {
  return new Reader(text).document();
}

class Reader {
  #at = 0;
  #line = 1;
  #values = 0;
  /** Containers that are open, the innermost last. */
  readonly #open: Container[] = [];

  constructor(readonly text: string) {}

  document(): unknown {
    let [done, value] = this.#value();
    while (this.#open.length > 0 || !done) {
      const container = this.#open[this.#open.length - 1];
      if (done) this.#store(container, value);
      if (this.#next(container, done)) [done, value] = this.#value();
      else [done, value] = [true, this.#close()];
    }
    this.#space();
    if (this.#at < this.text.length) this.#fail("there is more after its end");
    return value;
  }

  /** A whole value, or false after opening a container. */
  #value(): [boolean, unknown] {
    if (++this.#values > MAX_PIECES) tooMany(MAX_PIECES, "values");
    this.#space();
    const { text } = this;
    switch (text[this.#at]) {
      case "{": {
        const members: Members = Object.create(null);
        members[LINE] = this.#line;
        return this.#enter({ members, key: null });
      }
      case "[":
        return this.#enter({ items: Object.assign([], { [LINES]: [] }) });
      case '"':
        return [true, this.#string()];
    }
    for (const [word, value] of WORDS) {
      if (text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return [true, value];
      }
    }
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(text)?.[0];
    if (number === undefined) this.#fail();
    this.#at += number.length;
    return [true, Number(number)];
  }

  #enter(container: Container): [false, undefined] {
    if (this.#open.length >= MAX_DEPTH) this.#fail(`it is nested deeper than ${MAX_DEPTH} levels`);
    this.#at++;
    this.#open.push(container);
    return [false, undefined];
  }

  #store(container: Container, value: unknown): void {
    if ("items" in container) container.items.push(value);
    else if (container.key !== null) container.members[container.key] = value;
  }

  /** Moves to a container's next value and reads its key; false at the container's end. */
  #next(container: Container, after: boolean): boolean {
    this.#space();
    const end = "items" in container ? "]" : "}";
    if (this.text[this.#at] === end) return false;
    if (after) {
      if (this.text[this.#at] !== ",") this.#fail();
      this.#at++;
      this.#space();
      if (this.text[this.#at] === end) return false;
    }
    if ("items" in container) {
      container.items[LINES].push(this.#line);
      return true;
    }
    if (this.text[this.#at] !== '"') this.#fail();
    const key = this.#string();
    if (key in container.members) this.#fail(`${JSON.stringify(shown(key))} is there twice`);
    container.key = key;
    this.#space();
    if (this.text[this.#at] !== ":") this.#fail();
    this.#at++;
    return true;
  }

  #close(): unknown {
    this.#at++;
    const container = this.#open.pop();
    if (container === undefined) this.#fail();
    return "items" in container ? container.items : container.members;
  }

  #string(): string {
    const { text } = this;
    let end = this.#at + 1;
    let plain = true;
    for (let code = text.charCodeAt(end); code !== 34; code = text.charCodeAt(++end)) {
      if (code !== code || code < 32) this.#fail("a string does not end");
      if (code === 92) {
        plain = false;
        end++;
      }
    }
    const start = this.#at;
    this.#at = end + 1;
    if (plain) return text.slice(start + 1, end);
    try {
      const value: unknown = JSON.parse(text.slice(start, end + 1));
      if (typeof value === "string") return value;
    } catch {
      // Said below: an escape that JSON does not have.
    }
    return this.#fail("a string has a broken escape");
  }

  /** Skips blanks and comments. */
  #space(): void {
    const { text } = this;
    for (;; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code === 10) this.#line++;
      else if (code === 47) this.#comment();
      else if (code !== 32 && code !== 13 && code !== 9) return;
    }
  }

  /** Ends on its last character. */
  #comment(): void {
    const { text } = this;
    const block = text[this.#at + 1] === "*";
    if (!block && text[this.#at + 1] !== "/") this.#fail();
    const end = text.indexOf(block ? "*/" : "\n", this.#at + 2);
    if (block && end < 0) this.#fail("a comment does not end");
    if (block) { for (let i = this.#at; i < end; i++) if (text.charCodeAt(i) === 10) this.#line++; }
    this.#at = block ? end + 1 : (end < 0 ? text.length : end) - 1;
  }

  #fail(why?: string): never {
    const rest = this.text.slice(this.#at, this.#at + 20).split("\n")[0];
    const found = rest === ""
      ? "it ends too early"
      : `${JSON.stringify(shown(rest))} is unexpected`;
    throw new LockfileInvalid(why ?? found, { line: this.#line });
  }
}
