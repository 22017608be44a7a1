import * as v from "valibot";

/** Objects as JSON has them: valibot takes an array for an object without members. */
function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const OBJECT = "expected an object";

/** An object with these members and no others. */
export function strict<const T extends v.ObjectEntries>(entries: T) {
  return v.pipe(v.unknown(), v.check(isObject, OBJECT), v.strictObject(entries));
}

/** An object with any members of one kind. */
export function dictionary<
  K extends v.BaseSchema<string, string, v.BaseIssue<unknown>>,
  V extends v.GenericSchema,
>(key: K, value: V) {
  return v.pipe(v.unknown(), v.check(isObject, OBJECT), v.record(key, value));
}
