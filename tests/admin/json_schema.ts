/** As much of JSON Schema 2020-12 as the description uses; it throws on any other keyword. */
import assert from "node:assert/strict";
import { isObject, type Json, member } from "./world.ts";

type Check = (value: unknown, expected: unknown, schema: Json) => boolean;

const CHECKS: Readonly<Record<string, Check>> = {
  type: (value, expected) =>
    (Array.isArray(expected) ? expected : [expected]).some((type) => isOfType(value, type)),
  const: (value, expected) => value === expected,
  enum: (value, expected) => Array.isArray(expected) && expected.includes(value),
  pattern: (value, expected) =>
    typeof value !== "string" || new RegExp(String(expected), "u").test(value),
  minimum: (value, expected) => typeof value !== "number" || value >= Number(expected),
  maximum: (value, expected) => typeof value !== "number" || value <= Number(expected),
  minLength: (value, expected) => typeof value !== "string" || value.length >= Number(expected),
  maxLength: (value, expected) => typeof value !== "string" || value.length <= Number(expected),
  minItems: (value, expected) => !Array.isArray(value) || value.length >= Number(expected),
  maxItems: (value, expected) => !Array.isArray(value) || value.length <= Number(expected),
  uniqueItems: (value) => !Array.isArray(value) || new Set(value).size === value.length,
  not: (value, expected) => value !== member(expected, "const"),
  format: (value, expected) =>
    expected === "date-time" && typeof value === "string" && !Number.isNaN(Date.parse(value)),
  required: (value, expected) =>
    !isObject(value) || !Array.isArray(expected) ||
    expected.every((name) => Object.hasOwn(value, name)),
  additionalProperties: (value, expected, schema) =>
    expected !== false || !isObject(value) ||
    Object.keys(value).every((name) => Object.hasOwn(Object(schema.properties), name)),
};
const SAYS_NOTHING = new Set(["description", "default", "title", "$schema"]);

/** Where and how a value is not as the schema says. */
export function faultsOf(value: unknown, schema: Json, root: Json, at = ""): string[] {
  const faults: string[] = [];
  for (const [keyword, expected] of Object.entries(schema)) {
    if (SAYS_NOTHING.has(keyword)) continue;
    if (keyword === "additionalProperties" && isObject(expected)) {
      for (const [name, item] of Object.entries(isObject(value) ? value : {})) {
        faults.push(...faultsOf(item, expected, root, `${at}/${name}`));
      }
    } else if (keyword in CHECKS) {
      if (!CHECKS[keyword](value, expected, schema)) {
        faults.push(`${at}: ${keyword} ${JSON.stringify(expected)}`);
      }
    } else faults.push(...nested(keyword, expected, value, { root, at }));
  }
  return faults;
}

function nested(
  keyword: string,
  expected: unknown,
  value: unknown,
  { root, at }: { root: Json; at: string },
): string[] {
  const check = (value: unknown, schema: unknown, at: string) => {
    assert(isObject(schema), at);
    return faultsOf(value, schema, root, at);
  };
  switch (keyword) {
    case "$ref":
      return check(value, member(root, ...String(expected).slice(2).split("/")), at);
    case "properties":
      if (!isObject(value)) return [];
      return Object.entries(Object(expected)).flatMap(([name, schema]) =>
        Object.hasOwn(value, name) ? check(value[name], schema, `${at}/${name}`) : []
      );
    case "propertyNames":
      return Object.keys(Object(value)).flatMap((name) => check(name, expected, `${at}/${name}`));
    case "items":
      return Array.isArray(value)
        ? value.flatMap((item, i) => check(item, expected, `${at}/${i}`))
        : [];
    case "anyOf":
      assert(Array.isArray(expected));
      return expected.some((schema) => check(value, schema, at).length === 0)
        ? []
        : [`${at}: none of anyOf`];
    case "allOf":
      assert(Array.isArray(expected));
      return expected.flatMap((schema) => check(value, schema, at));
    default:
      throw new Error(`Cannot check the keyword ${keyword} at ${at}`);
  }
}

function isOfType(value: unknown, type: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  if (type === "integer") return Number.isInteger(value);
  const actual: string = typeof value;
  return actual === type;
}
