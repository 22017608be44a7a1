/** Names one slip away from others, found without comparing with each of them. */

/** Case and separators aside; a scope is written as part of the name. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[@/._-]+/g, "");
}

/** Below this, too many words are one letter apart. */
const SHORTEST = 5;

/**
 * Two names one slip apart have a text in common: each with one letter left
 * out, or as it is. So each name is filed under those texts.
 */
export class Neighbours {
  readonly #names: ReadonlySet<string>;
  readonly #byText = new Map<string, string[]>();

  constructor(names: readonly string[]) {
    this.#names = new Set(names);
    for (const name of names) {
      const folded = fold(name);
      this.#file(folded, name);
      if (folded.length < SHORTEST) continue;
      for (const text of shortened(folded)) this.#file(text, name);
    }
  }

  /** The name that another may be mistaken for; null: none, or it is one of them itself. */
  find(name: string): string | null {
    if (this.#names.has(name)) return null;
    const folded = fold(name);
    for (const text of [folded, ...shortened(folded)]) {
      const near = this.#byText.get(text)?.find((candidate) => isSlip(folded, fold(candidate)));
      if (near !== undefined) return near;
    }
    return null;
  }

  #file(text: string, name: string): void {
    const names = this.#byText.get(text);
    if (names === undefined) this.#byText.set(text, [name]);
    else if (!names.includes(name)) names.push(name);
  }
}

function shortened(text: string): string[] {
  return Array.from({ length: text.length }, (_, i) => text.slice(0, i) + text.slice(i + 1));
}

/** Equal, or one letter more, fewer or other, or two neighbours changed over. */
function isSlip(a: string, b: string): boolean {
  if (a === b) return true;
  if (b.length < SHORTEST) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (left.length <= 1 && right.length <= 1) return true;
  return left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
}
