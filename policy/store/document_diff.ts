/** What differs between two JSON documents, member by member. */
import { pointerOf } from "../tree.ts";

/**
 * A member that differs. Of a list's entry that is gone, the pointer leads into
 * the document before; of all else, into the one after.
 */
export interface Difference {
  /** JSON Pointer (RFC 6901). */
  readonly pointer: string;
  /** Absent: there was none. */
  readonly before?: unknown;
  /** Absent: there is none any more. */
  readonly after?: unknown;
}

/** More than an entry of the audit log can hold. */
const MOST = 2_000;

/**
 * Differences in the order of the documents, at most `MOST` of them. Entries of
 * lists are told apart by what they say, so that one more at the front is one
 * difference.
 */
export function differences(before: unknown, after: unknown): Difference[] {
  const found: Difference[] = [];
  for (const difference of compare(before, after, [])) {
    found.push(difference);
    if (found.length >= MOST) break;
  }
  return found;
}

function* compare(
  before: unknown,
  after: unknown,
  path: readonly string[],
): Generator<Difference> {
  if (Array.isArray(before) && Array.isArray(after)) yield* compareLists(before, after, path);
  else if (isObject(before) && isObject(after)) yield* compareMembers(before, after, path);
  else if (!Object.is(before, after)) {
    yield {
      pointer: pointerOf(path),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    };
  }
}

function* compareMembers(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  path: readonly string[],
): Generator<Difference> {
  const own = (object: Record<string, unknown>, name: string) =>
    Object.hasOwn(object, name) ? object[name] : undefined;
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    yield* compare(own(before, name), own(after, name), [...path, name]);
  }
}

function* compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: readonly string[],
): Generator<Difference> {
  const { start, end } = changedPart(before, after);
  const old = before.slice(start, before.length - end).map(canonical);
  const now = after.slice(start, after.length - end).map(canonical);
  const gone = without(old, now).map((at) => at + start);
  const added = without(now, old).map((at) => at + start);
  const [only] = gone;
  if (gone.length === 1 && added.length === 1 && added[0] === only) {
    yield* compare(before[only], after[only], [...path, String(only)]);
    return;
  }
  for (const at of gone) {
    yield { pointer: pointerOf([...path, String(at)]), before: before[at] };
  }
  for (const at of added) {
    yield { pointer: pointerOf([...path, String(at)]), after: after[at] };
  }
  const reordered = gone.length === 0 && added.length === 0 &&
    old.some((text, at) => text !== now[at]);
  if (reordered) yield { pointer: pointerOf(path), before, after };
}

/** How many entries are the same at both ends: of long lists, little changes at a time. */
function changedPart(before: readonly unknown[], after: readonly unknown[]) {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && same(before[start], after[start])) start++;
  let end = 0;
  while (end < most - start && same(before.at(-1 - end), after.at(-1 - end))) end++;
  return { start, end };
}

/** Positions of the texts that `others` does not hold as often. */
function without(texts: readonly string[], others: readonly string[]): number[] {
  const left = new Map<string, number>();
  for (const text of others) left.set(text, (left.get(text) ?? 0) + 1);
  const positions: number[] = [];
  texts.forEach((text, at) => {
    const count = left.get(text) ?? 0;
    if (count > 0) left.set(text, count - 1);
    else positions.push(at);
  });
  return positions;
}

/** Equal for equal values, whatever the order of their members. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "";
  const members = Object.keys(value).filter((name) => value[name] !== undefined).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
