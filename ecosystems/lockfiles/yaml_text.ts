/** YAML as lockfiles use it: every scalar is a string, and no anchors, aliases or tags. */
import type { Event, ScalarEvent } from "js-yaml";
import { LockfileInvalid, shown } from "./locked.ts";
import { LINE, type Members } from "./members.ts";
import { boundPieces } from "./text_lines.ts";

type Yaml = typeof import("js-yaml");

const MAX_DEPTH = 64;
/** Its events take more memory than JSON or TOML do. */
const MAX_PIECES = 1_000_000;

type Container =
  | { readonly members: Members; key: string | null; keyLine: number }
  | { readonly items: unknown[] };

/**
 * All documents of a text. Objects have no prototype and carry the line of the
 * key that they belong to. An empty plain scalar is null. Throws LockfileInvalid.
 */
export async function readYamlText(text: string): Promise<unknown[]> {
  boundPieces(text, MAX_PIECES);
  // Only those who check a lockfile wait for it.
  const yaml = await import("js-yaml");
  return build(yaml, text, events(yaml, text));
}

function events(yaml: Yaml, text: string): Event[] {
  try {
    return yaml.parseEvents(text, { maxDepth: MAX_DEPTH });
  } catch (cause) {
    if (!(cause instanceof yaml.YAMLException)) throw cause;
    const { reason, mark } = cause;
    const line = mark === undefined ? null : mark.line + 1;
    throw new LockfileInvalid(shown(reason), { line, cause });
  }
}

function build(yaml: Yaml, text: string, events: readonly Event[]): unknown[] {
  const { EVENT_ID } = yaml;
  const lines = lineCounter(text);
  const documents: unknown[] = [];
  const open: Container[] = [];
  let line = 1;

  const store = (value: unknown): void => {
    const container = open.at(-1);
    if (container === undefined) documents.push(value);
    else if ("items" in container) container.items.push(value);
    else if (container.key === null) container.key = key(value, container, line);
    else {
      container.members[container.key] = value;
      container.key = null;
    }
  };
  for (const event of events) {
    if (event.type === EVENT_ID.DOCUMENT) continue;
    if (event.type === EVENT_ID.POP) {
      // A document's own end has nothing open.
      open.pop();
      continue;
    }
    if (event.type === EVENT_ID.ALIAS || event.anchorStart >= 0 || event.tagStart >= 0) {
      throw new LockfileInvalid("It has anchors, aliases or tags, which no lockfile has", { line });
    }
    if (event.type === EVENT_ID.SCALAR) {
      if (event.valueStart >= 0) line = lines(event.valueStart);
      store(scalar(yaml, text, event));
      const container = open.at(-1);
      if (container !== undefined && "members" in container) container.keyLine = line;
      continue;
    }
    const parent = open.at(-1);
    const container: Container = event.type === EVENT_ID.SEQUENCE
      ? { items: [] }
      : { members: Object.create(null), key: null, keyLine: line };
    if ("members" in container) {
      container.members[LINE] = parent !== undefined && "members" in parent ? parent.keyLine : line;
    }
    store("items" in container ? container.items : container.members);
    open.push(container);
  }
  return documents;
}

function scalar(yaml: Yaml, text: string, event: ScalarEvent): string | null {
  if (event.style === yaml.SCALAR_STYLE.PLAIN && event.valueStart === event.valueEnd) return null;
  return yaml.getScalarValue(text, event);
}

function key(value: unknown, { members }: { members: Members }, line: number): string {
  if (typeof value !== "string") throw new LockfileInvalid("A key is no string", { line });
  if (value === "<<") {
    throw new LockfileInvalid("It merges one object into another, which no lockfile does", {
      line,
    });
  }
  if (value in members) {
    throw new LockfileInvalid(`${JSON.stringify(shown(value))} is there twice`, { line });
  }
  return value;
}

/** Lines of offsets that only grow. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1;
  let next = text.indexOf("\n");
  return (offset) => {
    while (next >= 0 && next < offset) {
      line++;
      next = text.indexOf("\n", next + 1);
    }
    return line;
  };
}
