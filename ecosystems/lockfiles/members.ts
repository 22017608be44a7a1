/** Reads outside objects member by member; a member of the wrong type is a LockfileInvalid. */
import { LockfileInvalid, shown } from "./locked.ts";

/** Where an object begins, counted from 1. */
export const LINE = Symbol("line");
/** Where each item of an array begins. */
export const LINES = Symbol("lines");

export interface Members {
  [key: string]: unknown;
  [LINE]?: number;
}

export function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Throws LockfileInvalid. @param what begins the message: `"packages"` */
export function members(value: unknown, what: string): Members {
  if (isMembers(value)) return value;
  throw new LockfileInvalid(`${what} is ${kind(value)} where an object belongs`);
}

/** An object's member that is an object; absent or null: undefined. Throws LockfileInvalid. */
export function object(of: Members, key: string): Members | undefined {
  return optional(of, key, isMembers, "an object");
}

/** Throws LockfileInvalid. */
export function text(of: Members, key: string): string | undefined {
  return optional(of, key, (value) => typeof value === "string", "a string");
}

/** Throws LockfileInvalid. */
export function list(of: Members, key: string): readonly unknown[] | undefined {
  return optional(of, key, (value) => Array.isArray(value), "a list");
}

/** Lists of objects only. Absent: none. Throws LockfileInvalid. */
export function objects(of: Members, key: string): Members[] {
  return (list(of, key) ?? []).map((item) => members(item, `An item of ${JSON.stringify(key)}`));
}

/** Names to objects. Absent: none. Throws LockfileInvalid. */
export function table(of: Members, key: string): [string, Members][] {
  return Object.entries(object(of, key) ?? {}).map(([name, value]) => [
    name,
    members(value, JSON.stringify(shown(name))),
  ]);
}

export function lineOf(of: Members): number | null {
  return of[LINE] ?? null;
}

export function linesOf(items: readonly unknown[]): readonly number[] {
  const lines: unknown = Reflect.get(items, LINES);
  return Array.isArray(lines) ? lines : [];
}

/** A version as text, whichever way it is written; "": none. */
export function word(of: Members, key: string): string {
  const value = Object.hasOwn(of, key) ? of[key] : undefined;
  return typeof value === "string" || typeof value === "number" ? shown(String(value), 20) : "";
}

function optional<T>(
  of: Members,
  key: string,
  is: (value: unknown) => value is T,
  wanted: string,
): T | undefined {
  const value = Object.hasOwn(of, key) ? of[key] : undefined;
  if (value === undefined || value === null) return undefined;
  if (is(value)) return value;
  throw new LockfileInvalid(
    `${JSON.stringify(shown(key))} is ${kind(value)} instead of ${wanted}`,
    {
      line: lineOf(of),
    },
  );
}

function kind(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
