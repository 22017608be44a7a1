/**
 * Licences as SPDX expressions, asked against lists of licences
 * (https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/).
 */

/** One licence of an expression; names in lower case. */
export interface License {
  /** Without `-only`, `-or-later` and `+`. */
  readonly id: string;
  /** With `-only` or `-or-later`, as SPDX has them now: `gpl-2.0-only` for `GPL-2.0`. */
  readonly name: string;
  readonly orLater: boolean;
  /** After `WITH`; null: none. */
  readonly exception: string | null;
}

export type Expression =
  | { readonly kind: "license"; readonly license: License }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression };

const TOKEN = /\s*(?:([()])|([A-Za-z0-9.-]+(?::[A-Za-z0-9.-]+)?\+?))/y;
const MAX_LENGTH = 2_000;
const MAX_DEPTH = 50;

/** Reads an expression; null: it is none. */
export function parseLicense(text: string): Expression | null {
  const tokens = tokenize(text);
  if (tokens === null) return null;
  const reader = new Reader(tokens);
  const expression = reader.or(0);
  return reader.ended ? expression : null;
}

function tokenize(text: string): string[] | null {
  const whole = text.trim();
  if (whole === "" || whole.length > MAX_LENGTH) return null;
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < whole.length) {
    const match = TOKEN.exec(whole);
    if (match === null) return null;
    tokens.push(match[1] ?? match[2]);
  }
  return tokens;
}

/** Operators are written in capitals or in small letters; AND binds tighter than OR. */
const OPERATOR = /^(?:AND|OR|WITH|and|or|with)$/;

class Reader {
  #at = 0;

  constructor(readonly tokens: readonly string[]) {}

  get ended(): boolean {
    return this.#at === this.tokens.length;
  }

  or(depth: number): Expression | null {
    return this.#chain("or", () => this.#and(depth));
  }

  #and(depth: number): Expression | null {
    return this.#chain("and", () => this.#one(depth));
  }

  #chain(kind: "and" | "or", next: () => Expression | null): Expression | null {
    let left = next();
    while (left !== null && this.#takes(kind)) {
      const right = next();
      left = right === null ? null : { kind, left, right };
    }
    return left;
  }

  #one(depth: number): Expression | null {
    if (depth > MAX_DEPTH) return null;
    if (this.tokens[this.#at] === "(") {
      this.#at++;
      const inner = this.or(depth + 1);
      return inner !== null && this.tokens[this.#at++] === ")" ? inner : null;
    }
    const name = this.#name();
    if (name === null) return null;
    if (!this.#takes("with")) return { kind: "license", license: readLicense(name, null) };
    const exception = this.#name();
    return exception === null
      ? null
      : { kind: "license", license: readLicense(name, exception.toLowerCase()) };
  }

  #takes(word: string): boolean {
    const token = this.tokens[this.#at];
    if (token === undefined || !OPERATOR.test(token) || token.toLowerCase() !== word) return false;
    this.#at++;
    return true;
  }

  #name(): string | null {
    const token = this.tokens[this.#at];
    if (token === undefined || /^[()]$/.test(token) || OPERATOR.test(token)) return null;
    this.#at++;
    return token;
  }
}

/** Licences whose bare name is an old one for that with `-only`. */
const GNU = /^(?:[al]?gpl|gfdl)-\d+\.\d+$/;

function readLicense(name: string, exception: string | null): License {
  const lower = name.toLowerCase();
  const id = lower.replace(/(?:-only|-or-later|\+)$/, "");
  const orLater = /(?:-or-later|\+)$/.test(lower);
  const only = lower.endsWith("-only") || GNU.test(id);
  return { id, name: orLater ? `${id}-or-later` : only ? `${id}-only` : id, orLater, exception };
}

/** Whether whoever keeps to the licences that pass keeps to the expression: one side of OR is enough. */
export function satisfies(expression: Expression, passes: (license: License) => boolean): boolean {
  switch (expression.kind) {
    case "license":
      return passes(expression.license);
    case "and":
      return satisfies(expression.left, passes) && satisfies(expression.right, passes);
    case "or":
      return satisfies(expression.left, passes) || satisfies(expression.right, passes);
  }
}

/** Parts of `gpl-2.0`: what it is called, and which version of it. */
function versioned(id: string): { family: string; version: number[] } | null {
  const match = /^(.+)-v?(\d+(?:\.\d+)*)$/.exec(id);
  return match && { family: match[1], version: match[2].split(".").map(Number) };
}

/** Of the same family; below 0: the first is the older; null: of another family. */
export function compareLicenses(a: string, b: string): number | null {
  if (a === b) return 0;
  const [first, second] = [versioned(a), versioned(b)];
  if (first === null || second === null || first.family !== second.family) return null;
  const length = Math.max(first.version.length, second.version.length);
  for (let i = 0; i < length; i++) {
    const difference = (first.version[i] ?? 0) - (second.version[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
