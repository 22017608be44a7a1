import { Problem } from "./problem.ts";

/** Documents are nowhere near as deep; a patch made to exhaust the stack is. */
const MAX_DEPTH = 100;

/** JSON Merge Patch (RFC 7396). Changes neither argument. */
export function mergePatch(target: unknown, patch: unknown, depth = 0): unknown {
  if (!isObject(patch)) return patch;
  if (depth > MAX_DEPTH) throw new Problem("bad_request", "The patch is nested too deeply.");
  // A Map, because assigning to "__proto__" would set a prototype instead of a member.
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value, depth + 1));
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
