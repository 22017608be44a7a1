/** Query parameters that several routes share. Each is a text that is checked, then read. */
import * as v from "valibot";
import { parseDuration, parseInstant } from "../policy/duration.ts";
import { Problem } from "./problem.ts";

const MAX_LIMIT = 1_000;

export function limitParameter(usual: number, most = MAX_LIMIT) {
  const sentence = `expected a whole number from 1 to ${most}`;
  return v.optional(v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,5}$/, sentence),
    v.transform(Number),
    v.number(),
    v.integer(),
    v.minValue(1, sentence),
    v.maxValue(most, sentence),
    v.description(`How many items at most; ${usual} by default`),
  ));
}

export const cursorParameter = v.optional(v.pipe(
  v.string(),
  v.minLength(1, "is empty"),
  v.maxLength(4_000, "is not of this list"),
  v.description("Where to go on: `cursor` of the answer before"),
));

export const formatParameter = v.optional(v.pipe(
  v.string(),
  v.picklist(["json", "jsonl", "csv"], "expected json, jsonl or csv"),
  v.description("json by default; in jsonl and csv, the header Link says where to go on"),
));

export function textParameter(description: string) {
  return v.optional(v.pipe(
    v.string(),
    v.minLength(1, "is empty"),
    v.maxLength(1_000, "is longer than 1000 characters"),
    v.description(description),
  ));
}

const WHEN = 'an age before now ("7d", "36h"), a date, or a date-time with offset';

export const sinceParameter = textParameter(`From then on: ${WHEN}`);
export const untilParameter = textParameter(`Before then: ${WHEN}`);

/** Reads `since` and `until` as Unix ms. Throws Problem. */
export function readPeriod(
  { since, until }: { since?: string; until?: string },
  now: number,
): { since?: number; until?: number } {
  return {
    ...(since === undefined ? {} : { since: readInstant("since", since, now) }),
    ...(until === undefined ? {} : { until: readInstant("until", until, now) }),
  };
}

function readInstant(name: string, text: string, now: number): number {
  // An unescaped + of an offset arrives as a space.
  const instant = text.replace(/ (?=\d\d:\d\d$)/, "+");
  for (const read of [() => now - parseDuration(text), () => parseInstant(instant)]) {
    try {
      return read();
    } catch {
      // The other form may fit.
    }
  }
  throw new Problem("query_invalid", `"${name}": expected ${WHEN}.`);
}
