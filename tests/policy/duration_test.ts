import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatDuration,
  formatInstant,
  parseDuration,
  parseInstant,
} from "../../policy/duration.ts";
import { DAY, HOUR, MINUTE } from "./world.ts";

Deno.test("ages are minutes, hours, days, weeks, or none", () => {
  assert.equal(parseDuration("90m"), 90 * MINUTE);
  assert.equal(parseDuration("36h"), 36 * HOUR);
  assert.equal(parseDuration("10d"), 10 * DAY);
  assert.equal(parseDuration("2w"), 14 * DAY);
  assert.equal(parseDuration("0"), 0);
  assert.equal(parseDuration("0d"), 0);
  assert.equal(parseDuration("36525d"), 36_525 * DAY);
});

Deno.test("what is no age is refused", () => {
  const wrong = ["", "10", "1.5d", "-1d", "1s", "1 d", "d", "1y", "36526d", "9999999999w", "１d"];
  for (const text of wrong) assert.throws(() => parseDuration(text), SyntaxError, text);
});

Deno.test("an age is written in the largest unit that is exact", () => {
  assert.equal(formatDuration(0), "0");
  assert.equal(formatDuration(1), "1m");
  assert.equal(formatDuration(36 * HOUR), "36h");
  assert.equal(formatDuration(14 * DAY), "14d");
});

Deno.test("an age that is written is the age that is read", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 36_525 * 1_440 }), (minutes) => {
    assert.equal(parseDuration(formatDuration(minutes * MINUTE)), minutes * MINUTE);
  }));
});

Deno.test("reading any text as an age throws nothing but SyntaxError", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^\d+[a-z]?$/));
  fc.assert(fc.property(text, (text) => {
    try {
      const age = parseDuration(text);
      assert.ok(age >= 0 && Number.isSafeInteger(age));
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
});

Deno.test("a date is its first instant in UTC, a date-time needs an offset", () => {
  assert.equal(parseInstant("2026-12-01"), Date.UTC(2026, 11, 1));
  assert.equal(parseInstant("2026-12-01T10:00Z"), Date.UTC(2026, 11, 1, 10));
  assert.equal(parseInstant("2026-12-01T10:00:00.5+02:00"), Date.UTC(2026, 11, 1, 8, 0, 0, 500));
  assert.equal(parseInstant("2028-02-29"), Date.UTC(2028, 1, 29));
});

Deno.test("what is no date is refused", () => {
  const wrong = [
    "",
    "tomorrow",
    "2026",
    "2026-12",
    "2026-13-01",
    "2026-02-30",
    "2026-02-30T10:00:00Z",
    "2026-12-01T10:00:00",
    "2026-12-01T25:00:00Z",
    "01.12.2026",
    "Dec 1, 2026",
  ];
  for (const text of wrong) assert.throws(() => parseInstant(text), SyntaxError, text);
});

Deno.test("instants are written without empty milliseconds, and never throw", () => {
  assert.equal(formatInstant(Date.UTC(2026, 11, 1)), "2026-12-01T00:00:00Z");
  assert.equal(formatInstant(Date.UTC(2026, 11, 1) + 5), "2026-12-01T00:00:00.005Z");
  assert.equal(formatInstant(Infinity), "an unreadable date");
});
