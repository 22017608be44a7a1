import type { Fault } from "./store/errors.ts";

/** What any document must be before a schema looks at it: plain JSON, not too deep, without keys that mean something to JavaScript. */

const MAX_DEPTH = 16;
/** Also ends a list of faults that would be as long as the document. */
const MAX_FAULTS = 1_000;
/** A schema that is a JavaScript object "has" these; a name can be any of them but this one. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** @param anyKey keys are names of packages: only `__proto__` is refused */
export function checkTree(root: unknown, { anyKey = false } = {}): Fault[] {
  const faults: Fault[] = [];
  const visit = (value: unknown, path: readonly string[]): void => {
    if (faults.length >= MAX_FAULTS) return;
    const detail = faultOf(value, path.length);
    if (detail !== null) {
      faults.push({ pointer: pointerOf(path), detail });
      return;
    }
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) visit(value[i], [...path, String(i)]);
      return;
    }
    for (const [key, member] of Object.entries(value)) {
      if (key === "__proto__" || (!anyKey && INHERITED.has(key))) {
        faults.push({ pointer: pointerOf([...path, key]), detail: "unknown key" });
      } else visit(member, [...path, key]);
    }
  };
  visit(root, []);
  return faults;
}

function faultOf(value: unknown, depth: number): string | null {
  if (depth > MAX_DEPTH) return `nested deeper than ${MAX_DEPTH} levels`;
  switch (typeof value) {
    case "string":
    case "boolean":
      return null;
    case "number":
      return Number.isFinite(value) ? null : "not a JSON number";
    case "object":
      if (value === null || Array.isArray(value)) return null;
      return isPlain(value) ? null : "not a JSON object";
    default:
      return "not a JSON value";
  }
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A JSON Pointer (RFC 6901). */
export function pointerOf(path: readonly string[]): string {
  return path.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
